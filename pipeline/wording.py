"""A requirement in plain words, as a person reads it."""

from __future__ import annotations

from pipeline.brief import Requirement
from pipeline.lexicon import plural

_NUMBERS = [
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
]
_PLACES = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_BARE = frozenset(
    ("glasses", "grapes", "scissors", "cherries", "broccoli", "bread", "fire", "cheese", "people", "text")
)
_PLURAL_ONLY = frozenset(("glasses", "grapes", "scissors", "cherries"))


def with_article(name: str) -> str:
    if name in _BARE:
        return name
    return ("an " if name[:1] in "aeiou" and not name.startswith(("uni", "one", "eu")) else "a ") + name


def worded(want: Requirement, many: bool = False) -> Requirement:
    """The requirement with its `text` written; `many`: there are several of its subject."""
    s, v = want.subject, want.value
    text = v
    if want.kind == "object":
        text = with_article(s)
    elif want.kind == "count":
        n = int(v)
        text = f"{_NUMBERS[n] if n < len(_NUMBERS) else n} {s if n == 1 else plural(s)}"
        text = f"exactly {text}" if n == 1 else text
    elif want.kind == "attribute":
        they = many or s in _PLURAL_ONLY
        text = f"the {plural(s) if many else s} {'are' if they else 'is'} {v}"
    elif want.kind == "relation":
        text = f"the {s} is {_PLACES.get(v, v)} the {want.other}"
    elif want.kind == "background":
        text = f"the background is {v}"
    elif want.kind == "style":
        text = f"{v} style"
    elif want.kind == "absence":
        text = f"no {s}"
    elif want.kind == "technical":
        text = _technical(s, v)
    return want.model_copy(update={"text": text})


def _technical(subject: str, value: str) -> str:
    if subject == "contrast":
        return f"{value} contrast"
    if subject == "palette":
        return f"mostly {value}"
    if "x" in value and value.replace("x", "").isdigit():
        return f"{value.replace('x', ' × ')} pixels"
    number, _, side = value.partition(" ")
    return f"{number} pixels {side}" if number.isdigit() else f"{value} format"
