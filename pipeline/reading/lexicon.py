"""The words of a brief as tagged tokens: what the rules know of English, and of an image model's range."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from models.english import plural
from pipeline.range import Range
from pipeline.reading.tags import Tag, any_of

ENGLISH: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("english.yaml").read_text(encoding="utf-8"))
# Colours that a brief may name. A range maps some of them onto its own colours; the others stay as they are.
COLOURS: frozenset[str] = frozenset(ENGLISH["colours"])
# Nouns that are plural when they name one thing: "the scissors are red".
PLURAL_ONLY: frozenset[str] = frozenset(ENGLISH["plural_only"])


@dataclass(frozen=True, slots=True)
class Token:
    """A word or phrase of a brief."""

    tag: Tag
    value: str  # the range's name for it, the number in digits, or the relation
    text: str  # as the brief says it, in lower case
    known: bool = True  # False: guessed to be an object, or the look of one
    plural: bool = False
    written: str = field(default="", compare=False)  # as the brief says it

    @property
    def capital(self) -> bool:
        """Whether the brief writes it with a capital letter, and not all in capitals."""
        return self.written[:1].isupper() and not self.written[1:].isupper()


_WORD_LISTS = {
    "not_drawn": Tag.NOT_DRAWN,
    "things": Tag.NOT_DRAWN,
    "talk": Tag.FUNCTION,
    "function_words": Tag.FUNCTION,
    "describing": Tag.LOOK,
    "actions": Tag.ACTION,
    "quantities": Tag.QUANTITY,
    "spatial": Tag.SPATIAL,
}


_STYLE_TAILS = (
    "", " style", " styled", " sticker", " drawing", " art", " look", " design", " fashion", " manner", " technique",
    " aesthetic", " rendering", " finish", " treatment", " version", " variant", " styling", " illustration",
    " picture", " image",
)  # fmt: skip


def _plural(phrase: str) -> str:
    """The plural of a name: "slices of pizza"."""
    head, of, rest = phrase.partition(" of ")
    return f"{plural(head)}{of}{rest}"


# What "we're", "we'll" and the like become without their apostrophe.
_OTHER_WORDS = frozenset(("were", "well", "ill", "wed", "its", "id", "shell", "hell", "wont"))


@lru_cache(maxsize=8)
def _lexicon(key: str) -> dict[str, Token]:
    """What the range and the lists of English know, by phrase. A later entry replaces an earlier one."""
    drawable = Range.model_validate_json(key)
    known: dict[str, Token] = {}

    def enter_styles(styles: Mapping[str, Sequence[str]]) -> None:
        for name, words in styles.items():
            for word in (name.replace("-", " "), *words):
                for tail in _STYLE_TAILS:
                    known[word + tail] = Token(Tag.STYLE, name, word)

    for name, tag in _WORD_LISTS.items():
        for word in ENGLISH[name]:
            known[word] = Token(tag, word, word)
    for tag, meanings in ENGLISH["phrases"].items():
        for value, phrases in meanings.items():
            for phrase in phrases:
                known[phrase] = Token(Tag[tag], value or phrase, phrase)
    for number, phrases in ENGLISH["numbers"].items():
        for phrase in phrases:
            known[phrase] = Token(Tag.NUMBER, str(number), phrase)
    for name in ENGLISH["other_things"]:
        for form in (name, plural(name)):
            known[form] = Token(Tag.OBJECT, name, form, known=False, plural=form != name)
    enter_styles(ENGLISH["styles"])
    for colour in COLOURS:
        value = "gray" if colour == "grey" and drawable.colours is None else colour
        known[colour] = Token(Tag.COLOUR, value, colour)
        for shade in ENGLISH["shades"]:
            known[f"{shade} {colour}"] = Token(Tag.COLOUR, f"{shade} {value}", f"{shade} {colour}")
    for name, words in (drawable.colours or {}).items():
        for word in (name, *words):
            known[word] = Token(Tag.COLOUR, name, word)
            for shade in ENGLISH["shades"]:
                known[f"{shade} {word}"] = Token(Tag.COLOUR, name, f"{shade} {word}")
    enter_styles(drawable.styles or {})
    for name, words in (drawable.objects or {}).items():
        plurals = {words[0]} if words else set()
        forms = [name, *words, *(_plural(word) for word in words[1:])]
        for form in forms:
            many = form in plurals or (form not in (name, *words))
            known[form] = Token(Tag.OBJECT, name, form, plural=many and form != name)
    for phrase in [phrase for phrase in known if "'" in phrase]:  # "dont draw"
        bare = phrase.replace("'", "")
        if not _OTHER_WORDS & set(bare.split()):
            known.setdefault(bare, known[phrase])
    return known


_PLAIN_LISTS = ("places", "verbs", "carriers", "fixtures", "about_people", "parts")  # words that have no tag


class Vocabulary(dict[str, bool]):
    """Every word that the lists hold, and whether it is part of what can be drawn. `joined`: phrases of two or more
    words, by what they are without spaces ("icecream")."""

    joined: dict[str, str]


@lru_cache(maxsize=8)
def vocabulary(key: str) -> Vocabulary:
    """The words of the lists and of a range, given as its key."""
    words, joined = Vocabulary(), dict[str, str]()
    lists = {word: Token(Tag.UNKNOWN, word, word) for name in _PLAIN_LISTS for word in ENGLISH[name]}
    for phrase, token in (lists | _lexicon(key)).items():
        drawn = token.tag in (Tag.OBJECT, Tag.COLOUR, Tag.STYLE, Tag.BACKGROUND)
        for word in phrase.split():
            words[word] = words.get(word, False) or drawn
        if token.tag is Tag.OBJECT and " " in phrase:
            joined[phrase.replace(" ", "")] = phrase
    words.joined = joined
    return words


# "3-legged" is a look and no count; the "-" becomes "~", so that it stays one word.
_NUMBERED = re.compile(
    r"\b(\d+|one|two|three|four|five|six|seven|eight|nine|ten)-(?=[a-z]{3})(?!(?:to|or)-)", re.IGNORECASE
)
_WORD = re.compile(r"3d|\w+~[a-z]+|\d+|[^\W\d_]+(?:'[^\W\d_]+)?|[&+]|[.,;:!?()\"/]|\s[-–—]\s", re.IGNORECASE)
# The stop of "Mr." and of the initial in "F. Smith" ends no sentence.
_ABBREVIATED = re.compile(
    r"\b(mr|mrs|ms|dr|st|prof|approx|etc|vs|incl|max|min|i\.e|e\.g|(?-i:[A-HJ-Z]))\.(?=\s*\S)", re.IGNORECASE
)
_MARKS = {
    **dict.fromkeys(',()"/', Tag.COMMA),
    ";": Tag.SEMICOLON,
    ":": Tag.COLON,
    **dict.fromkeys(".!?", Tag.STOP),
}
_LONGEST = 6  # words in a phrase


def tokens(text: str, drawable: Range | None) -> list[Token]:
    """The text as tagged tokens, each the longest phrase that the lists hold."""
    known = _lexicon((drawable or Range()).key)
    text = text.replace("’", "'").replace("“", '"').replace("”", '"')
    text = _ABBREVIATED.sub(r"\1", text)
    text = _NUMBERED.sub(r"\1~", text)
    text = re.sub(r"(?<=\w)[-–](?=\w)", " ", text)
    return _without_pronouns(_tens(list(_match(_WORD.findall(text), known))))


_BEFORE_PRONOUN = any_of("DETERMINER COLOUR LOOK ALL")


def _without_pronouns(line: list[Token]) -> list[Token]:
    """The tokens with "one" as no number where it stands for a noun: "a red one", "each one"."""
    for i, token in enumerate(line[1:], 1):
        if token.text == "one" and line[i - 1].tag in _BEFORE_PRONOUN:
            line[i] = replace(token, tag=Tag.FUNCTION)
    return line


def _tens(line: list[Token]) -> list[Token]:
    """The tokens with numbers such as "twenty one" joined into one."""
    joined: list[Token] = []
    for token in line:
        before = joined[-1] if joined else None
        if (
            before
            and before.tag is token.tag is Tag.NUMBER
            and int(before.value) in range(20, 100, 10)
            and (0 < int(token.value) < 10)
        ):
            value = str(int(before.value) + int(token.value))
            text, written = f"{before.text} {token.text}", f"{before.written} {token.written}"
            joined[-1] = Token(Tag.NUMBER, value, text, written=written)
        else:
            joined.append(token)
    return joined


def _match(words: list[str], known: dict[str, Token]) -> Iterator[Token]:
    lower = [_plain(word) for word in words]
    at = 0
    while at < len(words):
        token, size = _longest(lower, at, known)
        yield replace(token, written=" ".join(words[at : at + size]).strip())
        at += size


def _plain(word: str) -> str:
    """The word in lower case and without accents: "Café" as "cafe"."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))


def _longest(words: list[str], at: int, known: dict[str, Token]) -> tuple[Token, int]:
    """The token for the longest phrase at index `at`, and how many words it has."""
    word = words[at]
    if word.strip() in _MARKS or word != word.strip():
        return Token(_MARKS.get(word.strip(), Tag.COMMA), word.strip(), word.strip()), 1
    if "~" in word:
        return Token(Tag.LOOK, word.replace("~", "-"), word.replace("~", "-")), 1
    if word.isdigit() and " ".join(words[at : at + 2]) not in known:
        return Token(Tag.NUMBER, str(int(word)), word), 1
    for size in range(min(_LONGEST, len(words) - at), 0, -1):
        phrase = " ".join(words[at : at + size])
        if phrase in known:
            return known[phrase], size
    bare = word.removesuffix("'s")  # "the bear's colour" names the bear
    return known.get(bare) or Token(Tag.UNKNOWN, bare, bare), 1
