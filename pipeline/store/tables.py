"""The tables. Each row holds its pydantic record as JSON, plus the columns that queries use. Keys are natural, so
writing the same thing twice leaves one row.

Three tables hold sums that are kept up to date as runs are written (see `sums`): statistics over a long history then
read hundreds of rows, not hundreds of thousands.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator

Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite generates INTEGER keys only


# SQLite stores the rows in the order of their key, which is the order that sums are grouped in.
_BY_KEY = {"sqlite_with_rowid": False}


class Utc(TypeDecorator[datetime]):
    """A time with its zone. SQLite stores no zone, so times go in and come out as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON(), list[Any]: JSON(), datetime: Utc(), str: Text()}  # noqa: RUF012


def _hour() -> MappedColumn[str]:
    """An hour in UTC: "2026-03-01 14"."""
    return mapped_column(String(13), server_default="")


def _where(condition: ColumnElement[bool]) -> dict[str, Any]:
    """Arguments of an index over only the rows that meet the condition."""
    return {"sqlite_where": condition, "postgresql_where": condition}


class RunRow(Table):
    """One brief in the loop. `status` is running or stopped until the run has an outcome.

    `status`, `reason` and `best` are the run's outcome, what people decided included; see `outcomes`. `loop_status` and
    `outcome` are those of the loop alone."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    folder: Mapped[str] = mapped_column(unique=True)  # below the output folder
    batch: Mapped[str | None]
    job: Mapped[str | None] = mapped_column(String(64), index=True)
    text: Mapped[str]
    preset: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(16))
    loop_status: Mapped[str] = mapped_column(String(16), server_default="")
    decided_by: Mapped[str | None]  # the person whose decision is the outcome; None: the loop's is
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    degraded: Mapped[str | None]
    images: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    best: Mapped[str | None]  # a candidate's id
    started: Mapped[datetime]
    hour: Mapped[str] = _hour()  # of `started`
    ended: Mapped[datetime | None]
    brief: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]  # the preset
    reading: Mapped[dict[str, Any] | None]
    outcome: Mapped[dict[str, Any] | None]
    replaced: Mapped[bool] = mapped_column(server_default=false())  # its row of a batch was run again


def _of_run() -> ForeignKey:
    return ForeignKey("runs.id", ondelete="CASCADE")


class AttemptRow(Table):
    __tablename__ = "attempts"

    run: Mapped[str] = mapped_column(_of_run(), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(16))
    record: Mapped[dict[str, Any]]  # change and next


class CandidateRow(Table):
    __tablename__ = "candidates"

    run: Mapped[str] = mapped_column(_of_run(), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # "<attempt>-<number>"
    attempt: Mapped[int]
    image: Mapped[str] = mapped_column(String(64), index=True)  # hash of the picture's file
    seed: Mapped[int] = mapped_column(BigInteger)
    gate: Mapped[str] = mapped_column(String(16), index=True)
    score: Mapped[float]
    record: Mapped[dict[str, Any]]


class CheckRow(Table):
    __tablename__ = "checks"

    run: Mapped[str] = mapped_column(_of_run(), primary_key=True)
    candidate: Mapped[str] = mapped_column(String(32), primary_key=True)
    requirement: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    must: Mapped[bool]
    outcome: Mapped[str] = mapped_column(String(16))
    probability: Mapped[float | None]
    said: Mapped[float | None]  # the judge's own probability, before calibration
    basis: Mapped[str | None] = mapped_column(String(16))  # key of what a band of this check holds for
    judge: Mapped[str]
    reason: Mapped[str]


class BasisRow(Table):
    """What bands hold for; see judging/basis.py. Decisions up to the review `after` do not count: they were reset.
    `itself`: answers of the judge's own measurement, as pairs of probability and truth."""

    __tablename__ = "bases"

    key: Mapped[str] = mapped_column(String(16), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    judges: Mapped[list[Any]]
    painter: Mapped[str]
    wording: Mapped[str] = mapped_column(String(16))
    after: Mapped[int] = mapped_column(BigInteger, server_default="0")
    itself: Mapped[list[Any]] = mapped_column(default=list)


class CallRow(Table):
    """One run's part in a model call. Attempt 0 is the reading of the brief."""

    __tablename__ = "calls"

    run: Mapped[str] = mapped_column(_of_run(), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(String(16))
    model: Mapped[str]
    revision: Mapped[str]
    started: Mapped[datetime]
    seconds: Mapped[float]  # this run's share of the call
    tokens: Mapped[int]
    kept: Mapped[int]  # inputs answered from kept results: no time, no tokens
    worked: Mapped[int] = mapped_column(server_default="0")  # inputs that the model answered in this call
    image_steps: Mapped[int]
    joules: Mapped[float]
    money: Mapped[float]
    degraded: Mapped[str | None]
    error: Mapped[str | None]
    record: Mapped[dict[str, Any]]


class WholeCallRow(Table):
    """One model call, however many runs have a part in it. It counts for the hour and the batch of the run that was
    written first."""

    __tablename__ = "whole_calls"

    stage: Mapped[str] = mapped_column(String(16), primary_key=True)
    started: Mapped[datetime] = mapped_column(primary_key=True)
    run_hour: Mapped[str] = _hour()
    batch: Mapped[str] = mapped_column(server_default="")
    seconds: Mapped[float]
    answered: Mapped[bool]  # by the model, at least one input; else all were kept, or the call failed
    failed: Mapped[bool]
    degraded: Mapped[bool]
    handed_up: Mapped[bool] = mapped_column(server_default=false())  # a smaller model left its items open


class HourlyCostRow(Table):
    """What the calls of an hour took, for the runs of a batch (empty: of no batch) that began in `run_hour`."""

    __tablename__ = "hourly_costs"
    __table_args__ = _BY_KEY

    hour: Mapped[str] = mapped_column(String(13), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), primary_key=True)
    run_hour: Mapped[str] = mapped_column(String(13), primary_key=True)
    batch: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[float]
    tokens: Mapped[int] = mapped_column(BigInteger)
    images: Mapped[int]  # painted, not kept
    joules: Mapped[float]
    money: Mapped[float]
    estimated: Mapped[int]  # calls whose joules are estimated, not measured


class HourlyCheckRow(Table):
    """How many checks of must-haves had an outcome, in the runs of a batch that began in `run_hour`."""

    __tablename__ = "hourly_checks"
    __table_args__ = _BY_KEY

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    run_hour: Mapped[str] = mapped_column(String(13), primary_key=True)
    batch: Mapped[str] = mapped_column(primary_key=True)
    checks: Mapped[int]


class ReviewRow(Table):
    """A person's decision. Rows are added, never changed: triggers of the database refuse it."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(index=True)
    run: Mapped[str] = mapped_column(_of_run(), index=True)
    candidate: Mapped[str] = mapped_column(String(32))
    decision: Mapped[str] = mapped_column(String(16))
    record: Mapped[dict[str, Any]]


class JobRow(Table):
    """Work for a worker. `number` orders the queue; a job's place in the queue is counted, not stored."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    asked: Mapped[str | None] = mapped_column(String(16))  # of a running job: cancel or pause
    worker: Mapped[str | None]
    heartbeat: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(default=0)  # since its last progress
    submitted: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    error: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]]


class ResultRow(Table):
    """A model's answer to one input. The key is a hash of everything that decides the answer."""

    __tablename__ = "results"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), index=True)
    image: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float] = mapped_column(server_default="0")  # its share of the call that made it
    joules: Mapped[float] = mapped_column(server_default="0")
    value: Mapped[dict[str, Any]]


# Indexes that hold every column a statistic needs: no row with its JSON is read. They hold no free text, because
# Postgres refuses long index entries.
Index("runs_by_start", RunRow.started, RunRow.id)
Index("runs_by_batch", RunRow.batch, RunRow.started, RunRow.hour)
Index("runs_by_preset", RunRow.preset, RunRow.started)
Index("runs_by_hour", RunRow.hour, RunRow.batch)
Index(
    "runs_by_outcome",
    RunRow.status,
    RunRow.started,
    RunRow.hour,
    RunRow.batch,
    RunRow.images,
    RunRow.best,
    RunRow.replaced,
)
Index("runs_by_seconds", RunRow.seconds, RunRow.status, RunRow.hour, RunRow.batch, RunRow.replaced)
Index(
    "runs_decided",
    RunRow.status,
    RunRow.hour,
    RunRow.batch,
    RunRow.replaced,
    **_where(RunRow.decided_by.is_not(None)),
)
Index("runs_degraded", RunRow.hour, RunRow.batch, RunRow.replaced, **_where(RunRow.degraded.is_not(None)))
Index("runs_unread", RunRow.hour, RunRow.batch, RunRow.replaced, **_where(RunRow.reading.is_(None)))
Index("calls_fallen", CallRow.started, **_where(CallRow.degraded.is_not(None) | CallRow.error.is_not(None)))
Index("checks_by_kind", CheckRow.kind, CheckRow.run)
Index(
    "whole_calls_by_seconds", WholeCallRow.stage, WholeCallRow.seconds, WholeCallRow.answered,
    WholeCallRow.run_hour, WholeCallRow.batch,
)  # fmt: skip
Index(
    "whole_calls_fallen", WholeCallRow.stage, WholeCallRow.failed, WholeCallRow.degraded, WholeCallRow.run_hour,
    WholeCallRow.batch, **_where(WholeCallRow.failed | WholeCallRow.degraded),
)  # fmt: skip
Index("results_by_image", ResultRow.image, ResultRow.at)
Index(
    "whole_calls_handed_up", WholeCallRow.stage, WholeCallRow.handed_up, WholeCallRow.run_hour, WholeCallRow.batch,
    WholeCallRow.seconds, WholeCallRow.answered, **_where(WholeCallRow.__table__.c.handed_up),
)  # fmt: skip
