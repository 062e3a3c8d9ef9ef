"""A run with all that a page shows of it, read from the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.brief import Reading, Requirement
from pipeline.judging.feedback import Repair
from pipeline.judging.verdict import ALWAYS, INTACT, NOTHING_ELSE
from pipeline.store import Store
from pipeline.store.reviews import Review
from pipeline.store.runs import STOPPED
from pipeline.store.tables import CandidateRow, CheckRow, RunRow


@dataclass(frozen=True)
class Shown:
    """One candidate with its checks."""

    row: CandidateRow
    checks: tuple[CheckRow, ...]
    path: Path  # its PNG in the run folder

    @property
    def prompt(self) -> tuple[str, str, str]:
        """Text, origin, and a note, which says what the seed chose too."""
        said = self.row.record["plan"]["prompt"]
        chosen = said.get("chosen", "").removeprefix(", ")
        notes = [f"the seed chose: {chosen}"] if chosen else []
        return said["text"], said["origin"], "; ".join(filter(None, [said.get("note", ""), *notes]))

    def alt(self, brief: str) -> str:
        """The alternative text of the picture."""
        failed = [c.requirement for c in self.checks if c.outcome == "fail"]
        return f"Candidate {self.row.id} for “{brief[:120]}”, gate: {self.row.gate}" + (
            f", {len(failed)} checks failed" if failed else ""
        )


@dataclass(frozen=True)
class Turn:
    number: int
    change: Repair
    next: Repair | None
    made: tuple[Shown, ...]


@dataclass(frozen=True)
class RunView:
    row: RunRow
    folder: Path
    reading: Reading | None
    turns: tuple[Turn, ...]
    texts: dict[str, str] = field(default_factory=dict)  # requirement id → text
    status: str = ""  # as shown on the page, see `shown_status`
    reviews: tuple[Review, ...] = ()  # the decisions of people that stand

    @property
    def wants(self) -> tuple[Requirement, ...]:
        return self.reading.requirements if self.reading else ()

    def reviews_of(self, candidate: str) -> tuple[Review, ...]:
        """The decisions on a candidate that stand."""
        return tuple(review for review in self.reviews if review.candidate == candidate)

    @property
    def candidates(self) -> list[Shown]:
        return [shown for turn in self.turns for shown in turn.made]

    @property
    def best(self) -> Shown | None:
        return next((shown for shown in self.candidates if shown.row.id == self.row.best), None)

    @property
    def picture(self) -> Path | None:
        """The accepted picture, or the best one."""
        return self.best.path if self.best else None


def view(store: Store, id: str) -> RunView | None:
    """A run by its id; None if the store has none (yet)."""
    row = store.runs.get(id)
    if row is None:
        return None
    folder = store.out / row.folder
    checks: dict[str, list[CheckRow]] = {}
    for check in store.runs.checks(id):
        checks.setdefault(check.candidate, []).append(check)
    reading = Reading(**row.reading) if row.reading else None
    order = [INTACT, *(want.id for want in reading.requirements), NOTHING_ELSE] if reading else []
    made: dict[int, list[Shown]] = {}
    for candidate in store.runs.candidates(id):
        mine = sorted(
            checks.get(candidate.id, ()),
            key=lambda c: order.index(c.requirement) if c.requirement in order else len(order),
        )
        path = folder / "attempts" / f"{candidate.id}.png"
        made.setdefault(candidate.attempt, []).append(Shown(candidate, tuple(mine), path))
    turns = tuple(
        Turn(
            attempt.number, Repair(**attempt.record["change"]),
            Repair(**attempt.record["next"]) if attempt.record.get("next") else None,
            tuple(made.get(attempt.number, ())),
        )
        for attempt in store.runs.attempts(id)
    )  # fmt: skip
    texts = {want.id: want.text for want in reading.requirements} if reading else {}
    job = store.jobs.get(row.job) if row.job else None
    status = shown_status(row, job.state if job else None)
    reviews = tuple(store.reviews.standing([id]).get(id, ()))
    return RunView(row, folder, reading, turns, texts | ALWAYS, status, reviews)


def shown_status(row: RunRow, job: str | None) -> str:
    """The status of a run as shown on the page. A stopped run shows the state of its job instead."""
    if row.status == STOPPED:
        return job if job in ("cancelled", "paused", "queued", "failed") else row.status
    # A job for one brief that was cancelled while painting has an outcome: the best picture so far.
    return (
        "cancelled" if row.status == "exhausted" and job == "cancelled" and row.job == row.id else row.status
    )
