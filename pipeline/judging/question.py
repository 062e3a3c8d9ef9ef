"""Requirement → the question for a scorer: a statement, and contrasts: statements of what the image might show
instead."""

from __future__ import annotations

from collections.abc import Container, Sequence

from models.english import OPPOSITE, STYLES, phrase, statement
from models.palette import COLOURS
from models.protocols import Question
from pipeline.brief import Requirement
from pipeline.judging.routes import Judged
from pipeline.range import Range


def checkable(r: Requirement, routed: Container[Judged], known: Range | None) -> bool:
    """Whether the judges can be asked about a requirement. `routed`: the kinds that have a route."""
    if r.flag in ("uncheckable", "outside") or r.kind not in routed:
        return False
    return r.kind != "absence" or known is None or known.tells_absence(r.subject)


def implied(r: Requirement, wanted: Container[str], routed: Container[Judged], known: Range | None) -> bool:
    """Whether a requirement is met by every picture in which all is whole and nothing is there but what was asked for:
    the absence of what no object of the range has, and what is no kin of one of the `wanted` things. Unknown things are
    seen on plain grounds only."""
    if r.kind != "absence" or known is None or r.subject not in known.never or not known.plain_backgrounds:
        return False
    return "intact" in routed and "nothing else" in routed and known.kin.get(r.subject) not in wanted


def question(r: Requirement, known: Range | None = None) -> Question | None:
    """The question about a whole image, or about the crop of one object; None for a kind of requirement that has no
    statement. `known`: the preset's range."""
    claim = statement(r.kind, r.subject, r.value, r.other)
    if claim is None:
        return None

    def others(kind: str, values: Sequence[str]) -> tuple[str, ...]:
        statements = (statement(kind, r.subject, value, r.other) for value in values if value != r.value)
        return tuple(text for text in statements if text)

    contrasts: tuple[str, ...]
    if r.kind in ("object", "absence"):
        contrasts = ("a picture of something else", "an empty picture")
    elif r.kind == "count":
        count = int(r.value)
        contrasts = others("count", [str(n) for n in range(max(1, count - 2), count + 3)])
    elif r.kind == "attribute":
        contrasts = others("attribute", list(COLOURS))
    elif r.kind == "relation":
        contrasts = (
            statement("relation", r.other, r.value, r.subject) or "",
            f"a picture of {phrase(r.subject)}",
        )
        if r.value in OPPOSITE:
            contrasts = (*contrasts, f"a picture of {phrase(r.other)}")
    elif r.kind == "background":
        contrasts = others("background", list(COLOURS))
    else:
        named = (known.styles or ()) if known else ()
        contrasts = others("style", list(dict.fromkeys((*named, *STYLES))))
    return Question(claim, contrasts)
