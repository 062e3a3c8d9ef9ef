"""A run as the store has it, gathered for showing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.brief import Reading, Requirement
from pipeline.judging.feedback import Repair
from pipeline.store import Store
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
        """Text, origin, note."""
        said = self.row.record["plan"]["prompt"]
        return said["text"], said["origin"], said.get("note", "")

    def alt(self, brief: str) -> str:
        """What the picture is, for who cannot see it."""
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
    texts: dict[str, str] = field(default_factory=dict)  # requirement id → words
    status: str = ""  # as a page says it, see `standing`

    @property
    def wants(self) -> tuple[Requirement, ...]:
        return self.reading.requirements if self.reading else ()

    @property
    def candidates(self) -> list[Shown]:
        return [shown for turn in self.turns for shown in turn.made]

    @property
    def best(self) -> Shown | None:
        return next((shown for shown in self.candidates if shown.row.id == self.row.best), None)

    @property
    def picture(self) -> Path | None:
        """The accepted picture, or the best one there is."""
        return self.best.path if self.best else None


def view(store: Store, id: str) -> RunView | None:
    """Everything about a run; None where the store has none of that id (yet)."""
    row = store.runs.get(id)
    if row is None:
        return None
    folder = store.out / row.folder
    checks: dict[str, list[CheckRow]] = {}
    for check in store.runs.checks(id):
        checks.setdefault(check.candidate, []).append(check)
    reading = Reading(**row.reading) if row.reading else None
    order = ["intact", *(want.id for want in reading.requirements)] if reading else []
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
    status = standing(row, job.state if job else None)
    return RunView(row, folder, reading, turns, texts | {"intact": "a picture at all"}, status)


def standing(row: RunRow, job: str | None) -> str:
    """How a run stands, in the words of its job where it has no outcome of its own: paused, waiting, cancelled."""
    if row.status == STOPPED:
        return job if job in ("cancelled", "paused", "queued", "failed") else row.status
    # A brief of its own that was cancelled while it was painted has an outcome, with the best picture so far.
    return (
        "cancelled" if row.status == "exhausted" and job == "cancelled" and row.job == row.id else row.status
    )
