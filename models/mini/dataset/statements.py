"""Sentences for facts: the statement that the scorer is asked, and other wordings that it is trained on."""

from __future__ import annotations

import numpy as np

from models.english import OPPOSITE, article, phrase, related
from models.english import statement as worded
from models.mini.dataset.scene import Fact
from models.mini.dataset.vocabulary import BY_NAME, COUNTS

_LEADS = ("a picture of", "a picture of", "a photo of", "an image of", "a drawing of", "there is", "")
_SIDES = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}


def statement(fact: Fact) -> str:
    """The statement that the pipeline asks about. The thresholds in judge.json were measured with these."""
    said = worded(fact.kind, fact.subject, fact.value, fact.other)
    assert said is not None  # every kind of fact has one
    return said


def wording(fact: Fact, rng: np.random.Generator) -> str:
    """The statement, or half of the time the same fact in other words."""
    if rng.random() < 0.5:
        return statement(fact)
    options = _others(fact)
    text = options[int(rng.integers(len(options)))]
    if fact.kind in ("object", "count", "attribute", "relation"):
        text = f"{_LEADS[int(rng.integers(len(_LEADS)))]} {text}"
    return text.strip()


def _others(fact: Fact) -> tuple[str, ...]:
    match fact.kind:
        case "object":
            name, plural = fact.subject, BY_NAME[fact.subject].plural
            return phrase(name), name, plural, f"the {name}", f"{phrase(name)} in the picture"
        case "count":
            n, thing = int(fact.value), BY_NAME[fact.subject]
            noun = thing.name if n == 1 else thing.plural
            number = COUNTS[n]
            return f"{number} {noun}", f"{n} {noun}", f"exactly {number} {noun}", f"exactly {n} {noun}"
        case "attribute":
            name, plural, colour = fact.subject, BY_NAME[fact.subject].plural, fact.value
            return (
                phrase(name, look=colour),
                f"{colour} {name}",
                f"{colour} {plural}",
                f"the {name} is {colour}",
                f"{phrase(name)} in {colour}",
            )
        case "relation":
            a, b, where = fact.subject, fact.other, fact.value
            return (
                related(phrase(a), where, phrase(b)),
                related(a, where, b),
                related(f"the {a}", where, f"the {b}"),
                f"{phrase(a)} {_SIDES[where]} and {phrase(b)} {_SIDES[OPPOSITE[where]]}",
            )
        case "background":
            colour = fact.value
            return (
                f"{colour} background",
                f"{article(colour)} background",
                f"on {article(colour)} background",
                f"the background is {colour}",
                f"on {colour}",
            )
        case "absence":
            return (f"no {BY_NAME[fact.subject].plural}",)
        case "style":
            look = fact.value
            return f"{look} style", f"in {look} style", f"{article(look)} picture", f"the style is {look}"
