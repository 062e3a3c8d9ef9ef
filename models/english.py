"""English for requirements: plurals, noun phrases, and the statements that scorers judge.

The bundled scorer is trained on these statements, and the pipeline has every scorer judge them.
"""

from __future__ import annotations

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


def article(words: str) -> str:
    """The words with their article: "an apple", "a cat"."""
    return ("an " if words[:1].lower() in "aeiou" else "a ") + words


def plural(noun: str) -> str:
    """The plural of a noun, which may be several words: "polar bears", "cups with straws"."""
    if " with " in noun:
        head, _, rest = noun.partition(" with ")
        return f"{plural(head)} with {plural(rest)}"
    head, _, last = noun.rpartition(" ")
    if last in IRREGULAR_PLURALS:
        return f"{head} {IRREGULAR_PLURALS[last]}".strip()
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def singular(word: str) -> str:
    """The singular of a noun, which may be several words; what ends in ss, us or is stays as it is."""
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
    """Whether a noun takes "are" even for one of it: "scissors"."""
    return noun.rpartition(" ")[2] in PLURAL_ONLY


def number(count: int) -> str:
    """The number in words up to twelve, else in digits."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def phrase(noun: str, count: int = 1, colour: str | None = None, counted: bool = False) -> str:
    """The noun phrase: "a cat", "three blue cats". `counted`: "one cat" instead of "a cat"."""
    words = f"{colour} " if colour else ""
    if count > 1:
        return f"{number(count)} {words}{plural(noun)}"
    if noun in PLURAL_ONLY:
        return f"one {words}{noun}" if counted else words + noun
    return f"one {words}{noun}" if counted else article(words + noun)


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
        return f"a picture of {phrase(subject, colour=value)}"
    if kind == "relation":
        return f"a picture of {related(phrase(subject), value, phrase(other))}"
    if kind == "background":
        return f"a picture with {article(value)} background"
    if kind == "style":
        return f"a picture in {value} style"
    return None
