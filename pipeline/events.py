"""What the loop yields: a brief was read, an attempt was made, a brief ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.brief import Brief, Reading, Record
from pipeline.calls.record import Call
from pipeline.judging.feedback import Repair
from pipeline.judging.verdict import Verdict
from pipeline.painting.image import Candidate

Status = Literal["accepted", "needs_review", "exhausted", "failed"]


class Started(Record):
    """A brief has been read. `brief` is its position in the list."""

    brief: int
    given: Brief
    reading: Reading
    calls: tuple[Call, ...] = ()


class Attempt(Record):
    """One turn of the loop for one brief: what it changed, what it made, what comes next (None: it stops)."""

    brief: int
    number: int
    change: Repair
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    calls: tuple[Call, ...]
    next: Repair | None = None

    @property
    def degraded(self) -> tuple[str, ...]:
        """Where another model than the first of a stage answered, and why."""
        return degraded_in(self.candidates, self.verdicts)


def degraded_in(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    said = [c.plan.prompt.degraded for c in candidates]
    said += [*(c.degraded for c in candidates), *(v.degraded for v in verdicts)]
    return tuple(dict.fromkeys(text for text in said if text))


class Outcome(Record):
    """How a brief ended, with the best candidate, not the last."""

    brief: int
    status: Status
    reason: str
    best: Candidate | None = None
    verdict: Verdict | None = None
    images: int = 0
    seconds: float = 0.0
    tokens: int = 0
    image_steps: int = 0
    joules: float = 0.0
    measured: bool = False  # the joules; else they are estimated
    money: float = 0.0
    degraded: tuple[str, ...] = ()


Event = Started | Attempt | Outcome
