"""The events that the loop yields: Started (a brief was read), Attempt (one turn), Outcome (a brief ended)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.brief import Brief, Reading, Record
from pipeline.calls.record import Call, Paid
from pipeline.judging.feedback import Repair
from pipeline.judging.verdict import Verdict
from pipeline.painting.image import Candidate

Status = Literal["accepted", "needs_review", "exhausted", "failed"]


class Started(Record):
    """A brief was read. `brief`: its position in the list of briefs, as in all events."""

    brief: int
    given: Brief
    reading: Reading
    calls: tuple[Call, ...] = ()


class Attempt(Record):
    """One turn of the loop for one brief.

    `change`: the repair that led to it; `next`: the repair that follows, None if the brief ends."""

    brief: int
    number: int
    change: Repair
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    calls: tuple[Call, ...]
    next: Repair | None = None

    @property
    def painted(self) -> int:
        """Images that were painted, not taken from kept results."""
        return sum(call.painted for call in self.calls)

    @property
    def degraded(self) -> tuple[str, ...]:
        """Each use of a fallback in this attempt, and why."""
        return degraded_in(self.candidates, self.verdicts)


def degraded_in(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Each use of a fallback that these records name, and why, without duplicates."""
    reasons = [c.plan.prompt.degraded for c in candidates]
    reasons += [*(c.degraded for c in candidates), *(v.degraded for v in verdicts)]
    return tuple(dict.fromkeys(text for text in reasons if text))


class Outcome(Record):
    """How a brief ended, with its best candidate (not the last one) and what it used in all, kept answers included.
    `seconds`: by the clock, from the reading on. `paid`: see docs/architecture.md; None until the run is recorded."""

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
    measured: bool = False  # whether the joules were measured; else they are estimated
    money: float = 0.0
    degraded: tuple[str, ...] = ()
    paid: Paid | None = None

    @property
    def kept(self) -> Paid:
        """What kept answers took when they were made, without its seconds."""
        paid = self.paid or Paid()
        return Paid(
            images=self.images - paid.images, tokens=self.tokens - paid.tokens,
            joules=max(0.0, self.joules - paid.joules), money=max(0.0, self.money - paid.money),
        )  # fmt: skip


Event = Started | Attempt | Outcome
