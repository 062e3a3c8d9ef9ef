"""Export of traces and metrics to a collector, over HTTP: only where the environment names one, and without the
words of briefs, prompts and answers unless these are asked for too.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:6006     Phoenix, or any collector; /v1/traces is added
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=…/v1/traces        traces alone, the address as it stands
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from pipeline.config import Preset
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.telemetry.metrics import Metrics
from pipeline.telemetry.names import CAPTURE, CONTENT
from pipeline.telemetry.spans import Span, Trace, call_attributes

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_METRICS = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_TIMEOUT_S = 5


def content_wanted() -> bool:
    return os.environ.get(CAPTURE, "").strip().lower() in ("true", "1", "yes", "span_only", "span_and_event")


class Exporter:
    """Takes in the events of any number of runs of one preset, and exports their spans and metrics. Exports nothing
    where the environment names no collector."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._resource = Resource({"service.name": "easel"})
        self._spans, self._metrics = _span_processor(), Metrics(_metric_reader(), self._resource)
        self._open: dict[str, _Open] = {}

    def take(self, run: str, event: Event) -> None:
        """Export what an event adds to the trace of a run."""
        if self._spans is None and not self._metrics.wanted:
            return
        now = time.time_ns()
        if isinstance(event, Started):
            wants = {r.id: r for r in event.reading.requirements}
            trace = Trace(run, self._preset.name, self._preset.machine.currency, wants)
            spans = trace.of_reading(event.calls)
            first = min([span.start_ns for span in spans], default=now)
            self._open[run] = _Open(trace, event.given.text, event.given.seed, first)
        elif isinstance(event, Attempt):
            checks = [(verdict.candidate, check) for verdict in event.verdicts for check in verdict.checks]
            spans = self._open[run].trace.of_attempt(
                event.number,
                event.change.action,
                len(event.candidates),
                event.degraded,
                checks,
                event.calls,
                now,
            )
        else:
            mine, outcome = self._open.pop(run), event.model_dump(mode="json")
            spans = [mine.trace.of_run(mine.text, mine.seed, mine.start_ns, now, outcome)]
        if not isinstance(event, Outcome):
            for call in event.calls:
                self._metrics.called(call, call_attributes(call, self._preset.machine.currency))
        else:
            self._metrics.ended(self._preset.name, event)
        if self._spans is not None:
            for span in spans:
                self._spans.on_end(_readable(span, self._resource))

    def close(self, patience_s: float = 5.0) -> str | None:
        """Send what is waiting, for `patience_s` seconds at most. Says, in words, what could not be delivered."""
        self._metrics.close(patience_s)
        if self._spans is None:
            return None
        self._spans.force_flush(int(patience_s * 1000))
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        return self._spans.failed


@dataclass(frozen=True)
class _Open:
    """A run that has begun; its root span is exported with its outcome."""

    trace: Trace
    text: str
    seed: int
    start_ns: int


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    def context(span_id: str) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=sampled)

    return ReadableSpan(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        events=[SpanEvent(e["name"], e["attributes"], e["time_ns"]) for e in span.events],
        status=Status(StatusCode.ERROR if span.status == "error" else StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
    )


class Discreet(SpanExporter):
    """Hands spans on without what people wrote, and remembers whether they arrived."""

    def __init__(self, exporter: SpanExporter, whole: bool) -> None:
        self._exporter, self._whole = exporter, whole
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans if self._whole else [without_content(span) for span in spans])
        if result is not SpanExportResult.SUCCESS:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class Remote(BatchSpanProcessor):
    """Sends in a thread of its own: a slow or dead collector holds no run up."""

    def __init__(self, exporter: Discreet, address: str) -> None:
        super().__init__(exporter)
        self._discreet, self._address = exporter, address

    @property
    def failed(self) -> str | None:
        if not self._discreet.failed:
            return None
        return f"{self._discreet.failed} spans did not reach {self._address}; `easel trace` still shows them"


def _span_processor() -> Remote | None:
    """The way to the collector that the environment names; None where it names none."""
    address = os.environ.get(_TRACES) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    _silence()
    return Remote(Discreet(OTLPSpanExporter(timeout=_TIMEOUT_S), content_wanted()), address)


def _metric_reader() -> MetricReader | None:
    """As `_span_processor`, for metrics; OTEL_METRICS_EXPORTER=none keeps them here (Phoenix takes none)."""
    address = os.environ.get(_METRICS) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    _silence()
    return PeriodicExportingMetricReader(OTLPMetricExporter(timeout=_TIMEOUT_S), export_timeout_millis=5_000)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """The same span without what may hold words of a brief."""
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_discreet(span.attributes),
        events=[SpanEvent(e.name, _discreet(e.attributes), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _discreet(attributes: Any) -> dict[str, Any]:
    return {
        k: v for k, v in (attributes or {}).items() if k not in CONTENT and not k.endswith(".explanation")
    }


def _silence() -> None:
    # What could not be delivered is said once, at the end; the exporters would log each failure with a traceback.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
