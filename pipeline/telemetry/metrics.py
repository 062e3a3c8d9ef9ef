"""OpenTelemetry metrics of calls and runs, for a collector. `easel stats` does not use them: it reads the store. The
conventions that name the metrics are still changing, so only this module and names.py know the names."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from pipeline.calls.record import Call
from pipeline.events import Outcome
from pipeline.telemetry import names as name

_KEYS = (name.OPERATION, name.PROVIDER, name.REQUEST_MODEL, name.RESPONSE_MODEL, name.ERROR_TYPE)


class Metrics:
    """Three histograms: seconds of calls, tokens of calls, seconds of runs. Without a reader nothing is recorded."""

    def __init__(self, reader: MetricReader | None, resource: Resource) -> None:
        self._provider: MeterProvider | None = None
        if reader is None:
            return
        self._provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("easel")
        self._duration = meter.create_histogram(name.DURATION, "s")
        self._tokens = meter.create_histogram(name.TOKEN_USAGE, "{token}")
        self._workflow = meter.create_histogram(name.WORKFLOW_DURATION, "s")

    @property
    def wanted(self) -> bool:
        """Whether there is a reader."""
        return self._provider is not None

    def called(self, call: Call, attributes: dict[str, Any]) -> None:
        """Record a call. `attributes`: those of its span."""
        if self._provider is None:
            return
        dimensions = {key: attributes[key] for key in _KEYS if key in attributes}
        self._duration.record(call.seconds, dimensions)
        for kind, key in (("input", name.INPUT_TOKENS), ("output", name.OUTPUT_TOKENS)):
            if key in attributes:
                self._tokens.record(attributes[key], dimensions | {name.TOKEN_TYPE: kind})

    def ended(self, workflow: str, outcome: Outcome) -> None:
        """Record a run that ended. `workflow`: the preset's name."""
        if self._provider is not None:
            self._workflow.record(outcome.seconds, {name.WORKFLOW: workflow, name.STATUS: outcome.status})

    def close(self, patience_s: float) -> None:
        if self._provider is not None:
            self._provider.force_flush(int(patience_s * 1000))
            self._provider.shutdown(int(patience_s * 1000))
