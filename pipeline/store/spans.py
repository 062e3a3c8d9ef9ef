"""Spans of traces, as OpenTelemetry has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Engine, select

from pipeline.brief import Record
from pipeline.store.engine import reading, writing
from pipeline.store.rows import add_new
from pipeline.store.tables import SpanRow


class Span(Record):
    """Times in nanoseconds since 1970; ids in hexadecimal. An event is {"name", "time_ns", "attributes"}."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    run: str | None = None
    name: str
    start_ns: int
    end_ns: int
    status: Literal["unset", "ok", "error"] = "unset"
    attributes: dict[str, Any] = Field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()


class Spans:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, spans: Sequence[Span]) -> None:
        """Keep spans; one that is kept already stays as it is."""
        with writing(self._engine) as session:
            add_new(session, SpanRow, [span.model_dump(mode="json") for span in spans])

    def of_run(self, run: str) -> list[Span]:
        """The spans of a run in order of their start, with those of the same traces that name no run."""
        traces = select(SpanRow.trace_id).where(SpanRow.run == run)
        mine = SpanRow.trace_id.in_(traces) & ((SpanRow.run == run) | SpanRow.run.is_(None))
        return self._find(mine)

    def of_trace(self, trace_id: str) -> list[Span]:
        return self._find(SpanRow.trace_id == trace_id)

    def between(self, start_ns: int, end_ns: int) -> list[Span]:
        """Spans that started in a stretch of time."""
        return self._find((SpanRow.start_ns >= start_ns) & (SpanRow.start_ns < end_ns))

    def _find(self, condition: Any) -> list[Span]:
        with reading(self._engine) as session:
            rows = session.scalars(select(SpanRow).where(condition).order_by(SpanRow.start_ns))
            return [Span(**{name: getattr(row, name) for name in Span.model_fields}) for row in rows]
