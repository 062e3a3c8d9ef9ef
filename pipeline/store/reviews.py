"""Decisions of people on candidates: an append-only log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Engine, select

from pipeline.brief import Record
from pipeline.store.engine import reading, writing
from pipeline.store.rows import chunks
from pipeline.store.tables import ReviewRow

Decision = Literal["approve", "reject", "skip", "rerun", "undo"]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Review(Record):
    """One decision of one person. `undo` takes back that person's last one on the same candidate."""

    run: str
    candidate: str
    who: str
    decision: Decision
    why: Literal["unsure", "unchecked", "degraded", "audit", "overruled"] = "unsure"  # why it was asked
    requirements: dict[str, Literal["pass", "fail"]] = Field(default_factory=dict)  # by requirement id
    reasons: dict[str, Why] = Field(default_factory=dict)  # of those that fail, by requirement id
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


class Reviews:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, review: Review) -> None:
        with writing(self._engine) as session:
            session.add(
                ReviewRow(
                    at=review.at, who=review.who, run=review.run, candidate=review.candidate,
                    decision=review.decision, record=review.model_dump(mode="json"),
                )
            )  # fmt: skip

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
        log: list[Review] = []
        with reading(self._engine) as session:
            for some in chunks(runs):
                rows = session.scalars(
                    select(ReviewRow).where(ReviewRow.run.in_(some)).order_by(ReviewRow.id)
                )
                log += [Review(**row.record) for row in rows]
        return latest(log)

    def approved_runs(self) -> list[str]:
        """The ids of runs that a person approved and did not take back."""
        columns = (ReviewRow.run, ReviewRow.candidate, ReviewRow.who, ReviewRow.decision)
        with reading(self._engine) as session:
            rows = session.execute(select(*columns).order_by(ReviewRow.id)).all()
        approved = {row.run for row in latest(rows) if row.decision == "approve"}
        return sorted(approved)


class Decided(Protocol):
    """Who decided what on which candidate: a Review, or a row with these columns."""

    @property
    def run(self) -> str: ...
    @property
    def candidate(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def decision(self) -> str: ...


D = TypeVar("D", bound=Decided)


def latest(log: Sequence[D]) -> list[D]:
    """The latest decision of each person on each candidate. An undo takes back the one before it."""
    stacks: dict[tuple[str, str, str], list[D]] = {}
    for review in log:
        stack = stacks.setdefault((review.run, review.candidate, review.who), [])
        if review.decision != "undo":
            stack.append(review)
        elif stack:
            stack.pop()
    return [stack[-1] for stack in stacks.values() if stack]
