"""English for wants: noun phrases, and the statements that scorers judge.

One place for both sides: the bundled scorer is trained on these statements and the pipeline asks them of any
scorer.
"""

from __future__ import annotations

from models.mini.vocabulary import BY_NAME, RELATIONS

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
_UNCOUNTED = {"glasses", "grapes", "cherries", "scissors"}  # plural in form: "a glasses" is wrong


def article(words: str) -> str:
    """ "an apple", "a cat"."""
    return ("an " if words[:1].lower() in "aeiou" else "a ") + words


def plural(noun: str) -> str:
    if noun in BY_NAME:
        return BY_NAME[noun].plural
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def number(count: int) -> str:
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def phrase(noun: str, count: int = 1, colour: str | None = None, counted: bool = False) -> str:
    """ "a cat", "three blue cats"; `counted` says "one" where it would say "a"."""
    words = f"{colour} " if colour else ""
    if count > 1:
        return f"{number(count)} {words}{plural(noun)}"
    if noun in _UNCOUNTED:
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
