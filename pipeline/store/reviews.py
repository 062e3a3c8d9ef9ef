"""Decisions of people on candidates: an append-only log. Each addition settles the outcome of its run anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Engine, func, select

from pipeline.brief import Record
from pipeline.errors import StoreError
from pipeline.store.engine import reading, writing
from pipeline.store.outcomes import latest, settle, standing
from pipeline.store.rows import chunks
from pipeline.store.tables import ReviewRow, RunRow

Decision = Literal["approve", "reject", "skip", "rerun", "undo"]
# Why a person was asked; "overruled": nobody asked them.
Why = Literal["unsure", "unchecked", "degraded", "audit", "overruled"]
Because = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Review(Record):
    """One decision of one person. `undo` takes back that person's last one on the same candidate.

    `decision` is about the whole picture and alone counts for the outcome of the run. `requirements` may differ from
    it: a person can approve a picture that lacks something."""

    run: str
    candidate: str
    who: str
    decision: Decision
    why: Why = "unsure"
    requirements: dict[str, Literal["pass", "fail"]] = Field(default_factory=dict)  # by requirement id
    reasons: dict[str, Because] = Field(default_factory=dict)  # of those that fail, by requirement id
    reason: str = ""  # for the whole picture
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @model_validator(mode="after")
    def _reasons_have_their_requirement(self) -> Review:
        for id in self.reasons:
            if self.requirements.get(id) != "fail":
                raise ValueError(
                    f"a reason is given for {id!r}, which is not marked as fail; mark it, or leave it out"
                )
        return self


class Settled(NamedTuple):
    """A run with its outcome, and the decisions on it that stand."""

    run: RunRow
    standing: list[Review]


class Reviews:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, review: Review) -> None:
        """Add a decision and settle the outcome of its run. Raises StoreError if there is no such run."""
        with self.settling(review.run, review):
            pass

    @contextmanager
    def settling(self, run: str, review: Review | None = None) -> Iterator[Settled]:
        """Lock a run, add a decision on it if one is given, and settle its outcome. The transaction is committed at the
        end of the block: if the block fails, nothing was decided. Raises StoreError if there is no such run."""
        with writing(self._engine) as session:
            # The lock first: an insertion locks its run too, and two reviewers would wait for each other.
            row = session.get(RunRow, run, with_for_update=True)
            if row is None:
                raise StoreError(f"there is no run {run[:64]!r}; it may belong to another output folder")
            if review is not None:
                session.add(
                    ReviewRow(
                        at=review.at, who=review.who, run=run, candidate=review.candidate,
                        decision=review.decision, record=review.model_dump(mode="json"),
                    )
                )  # fmt: skip
            log = list(session.scalars(_log_of(run)))
            settle(row, log)
            session.flush()
            yield Settled(row, [Review(**one.record) for one in standing(log)])

    def log(self, run: str | None = None, who: str | None = None) -> list[Review]:
        """Every decision, in order: all of them, or those on a run or of a person."""
        asked: list[Any] = []
        if run is not None:
            asked.append(ReviewRow.run == run)
        if who is not None:
            asked.append(ReviewRow.who == who)
        with reading(self._engine) as session:
            rows = session.scalars(select(ReviewRow).where(*asked).order_by(ReviewRow.id))
            return [Review(**row.record) for row in rows]

    def latest(self, runs: Sequence[str]) -> list[Review]:
        """The latest decision of each person on each candidate of these runs, without those that were taken back."""
        return latest(self._of(runs))

    def standing(self, runs: Sequence[str]) -> dict[str, list[Review]]:
        """The approvals and rejections that stand, by run, in the order in which they were made."""
        found: dict[str, list[Review]] = {}
        for review in standing(self._of(runs)):
            found.setdefault(review.run, []).append(review)
        return found

    def newest(self, runs: Sequence[str]) -> datetime | None:
        """When the newest decision on these runs was made, an undo included; None if there is none."""
        with reading(self._engine) as session:
            times = [
                session.scalar(select(func.max(ReviewRow.at)).where(ReviewRow.run.in_(some)))
                for some in chunks(runs)
            ]
        return max((time for time in times if time is not None), default=None)

    def _of(self, runs: Sequence[str]) -> list[Review]:
        with reading(self._engine) as session:
            return [
                Review(**row.record)
                for some in chunks(runs)
                for row in session.scalars(
                    select(ReviewRow).where(ReviewRow.run.in_(some)).order_by(ReviewRow.id)
                )
            ]


def _log_of(run: str) -> Any:
    return select(ReviewRow).where(ReviewRow.run == run).order_by(ReviewRow.id)
