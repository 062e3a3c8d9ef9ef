"""Observation: every model call leaves a record. Models are wrapped where they are built, so no caller can
forget it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from PIL.Image import Image
from pydantic import Field

from models.protocols import (
    Identity,
    ImageModel,
    Message,
    OnStep,
    Paint,
    Painted,
    Question,
    Schemas,
    Scorer,
    Text,
    TextModel,
)
from pipeline.brief import Record
from pipeline.calls.energy import Assumed, Meter
from pipeline.config import Machine

Stage = Literal["text", "image", "scorer"]


class Cost(Record):
    """What a kept answer took when it was made; money at today's price."""

    seconds: float = 0.0
    joules: float = 0.0
    money: float = 0.0


class Call(Record):
    """One call of one model, or one brief's part in it. `inputs` and `outputs` are aligned, without the images."""

    stage: Stage
    model: dict[str, Any]  # models.protocols.Identity
    started: datetime
    seconds: float
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    batch: int = 1  # inputs of the whole call, where this is one brief's part of it
    kept: tuple[int, ...] = ()  # positions of inputs answered from kept results: they took no time, no tokens
    saved: tuple[Cost, ...] = ()  # what each of the kept took when it was made
    wall: float | None = None  # seconds of the whole call, where this is one brief's part of it
    error: str | None = None
    items: tuple[int, ...] | None = None  # positions of the inputs in what the stage was asked; None: all
    degraded: str | None = None  # why a model further down the ladder answered
    joules: float = 0.0
    measured: bool = False  # whether the joules were counted, not estimated
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens of a text call, without those of answers that were kept."""
        return self._tokens(set(self.kept))

    @property
    def tokens_with_kept(self) -> int:
        """Tokens as they would be had nothing been kept: what a budget counts, so that a run that was cut short
        ends as it would have ended."""
        return self._tokens(set())

    def _tokens(self, without: set[int]) -> int:
        if self.stage != "text":
            return 0
        answers = [answer for i, answer in enumerate(self.outputs) if i not in without]
        return sum(answer["input_tokens"] + answer["output_tokens"] for answer in answers)

    @property
    def with_kept(self) -> Cost:
        """What the call took with what its kept answers took before: what a budget counts, for the same reason."""
        costs = (Cost(seconds=self.seconds, joules=self.joules, money=self.money), *self.saved)
        return Cost(
            seconds=sum(c.seconds for c in costs),
            joules=sum(c.joules for c in costs),
            money=sum(c.money for c in costs),
        )

    @property
    def images(self) -> int:
        return len(self.outputs) if self.stage == "image" else 0

    @property
    def image_steps(self) -> int:
        """Denoising steps, summed over the images of an image call."""
        return sum(int(used.get("steps") or 0) for used in self.outputs) if self.stage == "image" else 0

    def part(self, positions: Sequence[int]) -> Call:
        """What these inputs had in the call: their outputs, and an even share of what it cost among the
        inputs that the model worked on."""
        kept = dict(zip(self.kept, self.saved or (Cost(),) * len(self.kept), strict=True))
        worked = sum(i not in kept for i in positions)
        share = worked / max(1, len(self.inputs) - len(kept))
        return self.model_copy(
            update={
                "inputs": tuple(self.inputs[i] for i in positions),
                "outputs": tuple(self.outputs[i] for i in positions) if self.outputs else (),
                "seconds": self.seconds * share,
                "wall": self.seconds if self.wall is None else self.wall,
                "joules": self.joules * share,
                "money": self.money * share,
                "batch": len(self.inputs),
                "items": None,
                "kept": tuple(at for at, i in enumerate(positions) if i in kept),
                "saved": tuple(kept[i] for i in positions if i in kept),
            }
        )


@dataclass(frozen=True)
class Asking:
    """What a call record says of the question it belongs to: which of its items, and on which rung."""

    items: tuple[int, ...] | None = None
    degraded: str | None = None


class Recorder:
    """Collects calls in order, with what each took; `take` hands over those since the last time."""

    def __init__(self, meter: Meter | None = None, price: float = 0.0) -> None:
        self._calls: list[Call] = []
        self.meter = meter or Assumed(Machine().watts)
        self._price = price  # of a machine hour
        self.asking = Asking()
        self._open: dict[threading.Thread, Callable[[dict[str, Any]], Call]] = {}

    def take(self) -> tuple[Call, ...]:
        calls, self._calls = tuple(self._calls), []
        return calls

    @contextmanager
    def call(
        self, stage: Stage, model: Identity, inputs: Sequence[Any], options: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Times the block and records it, also when it raises. The block fills in `outputs`."""
        found: dict[str, Any] = {}
        asking, joules = self.asking, self.meter.joules()
        began, clock = datetime.now(UTC), time.perf_counter()

        def record(found: dict[str, Any]) -> Call:
            seconds = time.perf_counter() - clock
            return Call(
                stage=stage, model=asdict(model), started=began, seconds=seconds, inputs=tuple(inputs),
                options=options, items=asking.items, degraded=asking.degraded,
                joules=max(0.0, self.meter.joules() - joules), measured=self.meter.measured,
                money=seconds / 3600 * self._price, **found,
            )  # fmt: skip

        thread = threading.current_thread()
        self._open[thread] = record
        try:
            yield found
        except BaseException as error:
            found = {"error": f"{type(error).__name__}: {error}"}
            raise
        finally:
            if self._open.pop(thread, None):  # else it was abandoned, and is recorded already
                self._calls.append(record(found))

    @contextmanager
    def among(self, positions: Sequence[int]) -> Iterator[None]:
        """Calls within are about these of the items asked about."""
        whole = self.asking
        items = whole.items if whole.items is not None else range(max(positions, default=-1) + 1)
        self.asking = replace(whole, items=tuple(items[i] for i in positions))
        try:
            yield
        finally:
            self.asking = whole

    def kept(self, model: object) -> dict[str, Any]:
        """Which inputs of its last call a model answered from kept results, and what those took once."""
        answered = getattr(model, "answered", {})
        saved = tuple(
            Cost(seconds=r.seconds, joules=r.joules, money=r.seconds / 3600 * self._price)
            for r in answered.values()
        )
        return {"kept": tuple(answered), "saved": saved}

    def abandon(self, thread: threading.Thread, why: str) -> None:
        """Record the open call of a thread that nobody waits for any more."""
        if record := self._open.pop(thread, None):
            self._calls.append(record({"error": why}))


class ObservedText:
    def __init__(self, model: TextModel, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        options = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "schema": schema is not None,
        }
        inputs = [[asdict(message) for message in conversation] for conversation in conversations]
        with self._recorder.call("text", self.identity, inputs, options) as call:
            answers = self._model.generate(
                conversations, schema=schema, max_tokens=max_tokens, temperature=temperature, seed=seed
            )
            call["outputs"] = tuple(asdict(answer) for answer in answers)
            call |= self._recorder.kept(self._model)
        return answers


class ObservedImage:
    def __init__(self, model: ImageModel, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        with self._recorder.call("image", self.identity, [asdict(r) for r in requests], {}) as call:
            painted = self._model.paint(requests, on_step)
            call["outputs"] = tuple(p.settings for p in painted)
            call |= self._recorder.kept(self._model)
        return painted


class ObservedScorer:
    def __init__(self, model: Scorer, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        inputs = [[q.statement for q in mine] for mine in questions]
        with self._recorder.call("scorer", self.identity, inputs, {}) as call:
            scores = self._model.score(images, questions)
            call["outputs"] = tuple(scores)
            call |= self._recorder.kept(self._model)
        return scores
