"""A run as OpenTelemetry spans: one for the run, each attempt and each model call, with an event for each check.

    invoke_workflow mini
    ├── chat SmolLM2…                reading the brief
    └── attempt 1                    its checks as events
        ├── generate_content painter
        └── embeddings scorer

Spans are not stored. They are made from the records of a run when they are shown or exported. Their ids are computed
from the run's id, so a run always has the same spans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pipeline.brief import Record, Requirement
from pipeline.calls.record import Call
from pipeline.judging.verdict import ALWAYS, Check
from pipeline.store import Store
from pipeline.store.reviews import Review
from pipeline.store.tables import CheckRow, RunRow
from pipeline.telemetry import names as name

# What a span says of a check.
_OF_CHECK = ("requirement", "probability", "outcome", "judge", "reason")


class Span(Record):
    """Times are in nanoseconds since 1970, ids in hexadecimal. An event is {"name", "time_ns", "attributes"}."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    run: str
    name: str
    start_ns: int
    end_ns: int
    status: Literal["ok", "error"] = "ok"
    attributes: dict[str, Any] = Field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Trace:
    """Makes the spans of one run. `requirements`: the run's, by id; `currency`: that of its costs."""

    run: str
    preset: str
    currency: str
    requirements: Mapping[str, Requirement] = field(default_factory=dict)

    def of_run(
        self, text: str, seed: int, start_ns: int, end_ns: int, outcome: Mapping[str, Any] | None
    ) -> Span:
        """The root span. `outcome`: the record of the run's Outcome; None if it has none yet."""
        attributes = {
            name.OPERATION: name.INVOKE_WORKFLOW, name.PROVIDER: "easel", name.WORKFLOW: self.preset,
            name.CONVERSATION: self.run, name.KIND: "CHAIN", name.SEED: seed, name.BRIEF: text,
        }  # fmt: skip
        if outcome is not None:
            attributes |= {
                name.STATUS: outcome["status"], name.IMAGES: outcome["images"],
                name.IMAGE_STEPS: outcome["image_steps"], name.TOKENS: outcome["tokens"],
                name.JOULES: outcome["joules"], name.MEASURED: outcome["measured"],
                name.COST: outcome["money"], name.CURRENCY: self.currency,
                name.SECONDS: outcome["seconds"], name.REASON: outcome["reason"],
            }  # fmt: skip
            if outcome["degraded"]:
                attributes[name.DEGRADED] = list(outcome["degraded"])
        failed = outcome is not None and outcome["status"] == "failed"
        label = f"{name.INVOKE_WORKFLOW} {self.preset}"
        return self._span("", label, start_ns, end_ns, None, attributes, failed)

    def of_reading(self, calls: Sequence[Call]) -> list[Span]:
        """The spans of the calls that read the brief."""
        return self._calls("0", calls, "")

    def of_attempt(
        self,
        number: int,
        action: str,
        images: int,
        degraded: Sequence[str],
        checks: Sequence[tuple[str, Check]],
        calls: Sequence[Call],
        now_ns: int,
    ) -> list[Span]:
        """The span of an attempt, then those of its calls.

        `checks`: pairs of a candidate's id and a check; `now_ns`: the time for an attempt without calls."""
        start = min([_start(call) for call in calls], default=now_ns)
        end = max([_start(call) + _length(call) for call in calls], default=now_ns)
        attributes: dict[str, Any] = {
            name.KIND: "CHAIN", name.CONVERSATION: self.run, name.ATTEMPT: number, name.ACTION: action,
            name.IMAGES: images, name.SECONDS: sum(call.seconds for call in calls),
            name.COST: sum(call.money for call in calls), name.CURRENCY: self.currency,
        }  # fmt: skip
        if degraded:
            attributes[name.DEGRADED] = list(degraded)
        events = []
        for at, (candidate, check) in enumerate(checks):
            requirement = self.requirements.get(check.requirement)
            kind = requirement.kind if requirement else check.requirement
            evaluation: dict[str, Any] = {
                name.EVALUATION_NAME: kind, name.LABEL: check.outcome, name.EXPLANATION: check.reason,
                name.CANDIDATE: candidate, name.REQUIREMENT: check.requirement,
                name.MUST: requirement.must if requirement else True, name.JUDGE: check.judge,
                name.WANT: requirement.text if requirement else ALWAYS.get(check.requirement, check.requirement),
            }  # fmt: skip
            attributes[name.evaluation(at, "name")] = kind
            attributes[name.evaluation(at, "label")] = check.outcome
            attributes[name.evaluation(at, "explanation")] = check.reason
            if check.probability is not None:
                evaluation[name.SCORE] = attributes[name.evaluation(at, "score")] = check.probability
            events.append({"name": name.EVALUATION, "time_ns": end, "attributes": evaluation})
        path = str(number)
        span = self._span(path, f"attempt {number}", start, end, "", attributes, events=events)
        return [span, *self._calls(path, calls, path)]

    def _calls(self, path: str, calls: Sequence[Call], parent: str) -> list[Span]:
        spans = []
        for position, call in enumerate(calls):
            attributes = call_attributes(call, self.currency) | {name.CONVERSATION: self.run}
            label = f"{attributes[name.OPERATION]} {attributes[name.REQUEST_MODEL]}"
            start, end = _start(call), _start(call) + _length(call)
            spans.append(
                self._span(f"{path}/{position}", label, start, end, parent, attributes, bool(call.error))
            )
        return spans

    def _span(
        self,
        path: str,
        label: str,
        start_ns: int,
        end_ns: int,
        parent: str | None,
        attributes: dict[str, Any],
        failed: bool = False,
        events: Sequence[dict[str, Any]] = (),
    ) -> Span:
        """`path`: identifies the span within the run, for example "1/0"; empty for the root."""
        return Span(
            trace_id=_id(self.run, 16), span_id=_id(f"{self.run}/{path}", 8),
            parent_id=None if parent is None else _id(f"{self.run}/{parent}", 8),
            run=self.run, name=label, start_ns=start_ns, end_ns=end_ns, status="error" if failed else "ok",
            attributes=attributes, events=tuple(events),
        )  # fmt: skip


def recorded(store: Store, run: RunRow) -> list[Span]:
    """The spans of a run, made from its records in the store; the root is first."""
    requirements = {r["id"]: Requirement(**r) for r in (run.reading or {}).get("requirements", ())}
    currency = str(((run.settings or {}).get("machine") or {}).get("currency", ""))
    trace = Trace(run.id, run.preset, currency, requirements)
    calls: dict[int, list[Call]] = {}
    for row in store.runs.calls(run.id):
        calls.setdefault(row.attempt, []).append(Call(**row.record))
    all_calls = [call for of_attempt in calls.values() for call in of_attempt]
    starts = [_start(call) for call in all_calls]
    ends = [_start(call) + _length(call) for call in all_calls]
    start = min(starts, default=nanoseconds(run.started))
    end = max([*ends, nanoseconds(run.ended)] if run.ended else ends, default=start)
    checks = store.runs.checks(run.id)
    root = trace.of_run(run.text, run.seed, start, end, run.outcome)
    reviews = store.reviews.standing([run.id]).get(run.id, [])
    spans = [_reviewed(root, run, reviews, requirements, checks), *trace.of_reading(calls.get(0, ()))]
    candidates = store.runs.candidates(run.id)
    for attempt in store.runs.attempts(run.id):
        painted = [c for c in candidates if c.attempt == attempt.number]
        ids = {c.id for c in painted}
        judged = [
            (row.candidate, Check(**{key: getattr(row, key) for key in _OF_CHECK}))
            for row in checks
            if row.candidate in ids
        ]
        attempt_calls = calls.get(attempt.number, ())
        degraded = dict.fromkeys(
            text
            for text in (
                *(c.record["plan"]["prompt"].get("degraded") for c in painted),
                *(c.record.get("degraded") for c in painted),
                *(call.degraded for call in attempt_calls),
            )
            if text
        )
        spans += trace.of_attempt(
            attempt.number, attempt.action, len(painted), list(degraded), judged, attempt_calls, start
        )
    return spans


def _reviewed(
    root: Span,
    run: RunRow,
    reviews: Sequence[Review],
    requirements: Mapping[str, Requirement],
    checks: Sequence[CheckRow],
) -> Span:
    """The span of a run with what people decided: its outcome, and events for each decision that stands."""
    attributes = dict(root.attributes)
    if run.decided_by and run.decided_at:
        attributes |= {
            name.STATUS: run.status, name.REASON: run.reason, name.LOOP_STATUS: run.loop_status,
            name.DECIDED_BY: run.decided_by, name.DECIDED_AT: run.decided_at.isoformat(),
        }  # fmt: skip
    judged = {(check.candidate, check.requirement): check.outcome for check in checks}
    events = []
    for review in reviews:
        decision: dict[str, Any] = {
            name.WHO: review.who, name.DECISION: review.decision, name.CANDIDATE: review.candidate,
            name.REASON: review.reason,
        }  # fmt: skip
        events.append(
            {"name": name.REVIEW, "time_ns": nanoseconds(review.at), "attributes": decision},
        )
        for id, answer in review.requirements.items():
            want = requirements.get(id)
            evaluation = {
                name.EVALUATION_NAME: want.kind if want else id, name.LABEL: answer, name.WHO: review.who,
                name.EXPLANATION: review.reasons.get(id, ""), name.CANDIDATE: review.candidate,
                name.REQUIREMENT: id, name.WANT: want.text if want else ALWAYS.get(id, id),
                name.JUDGE_LABEL: judged.get((review.candidate, id), "unchecked"),
            }  # fmt: skip
            events.append(
                {"name": name.EVALUATION, "time_ns": nanoseconds(review.at), "attributes": evaluation}
            )
    return root.model_copy(update={"attributes": attributes, "events": (*root.events, *events)})


def call_attributes(call: Call, currency: str) -> dict[str, Any]:
    """The attributes of the span of a model call, or of one run's part of it."""
    model = str(call.model["name"]).rstrip("/").rsplit("/", 1)[-1]
    attributes: dict[str, Any] = {
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
        attributes[name.DEGRADED] = [call.degraded]
    if call.handed_up:
        attributes[name.HANDED_UP] = call.handed_up
    if call.error:
        attributes[name.ERROR_TYPE] = call.error.partition(":")[0]
        attributes[name.REASON] = call.error
    if call.stage in ("text", "vlm"):
        tokens = [sum(answer[key] for answer in call.outputs) for key in ("input_tokens", "output_tokens")]
        attributes |= {name.INPUT_TOKENS: tokens[0], name.OUTPUT_TOKENS: tokens[1]}
        attributes |= {name.TOKENS_PROMPT: tokens[0], name.TOKENS_COMPLETION: tokens[1]}
    if call.stage == "text":
        attributes[name.FINISH_REASONS] = [answer["finish_reason"] for answer in call.outputs]
        attributes[name.OUTPUT_MESSAGES] = json.dumps([a["text"] for a in call.outputs], ensure_ascii=False)
        attributes |= {
            name.TEMPERATURE: call.options.get("temperature", 0.0),
            name.SEED: call.options.get("seed", 0),
        }
        attributes[name.MAX_TOKENS] = call.options.get("max_tokens", 0)
    elif call.stage == "image":
        attributes |= {name.OUTPUT_TYPE: "image", name.CHOICES: len(call.inputs)}
        if call.inputs:
            attributes[name.SEED] = call.inputs[0]["seed"]
        for key, attribute in (
            ("steps", name.STEPS), ("guidance", name.GUIDANCE), ("width", name.WIDTH), ("height", name.HEIGHT)
        ):  # fmt: skip
            if call.outputs and call.outputs[0].get(key) is not None:
                attributes[attribute] = call.outputs[0][key]
    return attributes


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(moment.timestamp() * 1e9)


def _start(call: Call) -> int:
    return nanoseconds(call.started)


def _length(call: Call) -> int:
    """The duration of the whole call in nanoseconds, also where the run has only a part of it."""
    return int((call.seconds if call.wall is None else call.wall) * 1e9)


def _id(text: str, size: int) -> str:
    """An id of `size` bytes in hexadecimal, computed from `text`. It is never zero, which OpenTelemetry forbids."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big") or 1
    return f"{number:0{2 * size}x}"
