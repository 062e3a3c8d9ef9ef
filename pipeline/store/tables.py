"""The tables. Records stay the pydantic ones: each row holds its record as JSON, plus the columns that are
queried. Natural keys throughout, so that writing the same thing twice leaves one row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up INTEGER keys only


class Utc(TypeDecorator[datetime]):
    """A moment with its zone; SQLite keeps none of its own."""

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


class RunRow(Table):
    """One brief on its way through the loop. `status` is running, or stopped, until it has an
    outcome."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    folder: Mapped[str] = mapped_column(unique=True)  # below the output folder
    batch: Mapped[str | None] = mapped_column(index=True)
    job: Mapped[str | None] = mapped_column(String(64), index=True)
    text: Mapped[str]
    preset: Mapped[str] = mapped_column(index=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(default="")
    degraded: Mapped[str | None]
    images: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    best: Mapped[str | None]  # a candidate's id
    started: Mapped[datetime] = mapped_column(index=True)
    ended: Mapped[datetime | None]
    brief: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]  # the preset
    reading: Mapped[dict[str, Any] | None]
    outcome: Mapped[dict[str, Any] | None]


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
    kind: Mapped[str] = mapped_column(String(16), index=True)
    must: Mapped[bool]
    outcome: Mapped[str] = mapped_column(String(16), index=True)
    probability: Mapped[float | None]
    judge: Mapped[str]
    reason: Mapped[str]


class CallRow(Table):
    """One run's part in a model call. Attempt 0 is the reading of the brief."""

    __tablename__ = "calls"

    run: Mapped[str] = mapped_column(_of_run(), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), index=True)
    model: Mapped[str]
    revision: Mapped[str]
    started: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float]
    tokens: Mapped[int]
    kept: Mapped[int]  # inputs answered from kept results: no time, no tokens
    image_steps: Mapped[int]
    joules: Mapped[float]
    money: Mapped[float]
    degraded: Mapped[str | None]
    error: Mapped[str | None]
    record: Mapped[dict[str, Any]]


class ReviewRow(Table):
    """What a person said. Rows are added, never changed: triggers of the database refuse it."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(index=True)
    run: Mapped[str] = mapped_column(_of_run(), index=True)
    candidate: Mapped[str] = mapped_column(String(32))
    decision: Mapped[str] = mapped_column(String(16))
    record: Mapped[dict[str, Any]]


class JobRow(Table):
    """Work for a worker. `number` orders the queue; a job's place in it is counted, not stored."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    asked: Mapped[str | None] = mapped_column(String(16))  # cancel or pause, of a running job
    worker: Mapped[str | None]
    heartbeat: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(default=0)  # since it last got on
    submitted: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    error: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]]


class ResultRow(Table):
    """What a model answered to one input, under the hash of everything that decides it."""

    __tablename__ = "results"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), index=True)
    image: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float] = mapped_column(server_default="0")  # its share of the call that made it
    joules: Mapped[float] = mapped_column(server_default="0")
    value: Mapped[dict[str, Any]]


class SpanRow(Table):
    """One span of a trace, as OpenTelemetry has it; times in nanoseconds since 1970."""

    __tablename__ = "spans"

    trace_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    span_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(String(16))
    run: Mapped[str | None] = mapped_column(String(64), index=True)
    name: Mapped[str]
    start_ns: Mapped[int] = mapped_column(BigInteger, index=True)
    end_ns: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(16))
    attributes: Mapped[dict[str, Any]]
    events: Mapped[list[Any]]


Index("runs_by_outcome", RunRow.status, RunRow.started)
