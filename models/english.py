"""English for requirements: articles, plurals, noun phrases, and the statements that scorers judge.

The bundled scorer is trained on these statements, and the pipeline has every scorer judge them. What they say about the
bundled range must not change while it is not trained anew; a test holds their words.
"""

from __future__ import annotations

import re
from functools import lru_cache

NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
RELATIONS: dict[str, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}
OPPOSITE: dict[str, str] = {"left": "right", "right": "left", "above": "below", "below": "above"}

STYLES = ("flat", "cartoon", "photo", "sketch", "watercolour")  # looks that a judge tells apart

PLURAL_ONLY = frozenset(("glasses", "grapes", "scissors", "cherries"))  # "a glasses" is wrong
# By singular. Regular ones are here too where the rules would make another singular of them.
IRREGULAR_PLURALS = {
    **{
        word: word
        for word in (
            *PLURAL_ONLY,
            "clothes",
            "fish",
            "jeans",
            "people",
            "sheep",
            "stairs",
            "trousers",
        )
    },
    "bus": "buses",
    "cactus": "cacti",
    "canoe": "canoes",
    "child": "children",
    "fireman": "firemen",
    "fisherman": "fishermen",
    "foot": "feet",
    "goose": "geese",
    "kiwi": "kiwis",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "policeman": "policemen",
    "potato": "potatoes",
    "shelf": "shelves",
    "shoe": "shoes",
    "ski": "skis",
    "snowman": "snowmen",
    "taxi": "taxis",
    "tomato": "tomatoes",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
# By plural. A lens would otherwise become a "len".
_SINGULARS: dict[str, str] = {many: one for one, many in IRREGULAR_PLURALS.items()} | {
    "lens": "lens",
    "skis": "skis",
}
_TRAINED_SINGULARS = {"children": "child", "men": "man", "women": "woman", "feet": "foot", "leaves": "leaf"}
_TRAINED_UNCHANGED = frozenset(("clothes", "sunglasses", "jeans"))


# Things that come in pairs: "a pair of jeans", "two pairs of jeans".
PAIRS = frozenset(
    ("binoculars", "glasses", "goggles", "headphones", "jeans", "pliers", "pyjamas", "scissors", "shears", "shorts",
     "sunglasses", "tights", "tongs", "trousers", "tweezers")
)  # fmt: skip
_MANY = frozenset(("clothes", "people", "police", "stairs"))  # with "are", without an article
_MASS = frozenset(
    ("air", "clothing", "dust", "fog", "food", "furniture", "grass", "gravel", "hair", "ice", "light", "lightning",
     "luggage", "mist", "moss", "mud", "music", "rain", "rice", "sand", "smoke", "snow", "steam", "text", "traffic",
     "water", "writing")
)  # fmt: skip
# Vowels that sound like a consonant ("a unicorn", "a one-way sign"), and the opposite ("an hour", "an LED", "an 8").
_SOUNDS_CLOSED = re.compile(
    r"(?:uni(?!n|m)|eu|ewe|one\b|once\b|us[aeu]|ufo|usb|utensil|ukulele|uran|utopi)", re.IGNORECASE
)
_SOUNDS_OPEN = re.compile(r"(?:[aeiou]|hour|heir|honest|honou?r|8|11\b|18\b)", re.IGNORECASE)
_LETTERS = re.compile(r"[AEFHILMNORSX](?:[A-Z0-9]{1,2}s?\b|-)")  # read one by one: "an SUV", "an X-ray"
# After these a noun has words that stay as they are: "glasses of water", "men in a hat".
_AFTER_HEAD = re.compile(r" (?:of|in|on|at|from|for|without) ")


def article(words: str) -> str:
    """The words with their article: "an apple", "a cat", "an hourglass", "a unicorn"."""
    if _LETTERS.match(words):
        return "an " + words
    return ("an " if _SOUNDS_OPEN.match(words) and not _SOUNDS_CLOSED.match(words) else "a ") + words


def plural(noun: str) -> str:
    """The plural of a noun, which may be several words: "polar bears", "cups with straws", "glasses of water"."""
    if " with " in noun:
        head, _, rest = noun.partition(" with ")
        return f"{plural(head)} with {plural(rest)}"
    if after := _AFTER_HEAD.search(noun):
        return plural(noun[: after.start()]) + noun[after.start() :]
    head, _, last = noun.rpartition(" ")
    if last in IRREGULAR_PLURALS:
        return f"{head} {IRREGULAR_PLURALS[last]}".strip()
    if last in PAIRS or last in _MANY or last in _MASS:
        return noun
    return f"{head} {_plural_of_word(last)}".strip()


@lru_cache(maxsize=4096)
def _plural_of_word(word: str) -> str:
    """By spelling; where that is often wrong ("mans", "leafs"), by lemminflect's word list, which takes 0.2 s to
    load."""
    if word == "person":
        return "people"
    if re.search(r"(?:man|fe?|[^aeiou]o|us|is|ouse|deer)$", word):
        from lemminflect import getInflection

        # A word that is not in its list gets the spelling below.
        if known := getInflection(word, "NNS", inflect_oov=False):
            return str(known[0])
        if word.endswith("man"):
            return word[:-3] + "men"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def singular(word: str) -> str:
    """The singular of a noun, which may be several words; what ends in ss, us or is stays as it is."""
    if after := _AFTER_HEAD.search(word):
        return singular(word[: after.start()]) + word[after.start() :]
    head, _, last = word.rpartition(" ")
    prefix = head + " " if head else ""
    if last in _SINGULARS:
        return prefix + _SINGULARS[last]
    if last.endswith("ies") and len(last) > 4:
        return prefix + last[:-3] + "y"
    if last.endswith(("sses", "shes", "ches", "xes", "oes")):
        return prefix + last[:-2]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")) and len(last) > 3:
        return prefix + last[:-1]
    return word


def singular_as_trained(words: str) -> str:
    """The phrase with its last word in the singular, by the rules that the bundled reader was trained with.

    These rules have errors ("buse" for "buses") that `singular` has not. They must not change
    while the reader is not trained anew: it writes the singulars that it was trained on.
    """
    head, _, last = words.rpartition(" ")
    if last in _TRAINED_SINGULARS:
        last = _TRAINED_SINGULARS[last]
    elif last.endswith("ies") and len(last) > 4:
        last = last[:-3] + "y"
    elif last.endswith(("xes", "shes", "ches")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss") and last not in _TRAINED_UNCHANGED:
        last = last[:-1]
    return f"{head} {last}".strip()


def is_plural(noun: str) -> bool:
    """Whether a noun takes "are" even for one of it: "scissors", "people"."""
    return noun.rpartition(" ")[2] in PLURAL_ONLY | PAIRS | _MANY


def number(count: int) -> str:
    """The number in words up to twelve, else in digits."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def phrase(noun: str, count: int = 1, look: str | None = None, counted: bool = False) -> str:
    """The noun phrase: "a cat", "three blue cats", "a teapot full of tea". `look`: a colour or other attribute;
    `counted`: "one cat" instead of "a cat"."""
    before, after = _placed(look or "")
    if count > 1 and _is_pair(noun):
        return f"{number(count)} pairs of {before}{noun}{after}"
    if count > 1:
        return f"{number(count)} {before}{plural(noun)}{after}"
    if _is_pair(noun):
        return f"{'one' if counted else 'a'} pair of {before}{noun}{after}"
    if counted:
        return f"one {before}{noun}{after}"
    last = noun.rpartition(" ")[2]
    bare = noun in PLURAL_ONLY or last in _MANY | _MASS
    return f"{before}{noun}{after}" if bare else article(before + noun) + after


def _is_pair(noun: str) -> bool:
    """Whether it is counted in pairs. What the bundled scorer was trained on is not: "one scissors"."""
    return noun.rpartition(" ")[2] in PAIRS - PLURAL_ONLY


def counted(noun: str, count: int) -> str:
    """So many of a thing, in pairs where it has them: "two pairs of scissors"."""
    if noun.rpartition(" ")[2] in PAIRS:
        return f"{number(count)} {'pair' if count == 1 else 'pairs'} of {noun}"
    return phrase(noun, count, counted=True)


def there_is(noun: str) -> str:
    """The sentence that a thing is there: "There is a cat.", "There are people.", "There is a pair of scissors."."""
    pair = noun.rpartition(" ")[2] in PAIRS
    are = "are" if is_plural(noun) and not pair else "is"
    return f"There {are} {'a pair of ' + noun if pair else phrase(noun)}."


_AFTER_NOUN = re.compile(r"(?:\w+ing \w|.*\b(?:of|in|on|at|with|without|from|for|to|by|like|as)\b)")


def _placed(look: str) -> tuple[str, str]:
    """An attribute as the words before a noun, or behind it: "red cat", "cat wearing a hat", "teapot full of tea"."""
    if not look:
        return "", ""
    return ("", f" {look}") if _AFTER_NOUN.match(look) else (f"{look} ", "")


def related(a: str, where: str, b: str) -> str:
    """The relation of two noun phrases in words: "a cat to the left of a dog"."""
    return f"{a} {RELATIONS.get(where, where)} {b}"


def statement(kind: str, subject: str = "", value: str = "", other: str = "") -> str | None:
    """The sentence that is true of an image which meets a requirement; None for kinds that no scorer judges."""
    if kind in ("object", "absence"):
        return f"a picture of {phrase(subject)}"
    if kind == "count":
        return f"a picture of {phrase(subject, int(value), counted=True)}"
    if kind == "attribute":
        return f"a picture of {phrase(subject, look=value)}"
    if kind == "relation":
        return f"a picture of {related(phrase(subject), value, phrase(other))}"
    if kind == "background":
        return f"a picture with {article(value)} background"
    if kind == "style":
        return f"a picture in {value} style"
    return None
