"""Observation: every model call leaves a record. Models are wrapped where they are built, so no caller can
forget it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from PIL.Image import Image
from pydantic import Field

from models.protocols import (
    Identity,
    ImageModel,
    JsonSchema,
    Message,
    OnStep,
    Paint,
    Painted,
    Question,
    Scorer,
    Text,
    TextModel,
)
from pipeline.brief import Record

Stage = Literal["text", "image", "scorer"]


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
    error: str | None = None

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

    def part(self, positions: Sequence[int]) -> Call:
        """What these inputs had in the call: their outputs, and an even share of its seconds among the inputs
        that the model worked on."""
        kept = set(self.kept)
        worked = sum(i not in kept for i in positions)
        share = worked / max(1, len(self.inputs) - len(kept))
        return self.model_copy(
            update={
                "inputs": tuple(self.inputs[i] for i in positions),
                "outputs": tuple(self.outputs[i] for i in positions) if self.outputs else (),
                "seconds": self.seconds * share,
                "batch": len(self.inputs),
                "kept": tuple(at for at, i in enumerate(positions) if i in kept),
            }
        )


class Recorder:
    """Collects calls in order; `take` hands over those since the last time."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def take(self) -> tuple[Call, ...]:
        calls, self._calls = tuple(self._calls), []
        return calls

    @contextmanager
    def call(
        self, stage: Stage, model: Identity, inputs: Sequence[Any], options: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Times the block and records it, also when it raises. The block fills in `outputs`."""
        found: dict[str, Any] = {}
        began, clock = datetime.now(UTC), time.perf_counter()
        try:
            yield found
        except BaseException as error:
            found["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._calls.append(
                Call(
                    stage=stage, model=asdict(model), started=began, seconds=time.perf_counter() - clock,
                    inputs=tuple(inputs), options=options, **found,
                )
            )  # fmt: skip


def _kept(model: object) -> tuple[int, ...]:
    """Which inputs of its last call a model answered from kept results."""
    kept: tuple[int, ...] = getattr(model, "answered", ())
    return kept


class ObservedText:
    def __init__(self, model: TextModel, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: JsonSchema | None = None,
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
            call["kept"] = _kept(self._model)
        return answers


class ObservedImage:
    def __init__(self, model: ImageModel, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        with self._recorder.call("image", self.identity, [asdict(r) for r in requests], {}) as call:
            painted = self._model.paint(requests, on_step)
            call["outputs"] = tuple(p.settings for p in painted)
            call["kept"] = _kept(self._model)
        return painted


class ObservedScorer:
    def __init__(self, model: Scorer, recorder: Recorder) -> None:
        self._model, self._recorder, self.identity = model, recorder, model.identity

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        inputs = [[q.statement for q in mine] for mine in questions]
        with self._recorder.call("scorer", self.identity, inputs, {}) as call:
            scores = self._model.score(images, questions)
            call["outputs"] = tuple(scores)
            call["kept"] = _kept(self._model)
        return scores
