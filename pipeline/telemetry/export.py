"""Export of traces and metrics to an OpenTelemetry collector over HTTP. Nothing is exported unless the environment
names a collector, and no text of briefs, prompts and answers unless the environment asks for it.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:6006     Phoenix, or any collector; /v1/traces is added
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=…/v1/traces        for traces only; the address is used unchanged
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true       texts too
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
from pipeline.store.engine import masked
from pipeline.telemetry.metrics import Metrics
from pipeline.telemetry.names import CAPTURE, CONTENT
from pipeline.telemetry.spans import Span, Trace, call_attributes

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_METRICS = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_TIMEOUT_S = 5


def content_wanted() -> bool:
    """Whether the environment asks for texts of briefs, prompts and answers in exported spans."""
    return os.environ.get(CAPTURE, "").strip().lower() in ("true", "1", "yes", "span_only", "span_and_event")


class Exporter:
    """Exports spans and metrics of runs of one preset from their events. Exports nothing if the environment names no
    collector."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._resource = Resource({"service.name": "easel"})
        self._spans, self._metrics = _span_processor(), Metrics(_metric_reader(), self._resource)
        self._open: dict[str, _Open] = {}

    def take(self, run: str, event: Event) -> None:
        """Export the spans and metrics that an event of a run adds."""
        if self._spans is None and not self._metrics.wanted:
            return
        now = time.time_ns()
        if isinstance(event, Started):
            requirements = {r.id: r for r in event.reading.requirements}
            trace = Trace(run, self._preset.name, self._preset.machine.currency, requirements)
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
            begun, outcome = self._open.pop(run), event.model_dump(mode="json")
            spans = [begun.trace.of_run(begun.text, begun.seed, begun.start_ns, now, outcome)]
        if not isinstance(event, Outcome):
            for call in event.calls:
                self._metrics.called(call, call_attributes(call, self._preset.machine.currency))
        else:
            self._metrics.ended(self._preset.name, event)
        if self._spans is not None:
            for span in spans:
                self._spans.on_end(_readable(span, self._resource))

    def close(self, patience_s: float = 5.0) -> str | None:
        """Send the remaining spans, for at most `patience_s` seconds. Returns what could not be delivered, in words."""
        self._metrics.close(patience_s)
        if self._spans is None:
            return None
        self._spans.force_flush(int(patience_s * 1000))
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        return self._spans.failed


@dataclass(frozen=True)
class _Open:
    """A run without an outcome yet; its root span is exported with the outcome."""

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


class RedactingExporter(SpanExporter):
    """Removes texts from spans, unless `whole`, and exports them. `failed`: number of spans that did not arrive."""

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
    """Sends spans in a thread of its own, so that a slow or dead collector delays no run."""

    def __init__(self, exporter: RedactingExporter, address: str) -> None:
        super().__init__(exporter)
        self._redacting, self._address = exporter, address

    @property
    def failed(self) -> str | None:
        """What could not be delivered, in words; None if everything was delivered."""
        if not self._redacting.failed:
            return None
        return f"{self._redacting.failed} spans did not reach {masked(self._address)}; `easel trace` still shows them"


def _span_processor() -> Remote | None:
    """A processor that sends spans to the collector that the environment names; None if it names none."""
    address = os.environ.get(_TRACES) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    _silence()
    return Remote(RedactingExporter(OTLPSpanExporter(timeout=_TIMEOUT_S), content_wanted()), address)


def _metric_reader() -> MetricReader | None:
    """As `_span_processor`, for metrics. OTEL_METRICS_EXPORTER=none turns them off (Phoenix accepts no metrics)."""
    address = os.environ.get(_METRICS) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    _silence()
    return PeriodicExportingMetricReader(OTLPMetricExporter(timeout=_TIMEOUT_S), export_timeout_millis=5_000)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """The same span without attributes that may contain text of a brief."""
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_redacted(span.attributes),
        events=[SpanEvent(e.name, _redacted(e.attributes), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _redacted(attributes: Any) -> dict[str, Any]:
    return {
        k: v for k, v in (attributes or {}).items() if k not in CONTENT and not k.endswith(".explanation")
    }


def _silence() -> None:
    # Failures are reported once, by `Exporter.close`; the libraries would log each one with a traceback.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
