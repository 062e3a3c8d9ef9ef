"""Traces and metrics to a collector, over HTTP: only where the environment names one, and without the words of
briefs, prompts and answers unless these are asked for too.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:6006     Phoenix, or any collector; /v1/traces is added
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=…/v1/traces        traces alone, the address as it stands
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from pipeline.telemetry.names import CAPTURE, CONTENT

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_METRICS = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_TIMEOUT_S = 5


def content_wanted() -> bool:
    return os.environ.get(CAPTURE, "").strip().lower() in ("true", "1", "yes", "span_only", "span_and_event")


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
        return f"{self._discreet.failed} spans could not be delivered to {self._address}; they are in the local store"


def span_processor() -> Remote | None:
    """The way to the collector that the environment names; None where it names none."""
    address = os.environ.get(_TRACES) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    _quiet()
    return Remote(Discreet(OTLPSpanExporter(timeout=_TIMEOUT_S), content_wanted()), address)


def metric_reader() -> MetricReader | None:
    """As `span_processor`, for metrics; OTEL_METRICS_EXPORTER=none keeps them here (Phoenix takes none)."""
    address = os.environ.get(_METRICS) or os.environ.get(_ENDPOINT)
    if not address or os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    _quiet()
    return PeriodicExportingMetricReader(OTLPMetricExporter(timeout=_TIMEOUT_S), export_timeout_millis=5_000)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """The same span without what may hold words of a brief."""
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_discreet(span.attributes),
        events=[Event(e.name, _discreet(e.attributes), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _discreet(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        k: v for k, v in (attributes or {}).items() if k not in CONTENT and not k.endswith(".explanation")
    }


def _quiet() -> None:
    # What could not be delivered is said once, at the end; the exporters would log each failure with a traceback.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
