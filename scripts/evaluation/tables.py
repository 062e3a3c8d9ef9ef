"""Figures of the evaluation: shares with their intervals, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from pipeline.comparing import paired
from pipeline.events import Status
from scripts.evaluation.cases import Case


@dataclass
class Result:
    """What became of one brief. `objections`: why each picture does not meet it, by "first", "best" (of several) and
    "loop" (the final one), in the examiner's words; empty where the picture meets it. `shown`: the final picture, or
    the only one. `status` is None if only the image model was asked."""

    case: Case
    objections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shown: Image.Image | None = None
    status: Status | None = None
    images: int = 0
    seconds: float = 0.0
    tokens: int = 0

    def met(self, picture: str = "loop") -> bool:
        return picture in self.objections and not self.objections[picture]

    @property
    def accepted(self) -> bool:
        return self.status == "accepted"

    @property
    def acceptable(self) -> bool:
        """Whether it is known which pictures may be accepted without a person, and there are such."""
        return self.case.closed and not self.case.person

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What is wrong with accepting the final picture, in words."""
        person = tuple(f"needs a person: {words}" for words in self.case.person)
        return (*person, *self.objections.get("loop", ()))

    @property
    def record(self) -> dict[str, Any]:
        """The result as JSON."""
        return {
            "kind": self.case.kind, "text": self.case.text, "held_out": self.case.held_out, "status": self.status,
            "person": self.case.person, "objections": self.objections, "images": self.images,
            "seconds": round(self.seconds, 2), "tokens": self.tokens,
        }  # fmt: skip


def share(part: int, whole: int) -> str:
    """A share with its 95 % Wilson interval, in percent: "97 (94–98)"."""
    found = paired.share(part, whole)
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:.0f} ({100 * found.low:.0f}–{100 * found.high:.0f})"


Count = tuple[int, int]  # how many, of how many
_COUNTS: dict[str, Callable[[Sequence[Result]], Count]] = {
    "accepted": lambda of: (sum(r.accepted for r in of), len(of)),
    "accepted but wrong": lambda of: (
        sum(r.accepted and bool(r.wrongs) for r in of),
        sum(r.accepted for r in of),
    ),
    "met and accepted": lambda of: (
        sum(r.acceptable and r.accepted and r.met() for r in of),
        sum(r.acceptable for r in of),
    ),
    "right but rejected": lambda of: (
        sum(r.acceptable and not r.accepted and r.met() for r in of),
        sum(r.acceptable for r in of),
    ),
    "needs a person": lambda of: (sum(r.status == "needs_review" for r in of), len(of)),
    "first met": lambda of: (
        sum(r.acceptable and r.met("first") for r in of),
        sum(r.acceptable for r in of),
    ),
    "best met": lambda of: (
        sum(r.acceptable and r.met("best") for r in of),
        sum(r.acceptable for r in of),
    ),
    "held out, met": lambda of: (
        sum(r.case.held_out and r.met() for r in of),
        sum(r.case.held_out for r in of),
    ),
    "held out, first met": lambda of: (
        sum(r.case.held_out and r.met("first") for r in of),
        sum(r.case.held_out for r in of),
    ),
}
_MEANS = ("images", "seconds", "tokens")


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one kind of briefs. `counts`: by column, how many of how many; `means`: per brief."""

    kind: str
    briefs: int
    counts: dict[str, Count]
    means: dict[str, float]

    @property
    def record(self) -> dict[str, Any]:
        """The summary as JSON."""
        counts = {
            name: {"count": part, "of": whole, "percent": share(part, whole)}
            for name, (part, whole) in self.counts.items()
        }
        return {"kind": self.kind, "briefs": self.briefs, **counts, **self.means}


def summaries(results: Sequence[Result], groups: dict[str, Sequence[str]]) -> list[Summary]:
    """The figures of every kind, in the order of the results, and of every group of two or more kinds after its last.

    `groups`: name → its kinds. Of results of the image model alone only the first pictures are counted."""
    kinds = list(dict.fromkeys(r.case.kind for r in results))
    rows = [(kind, [kind]) for kind in kinds]
    for name, members in groups.items():
        present = [kind for kind in kinds if kind in members]
        if len(present) > 1:
            last = next(i for i, (_, of) in enumerate(rows) if of == present[-1:])
            rows.insert(last + 1, (name, present))
    columns = _columns(results)
    made = []
    for name, of in rows:
        mine = [r for r in results if r.case.kind in of]
        means = {what: sum(getattr(r, what) for r in mine) / len(mine) for what in _MEANS}
        made.append(Summary(name, len(mine), {column: _COUNTS[column](mine) for column in columns}, means))
    return made


def _columns(results: Sequence[Result]) -> list[str]:
    looped = any(r.status for r in results)
    several = any("best" in r.objections for r in results)
    apart = any(r.case.held_out for r in results)
    if not looped:
        return ["first met", *(["held out, first met"] if apart else [])]
    skipped = {"held out, first met"}
    skipped |= set() if several else {"best met"}
    skipped |= set() if apart else {"held out, met"}
    return [column for column in _COUNTS if column not in skipped]


def markdown(rows: Sequence[Summary]) -> str:
    """The figures as a table: shares in percent, errors as counts too, means of images, seconds and tokens."""
    columns = list(rows[0].counts)
    lines = ["| " + " | ".join(["briefs", "n", *columns, *_MEANS]) + " |"]
    lines.append("| --- " * (2 + len(columns) + len(_MEANS)) + "|")
    for row in rows:
        cells = [_cell(column, *row.counts[column]) for column in columns]
        cells += [f"{row.means[what]:.1f}" for what in _MEANS]
        lines.append("| " + " | ".join([row.kind, str(row.briefs), *cells]) + " |")
    return "\n".join(lines)


def _cell(column: str, part: int, whole: int) -> str:
    if whole and column in ("accepted but wrong", "right but rejected"):
        return f"{part} of {whole}: {share(part, whole)}"
    return share(part, whole)
