"""English for requirements: singulars, plurals, noun phrases, and the statements that scorers judge.

One place for both sides: the bundled scorer is trained on these statements and the pipeline asks them of any
scorer.
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
_PLURALS = {
    **{word: word for word in (*PLURAL_ONLY, "fish", "sheep")},
    "broccoli": "broccolis",
    "cactus": "cacti",
    "cup with straw": "cups with straws",
    "knife": "knives",
    "leaf": "leaves",
    "mouse": "mice",
    "snowman": "snowmen",
    "tomato": "tomatoes",
    "wolf": "wolves",
}
_SINGULARS = {"children": "child", "men": "man", "women": "woman", "feet": "foot", "leaves": "leaf"}
_SAME = frozenset(("clothes", "sunglasses", "jeans"))


def article(words: str) -> str:
    """ "an apple", "a cat"."""
    return ("an " if words[:1].lower() in "aeiou" else "a ") + words


def plural(noun: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def singular(words: str) -> str:
    """The phrase with its last word in the singular."""
    head, _, last = words.rpartition(" ")
    if last in _SINGULARS:
        last = _SINGULARS[last]
    elif last.endswith("ies") and len(last) > 4:
        last = last[:-3] + "y"
    elif last.endswith(("xes", "shes", "ches")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss") and last not in _SAME:
        last = last[:-1]
    return f"{head} {last}".strip()


def number(count: int) -> str:
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def phrase(noun: str, count: int = 1, colour: str | None = None, counted: bool = False) -> str:
    """ "a cat", "three blue cats"; `counted` says "one" where it would say "a"."""
    words = f"{colour} " if colour else ""
    if count > 1:
        return f"{number(count)} {words}{plural(noun)}"
    if noun in PLURAL_ONLY:
        return f"one {words}{noun}" if counted else words + noun
    return f"one {words}{noun}" if counted else article(words + noun)


def related(a: str, where: str, b: str) -> str:
    """ "a cat to the left of a dog" from two noun phrases."""
    return f"{a} {RELATIONS.get(where, where)} {b}"


def statement(kind: str, subject: str = "", value: str = "", other: str = "") -> str | None:
    """The sentence that is true of an image which meets the want; None for kinds no scorer is asked about."""
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
