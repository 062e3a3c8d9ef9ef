"""Guesses at words that no list holds: which of them name a thing to draw, and which describe one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.english import singular
from pipeline.reading.lexicon import ENGLISH, Token
from pipeline.reading.noise import PICTURES, is_position
from pipeline.reading.tags import Tag, any_of
from pipeline.reading.word_kinds import tells_nothing

_VERBS = frozenset(ENGLISH["verbs"])
_NOT_DRAWN = frozenset(ENGLISH["not_drawn"])
_THINGS = frozenset(ENGLISH["things"])
_DEFINITE = frozenset(("the", "this", "that", "these", "those", "its"))
_FRUIT = frozenset(("orange", "lime", "olive", "salmon", "violet", "rose"))
_ADJECTIVE_ENDINGS = ("y", "en", "ful", "ous", "ish", "less", "ive", "ical", "ble")

_DESCRIBING = any_of("ADJECTIVE COLOUR MOOD STYLE LOOK")
_INTRODUCING = _DESCRIBING | any_of(
    "DETERMINER POSSESSIVE NUMBER REQUEST WITH QUANTITY OF AND RELATION ON COMMA COLON"
)
_BEFORE_NAME = any_of("DETERMINER NUMBER COLOUR ADJECTIVE LOOK")
_SHOWS = any_of("WITH OF REQUEST COLON")
_AFTER_FRUIT = any_of("ON RELATION SIDE BESIDE WITH COMMA SEMICOLON AND")
_LISTED = any_of("STYLE BACKGROUND COLOUR")
_NO_THING_BEFORE = any_of("OBJECT BACKGROUND AS_BACKGROUND MOOD_NOUN")
_AFTER_FIRST_WORD = any_of("ON RELATION SIDE WITH BESIDE")
_AFTER_SUBJECT = any_of("BE RELATION SIDE BESIDE")
_AFTER_LISTED = any_of("COMMA AND ON RELATION SIDE")
_BEFORE_SEVERAL = any_of("QUANTITY REQUEST WITH BESIDE RELATION")


def guess_objects(tokens: Sequence[Token], any_object: bool, alone: bool = False) -> list[Token]:
    """The tokens of a sentence, with unknown words that name a thing tagged OBJECT and those that describe one tagged
    LOOK, both as not known.

    `any_object`: the range names no objects; then a word alone between commas is one too, and an unknown adjective
    stays in the name. `alone`: the brief is this one sentence.
    """
    line = _fruit(_compounds(tokens))
    listed = any(token.tag in _LISTED for token in line)
    k = 0
    while k < len(line):
        if line[k].tag is not Tag.UNKNOWN:
            k += 1
            continue
        end = _unknown_end(line, k)
        if _unknown_at(line, end) and line[end].text.endswith("ing") and not _is_verb(line[k].text):
            line[end] = replace(line[end], tag=Tag.ACTION)  # "two women drinking tea"
        after = end
        while after < len(line) and (line[after].tag in _DESCRIBING or line[after].tag is Tag.UNKNOWN):
            after += 1
        introduced = k > 0 and line[k - 1].tag in _INTRODUCING
        if introduced and after < len(line) and line[after].tag is Tag.OBJECT:
            for j in range(k, end):
                line[j] = replace(line[j], tag=Tag.LOOK, known=False)
        elif introduced and after > end and _unknown_at(line, after - 1) and _describes(line[k].text):
            line[k] = replace(line[k], tag=Tag.LOOK, known=False)
            end = k + 1
        elif _is_thing(line, k, end, any_object, listed, alone):
            end = _name(line, k, end, any_object)
        k = max(end, k + 1)
    return _of_what(line)


def _unknown_at(line: Sequence[Token], k: int) -> bool:
    return k < len(line) and line[k].tag is Tag.UNKNOWN


def _unknown_end(line: Sequence[Token], start: int) -> int:
    """Where the unknown words end that begin at `start`; a verb after the first ends them too."""
    end = start + 1
    while _unknown_at(line, end) and not _is_verb(line[end].text):
        end += 1
    return end


def _compounds(tokens: Sequence[Token]) -> list[Token]:
    """Compound nouns as one unknown object: "a cherry tree" is neither of the cherries and trees that the range knows,
    "a bear trap" no bear and "a fridge magnet" no magnet. In "an office tower", "office" becomes an unknown word,
    though alone it is not drawn."""
    line = list(tokens)
    for k in range(1, len(line) - 1):
        word, before, follows = line[k], line[k - 1], line[k + 1]
        begins_name = word.tag is Tag.NOT_DRAWN and before.tag in _BEFORE_NAME and follows.tag is Tag.UNKNOWN
        if begins_name and word.text not in PICTURES and not _is_verb(follows.text):
            line[k] = replace(word, tag=Tag.UNKNOWN)
    joined: list[Token] = []
    for token in line:
        last = joined[-1] if joined else None
        if last and last.tag is Tag.OBJECT and token.text == "shaped":
            look = f"{last.text} shaped"
            joined[-1] = replace(last, tag=Tag.LOOK, value=look, text=look, known=False)
        elif last and _is_compound(last, token, joined[-2] if len(joined) > 1 else None):
            text, written = f"{last.text} {token.text}", f"{last.written} {token.written}"
            name = singular(text)
            joined[-1] = Token(Tag.OBJECT, name, text, known=False, plural=name != text, written=written)
        else:
            joined.append(token)
    return joined


def _is_compound(first: Token, second: Token, before: Token | None) -> bool:
    """Whether two words that stand together are one noun. `before`: the word before them."""
    if first.tag is second.tag is Tag.OBJECT:
        return not first.plural
    if first.tag is Tag.UNKNOWN and second.tag is Tag.OBJECT:
        introduced = before is None or before.tag in _INTRODUCING
        named = first.capital and second.capital  # "Mickey Mouse"
        return introduced and (named or _is_noun(first.text)) and not _is_plural(first.text)
    if second.text == "free":  # "a car-free street" has no car
        return False
    if first.tag is Tag.OBJECT and not first.plural and second.tag is Tag.UNKNOWN:
        return _is_noun(second.text) and not second.capital
    if second.tag is Tag.NOT_DRAWN and second.value and second.text in _THINGS:
        # "a traffic light"; "our cat shop" is where somebody asks from
        introduced = before is not None and (
            before.tag in (Tag.NUMBER, Tag.COLOUR) or before.text in ("a", "an")
        )
        return introduced and first.tag in (Tag.OBJECT, Tag.UNKNOWN) and not _is_plural(first.text)
    return False


def _of_what(line: list[Token]) -> list[Token]:
    """The tokens with "a glass of water" as one unknown object."""
    joined: list[Token] = []
    for token in line:
        if (
            len(joined) > 1
            and joined[-1].tag is Tag.OF
            and joined[-2].tag is Tag.OBJECT
            and not joined[-2].known
            and token.tag is Tag.UNKNOWN
            and _is_noun(token.text)
        ):
            holder = joined[-2]
            joined[-2:] = [
                replace(
                    holder,
                    value=f"{holder.value} of {token.text}",
                    text=f"{holder.text} of {token.text}",
                    written=f"{holder.written} of {token.written}",
                )
            ]
        else:
            joined.append(token)
    return joined


def _is_noun(word: str) -> bool:
    """Whether an unknown word may be the noun in a compound."""
    return len(word) > 2 and not _describes(word) and not word.endswith("ly")


def _fruit(line: list[Token]) -> list[Token]:
    """The tokens with a colour that nothing follows as the fruit or flower of that name: "an orange on a plate"."""
    for k in range(1, len(line)):
        token, before = line[k], line[k - 1]
        ends = k + 1 == len(line) or line[k + 1].tag in _AFTER_FRUIT
        counted = before.tag is Tag.NUMBER or (before.tag is Tag.DETERMINER and before.text in ("a", "an"))
        twice = before.tag is Tag.COLOUR and k > 1  # "a red orange"
        if (
            token.tag is Tag.COLOUR
            and ends
            and (counted or twice)
            and (k < 2 or line[k - 2].tag is not Tag.ON)
        ):
            name = singular(token.text)
            if name in _FRUIT:
                line[k] = Token(Tag.OBJECT, name, token.text, known=False)
    return line


def _name(line: list[Token], start: int, end: int, any_object: bool) -> int:
    """Make one object of the last one or two words from `start` up to `end`; returns the index after it."""
    words = line[max(start, end - 2) : end]
    if len(words) == 2 and _describes(words[0].text) and not any_object:
        line[end - 2] = replace(words[0], tag=Tag.LOOK, known=False)
        words = words[1:]
    text = " ".join(word.text for word in words)
    name = singular(text)
    line[end - len(words) : end] = [Token(Tag.OBJECT, name, text, known=False, plural=name != text)]
    return end - len(words) + 1


def _is_thing(
    line: Sequence[Token], start: int, end: int, any_object: bool, listed: bool, alone: bool
) -> bool:
    """Whether the unknown words from `start` up to `end` name something to draw. `listed`: the sentence has a style, a
    colour or a background, so that a word beside them may be an object."""
    follows = line[end] if end < len(line) else None
    word = line[end - 1].text
    if follows and follows.tag in _NO_THING_BEFORE:
        return False
    if follows and follows.tag is Tag.NOT_DRAWN and _of_business(follows):
        return False
    if follows and follows.text in PICTURES and end + 1 < len(line) and line[end + 1].tag in _SHOWS:
        return False  # "a classroom poster with four pencils"
    back = start - 1
    while back >= 0 and (line[back].tag in _DESCRIBING or line[back].tag is Tag.ALL):
        back -= 1
    before = line[back] if back >= 0 else None
    counted = before is not None and before.tag in (Tag.DETERMINER, Tag.NUMBER)
    if _is_verb(word) or len(word) < 3 or (word.endswith("ly") and not counted):
        return False
    if before is None:
        return _begins_sentence(line, end, any_object or listed, alone)
    if line[start - 1].tag is Tag.COLOUR and before.tag in (Tag.AND, Tag.COMMA):
        return True
    if before.tag is Tag.DETERMINER:
        return before.text not in _DEFINITE or (follows is not None and follows.tag in _AFTER_SUBJECT)
    if before.tag is Tag.NUMBER:
        return True
    earlier = line[back - 1] if back > 0 else None
    if before.tag is Tag.AND:
        return earlier is not None and earlier.tag is Tag.OBJECT
    if before.tag is Tag.OF:
        return earlier is not None and (
            earlier.text in PICTURES or (_is_plural(word) and earlier.tag in (Tag.OBJECT, Tag.ADJECTIVE))
        )
    if before.tag in _BEFORE_SEVERAL:
        return _is_plural(word)
    return before.tag is Tag.COMMA and any_object and (follows is None or follows.tag in _AFTER_LISTED)


def _begins_sentence(line: Sequence[Token], end: int, list_item: bool, alone: bool) -> bool:
    """Whether unknown words that begin a sentence and stop at `end` name something: "walrus on ice", "walrus, flat
    style". `list_item`: a word before a comma or "and" may be an object."""
    if end == len(line):
        return alone or (len(line) > 1 and list_item)
    follows = line[end].tag
    return follows in _AFTER_FIRST_WORD or (list_item and follows in (Tag.COMMA, Tag.AND))


def _of_business(word: Token) -> bool:
    """Whether "walrus" before the word only says what the business is about, as in "walrus club"."""
    return word.text not in PICTURES and not is_position(word) and word.text in _NOT_DRAWN


def _describes(word: str) -> bool:
    return _is_verb(word) or word.endswith(_ADJECTIVE_ENDINGS)


def _is_verb(word: str) -> bool:
    return (
        word in _VERBS
        or tells_nothing(word)
        or (len(word) > 4 and word.endswith(("ing", "ed")) and word not in ("king", "ring", "bed"))
    )


def _is_plural(word: str) -> bool:
    return singular(word) != word
