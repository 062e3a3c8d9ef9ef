"""Runs as OpenTelemetry traces: a span for each run, attempt and model call, an event for each check.

    invoke_workflow mini
    ├── chat SmolLM2…                reading the brief
    └── attempt 1                    its checks as events
        ├── generate_content painter
        └── embeddings scorer

Spans are made from the loop's own events after the fact, with the times that the calls took, so that tracing costs
the loop nothing. Ids follow from the run's id: a run that is played again after a kill writes the same spans. They
go to the local store; to another machine only where OTEL_EXPORTER_OTLP_ENDPOINT names one (see otlp.py).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode, set_span_in_context

from pipeline.brief import Requirement
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.store.spans import Span as Kept
from pipeline.telemetry import names as name
from pipeline.telemetry.metrics import Metrics
from pipeline.telemetry.otlp import metric_reader, span_processor


class _Ids(IdGenerator):
    """Hands out the ids it was told."""

    def __init__(self) -> None:
        self.trace = self.span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class LocalExporter(SpanExporter):
    """Collects spans, and hands them to the store when told to."""

    def __init__(self, keep: Callable[[Sequence[Kept]], None]) -> None:
        self._keep, self._waiting = keep, []  # type: ignore[var-annotated]

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._waiting += [_kept(span) for span in spans]
        return SpanExportResult.SUCCESS

    def hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._keep(waiting)


@dataclass
class _Open:
    root: Span
    wants: dict[str, Requirement]


class Telemetry:
    """Takes in the events of any number of runs of one preset. Spans reach the store with each attempt; `close`
    waits a little for those that go elsewhere."""

    def __init__(self, preset: Preset, keep: Callable[[Sequence[Kept]], None]) -> None:
        self._preset, self._ids, self._local = preset, _Ids(), LocalExporter(keep)
        resource = Resource({"service.name": "easel"})
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self._local))
        self._remote: SpanProcessor | None = span_processor()
        if self._remote:
            self._provider.add_span_processor(self._remote)
        self._tracer = self._provider.get_tracer("easel")
        self._metrics = Metrics(metric_reader(), resource)
        self._open: dict[str, _Open] = {}

    def take(self, run: str, event: Event) -> None:
        """Write down what an event adds to the trace of a run."""
        if isinstance(event, Started):
            self._started(run, event)
        elif isinstance(event, Attempt):
            self._attempt(run, event)
        else:
            self._outcome(run, event)
        self._local.hand_over()

    def close(self, patience_s: float = 5.0) -> str | None:
        """Send what is waiting. Says, in words, where it could not be delivered."""
        # A run that was cut short gets its root when it is played again to its end.
        self._open.clear()
        self._local.hand_over()
        self._metrics.close(patience_s)
        self._provider.force_flush(int(patience_s * 1000))
        failed: str | None = getattr(self._remote, "failed", None)
        self._provider.shutdown()
        return failed

    def _span(self, run: str, path: str, label: str, start: int, parent: Span | None, **more: Any) -> Span:
        self._ids.trace = _number(run, 16)
        self._ids.span = _number(f"{run}/{path}", 8)
        context = set_span_in_context(parent or INVALID_SPAN)
        return self._tracer.start_span(label, context, start_time=start, **more)

    def _started(self, run: str, event: Started) -> None:
        start = min([_ns(call) for call in event.calls], default=time.time_ns())
        attributes = {
            name.OPERATION: name.INVOKE_WORKFLOW, name.PROVIDER: "easel", name.WORKFLOW: self._preset.name,
            name.CONVERSATION: run, name.KIND: "CHAIN", name.SEED: event.given.seed, name.BRIEF: event.given.text,
        }  # fmt: skip
        label = f"{name.INVOKE_WORKFLOW} {self._preset.name}"
        root = self._span(run, "", label, start, None, attributes=attributes)
        self._open[run] = _Open(root, {r.id: r for r in event.reading.requirements})
        self._calls(run, "0", event.calls, root)

    def _attempt(self, run: str, event: Attempt) -> None:
        mine, now = self._open[run], time.time_ns()
        start = min([_ns(call) for call in event.calls], default=now)
        end = max([_ns(call) + _whole(call) for call in event.calls], default=now)
        attributes: dict[str, Any] = {
            name.KIND: "CHAIN", name.CONVERSATION: run, name.ATTEMPT: event.number,
            name.ACTION: event.change.action, name.IMAGES: len(event.candidates),
            name.SECONDS: sum(call.seconds for call in event.calls),
            name.COST: sum(call.money for call in event.calls), name.CURRENCY: self._preset.machine.currency,
        }  # fmt: skip
        if event.degraded:
            attributes[name.DEGRADED] = list(event.degraded)
        span = self._span(
            run, str(event.number), f"attempt {event.number}", start, mine.root, attributes=attributes
        )
        number = 0
        for verdict in event.verdicts:
            for check in verdict.checks:
                want = mine.wants.get(check.requirement)
                kind = want.kind if want else check.requirement
                told: dict[str, Any] = {
                    name.EVALUATION_NAME: kind, name.LABEL: check.outcome, name.EXPLANATION: check.reason,
                    name.CANDIDATE: verdict.candidate, name.REQUIREMENT: check.requirement,
                    name.MUST: want.must if want else True, name.JUDGE: check.judge,
                    name.WANT: want.text if want else "a picture at all",
                }  # fmt: skip
                span.set_attribute(name.evaluation(number, "name"), kind)
                span.set_attribute(name.evaluation(number, "label"), check.outcome)
                span.set_attribute(name.evaluation(number, "explanation"), check.reason)
                if check.probability is not None:
                    told[name.SCORE] = check.probability
                    span.set_attribute(name.evaluation(number, "score"), check.probability)
                span.add_event(name.EVALUATION, told, end)
                number += 1
        self._calls(run, str(event.number), event.calls, span)
        span.end(end)

    def _outcome(self, run: str, event: Outcome) -> None:
        root = self._open.pop(run).root
        root.set_attributes(
            {
                name.STATUS: event.status, name.IMAGES: event.images, name.IMAGE_STEPS: event.image_steps,
                name.TOKENS: event.tokens, name.JOULES: event.joules, name.MEASURED: event.measured,
                name.COST: event.money, name.CURRENCY: self._preset.machine.currency,
                name.SECONDS: event.seconds, name.REASON: event.reason,
            }
        )  # fmt: skip
        if event.degraded:
            root.set_attribute(name.DEGRADED, list(event.degraded))
        if event.status == "failed":
            root.set_status(Status(StatusCode.ERROR))
        root.end()
        self._metrics.ended(self._preset.name, event)

    def _calls(self, run: str, path: str, calls: Sequence[Call], parent: Span) -> None:
        for position, call in enumerate(calls):
            attributes = of_call(call, self._preset.machine.currency) | {name.CONVERSATION: run}
            label = f"{attributes[name.OPERATION]} {attributes[name.REQUEST_MODEL]}"
            start = _ns(call)
            span = self._span(run, f"{path}/{position}", label, start, parent, attributes=attributes)
            if call.error:
                span.set_status(Status(StatusCode.ERROR))
            span.end(start + _whole(call))
            self._metrics.called(call, attributes)


def of_call(call: Call, currency: str) -> dict[str, Any]:
    """The attributes of a model call, or of one run's part in it."""
    model = str(call.model["name"]).rstrip("/").rsplit("/", 1)[-1]
    said: dict[str, Any] = {
        name.OPERATION: name.OPERATIONS[call.stage], name.PROVIDER: call.model.get("kind", "easel"),
        name.REQUEST_MODEL: model, name.RESPONSE_MODEL: model, name.STAGE: call.stage, name.LLM_MODEL: model,
        name.KIND: name.KINDS[call.stage], name.REVISION: call.model.get("revision", ""),
        name.DEVICE: call.model.get("device", ""), name.DTYPE: call.model.get("dtype", ""),
        name.BATCH: call.batch, name.PART: len(call.inputs), name.KEPT: len(call.kept),
        name.SECONDS: call.seconds, name.JOULES: call.joules, name.MEASURED: call.measured,
        name.COST: call.money, name.CURRENCY: currency,
        name.INPUT_MESSAGES: json.dumps(call.inputs, ensure_ascii=False, default=str),
    }  # fmt: skip
    if call.degraded:
        said[name.DEGRADED] = [call.degraded]
    if call.error:
        said[name.ERROR_TYPE] = call.error.partition(":")[0]
        said[name.REASON] = call.error
    if call.stage == "text":
        taken = [sum(answer[key] for answer in call.outputs) for key in ("input_tokens", "output_tokens")]
        said |= {name.INPUT_TOKENS: taken[0], name.OUTPUT_TOKENS: taken[1]}
        said |= {name.TOKENS_PROMPT: taken[0], name.TOKENS_COMPLETION: taken[1]}
        said[name.FINISH_REASONS] = [answer["finish_reason"] for answer in call.outputs]
        said[name.OUTPUT_MESSAGES] = json.dumps([a["text"] for a in call.outputs], ensure_ascii=False)
        said |= {
            name.TEMPERATURE: call.options.get("temperature", 0.0),
            name.SEED: call.options.get("seed", 0),
        }
        said[name.MAX_TOKENS] = call.options.get("max_tokens", 0)
    elif call.stage == "image":
        said |= {name.OUTPUT_TYPE: "image", name.CHOICES: len(call.inputs)}
        if call.inputs:
            said[name.SEED] = call.inputs[0]["seed"]
        for key, wanted in (
            ("steps", name.STEPS), ("guidance", name.GUIDANCE), ("width", name.WIDTH), ("height", name.HEIGHT)
        ):  # fmt: skip
            if call.outputs and call.outputs[0].get(key) is not None:
                said[wanted] = call.outputs[0][key]
    return said


def _ns(call: Call) -> int:
    return int(call.started.timestamp() * 1e9)


def _whole(call: Call) -> int:
    """Nanoseconds of the whole call, of which the run has its part."""
    return int((call.seconds if call.wall is None else call.wall) * 1e9)


def _number(text: str, size: int) -> int:
    """A stable id of so many bytes; OpenTelemetry forbids zero."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big") or 1


def _kept(span: ReadableSpan) -> Kept:
    context, attributes = span.get_span_context(), dict(span.attributes or {})
    assert context is not None
    run = attributes.get(name.CONVERSATION)
    return Kept(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        run=str(run) if run else None,
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        status="error" if span.status.status_code is StatusCode.ERROR else "ok",
        attributes={key: list(v) if isinstance(v, tuple) else v for key, v in attributes.items()},
        events=tuple(
            {"name": e.name, "time_ns": e.timestamp, "attributes": dict(e.attributes or {})}
            for e in span.events
        ),
    )
