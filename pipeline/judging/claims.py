"""Requirement → what a vision-language model is asked: a statement about the picture and its negation.

A model that says yes to both, or no to both, does not know: the answer is then one half.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.english import RELATIONS, counted, is_plural, number, plural, there_is
from pipeline.brief import Requirement

MOST_COUNTED = 4  # things; nobody but a detector is asked about more of them
_ASKED = "Is this statement true of the picture? “{}”"


def claims(r: Requirement, many: bool = False) -> tuple[str, str] | None:
    """Two questions: whether a requirement is met, and whether it is not. None where a model cannot tell. For an
    absence the first asks whether the thing is there. `many`: the picture must show several of the subject."""
    sentences = _sentences(r, many)
    return (_ASKED.format(sentences[0]), _ASKED.format(sentences[1])) if sentences else None


def nothing_else(requirements: Sequence[Requirement]) -> tuple[str, str]:
    """The questions whether a picture shows nothing but what was asked for, and whether it shows more."""
    wanted = "; ".join(r.text for r in requirements if r.kind != "technical")
    return (
        _ASKED.format(f"Every prominent thing in it belongs to this description: {wanted}."),
        _ASKED.format(f"A prominent thing in it does not belong to this description: {wanted}."),
    )


def _sentences(r: Requirement, many: bool) -> tuple[str, str] | None:
    """The statement and its negation."""
    are = "are" if many or is_plural(r.subject) else "is"
    the = f"The {plural(r.subject) if many else r.subject}"
    match r.kind:
        case "object" | "absence":
            return there_is(r.subject), f"There {are} no {r.subject}."
        case "count":
            return _counted(r.subject, int(r.value))
        case "attribute" | "action":
            return f"{the} {are} {r.value}.", f"{the} {are} not {r.value}."
        case "relation":
            where = f"{RELATIONS.get(r.value, r.value)} the {r.other}"
            return f"{the} {are} {where}.", f"{the} {are} not {where}."
        case "background":
            return f"The background is {r.value}.", f"The background is not {r.value}."
        case "style":
            return f"The picture is in {r.value} style.", f"The picture is not in {r.value} style."
        case "setting":
            return f"It shows this setting: {r.value}.", f"It does not show this setting: {r.value}."
        case "text":
            return f"“{r.value}” is written in it.", f"“{r.value}” is not written in it."
        case "statement":
            return f"This holds: {r.value}.", f"This does not hold: {r.value}."
    return None


def _counted(name: str, count: int) -> tuple[str, str] | None:
    if count > MOST_COUNTED:
        return None
    are = "is" if count == 1 else "are"
    return (
        f"There {are} exactly {counted(name, count)}.",
        f"The number of {plural(name)} is not {number(count)}.",
    )
