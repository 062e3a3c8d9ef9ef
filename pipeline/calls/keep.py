"""Kept results: each answer of a model is kept under the hash of all that decides it, input by input. A run that
was cut short is played again from the start; what was answered before is not asked again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from PIL.Image import Image

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
    Step,
    Text,
    TextModel,
    schema_of,
    schemas_of,
)
from models.specs import Spec, answer_settings
from pipeline.calls.flaws import image_flaw, scores_flaw, text_flaw
from pipeline.calls.record import Stage
from pipeline.pixels import fingerprint

VERSION = 1  # raised when the same key would no longer mean the same answer


@dataclass(frozen=True, slots=True)
class Result:
    """`value` is plain JSON; a painter's answer has its picture beside it. `seconds` and `joules` are its share of
    the call that made it."""

    value: dict[str, Any]
    image: Image | None = None
    flaw: str | None = None  # why it is not kept
    seconds: float = 0.0
    joules: float = 0.0


class Results(Protocol):
    """Where results are kept. `get` returns those it has."""

    def get(self, keys: Sequence[str]) -> dict[str, Result]: ...

    def put(self, stage: str, results: Mapping[str, Result]) -> None: ...


@dataclass
class Keep:
    """`between` is called with the stage before each batch of new work; what it raises stops the work there, with
    everything kept that was done. `joules` reads the meter."""

    results: Results
    between: Callable[[Stage], None] | None = None
    joules: Callable[[], float] = float

    def answered(
        self, stage: Stage, keys: Sequence[str], most: int, work: Callable[[list[int]], list[Result]]
    ) -> tuple[list[Result], tuple[int, ...]]:
        """A result for each key, and the positions of those that were kept before. `work` is given positions to
        answer, at most `most` at a time."""
        found = self.results.get(list(dict.fromkeys(keys)))
        kept = tuple(i for i, key in enumerate(keys) if key in found)
        missing = list({key: i for i, key in reversed(list(enumerate(keys))) if key not in found}.values())
        missing.reverse()
        for batch in _cut(missing, most):
            if self.between is not None:
                self.between(stage)
            joules, clock = self.joules(), time.perf_counter()
            answers = work(batch)
            cost = (time.perf_counter() - clock) / len(batch), (self.joules() - joules) / len(batch)
            made = {
                keys[i]: replace(answer, seconds=cost[0], joules=cost[1])
                for i, answer in zip(batch, answers, strict=True)
            }
            self.results.put(stage, {key: result for key, result in made.items() if not result.flaw})
            found |= made
        return [found[key] for key in keys], kept


def _cut(positions: list[int], most: int) -> Iterator[list[int]]:
    return (positions[at : at + most] for at in range(0, len(positions), most))


class _Kept:
    """What the three wrappers share. `answered` holds what the last call had for nothing, by position."""

    stage: Stage

    def __init__(self, model: Any, spec: Spec, keep: Keep) -> None:
        self._model, self._keep = model, keep
        self.identity: Identity = model.identity
        self._spec = answer_settings(spec)
        self._most = int(getattr(spec, "max_batch", 0) or getattr(spec, "max_parallel", 1))
        self.answered: dict[int, Result] = {}

    def _key(self, inputs: Any) -> str:
        whole = [VERSION, self.stage, asdict(self.identity), self._spec, inputs]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def _answer(
        self, keys: Sequence[str], work: Callable[[list[int]], list[Result]], most: int | None = None
    ) -> list[Result]:
        self.answered = {}
        results, kept = self._keep.answered(self.stage, keys, most or self._most, work)
        self.answered = {i: results[i] for i in kept}
        return results


class KeptText(_Kept):
    stage = "text"

    def __init__(self, model: TextModel, spec: Spec, keep: Keep) -> None:
        super().__init__(model, spec, keep)

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        asked = [[asdict(message) for message in turns] for turns in conversations]
        keys = [
            self._key([turns, schema_of(schema, i), max_tokens, temperature, seed])
            for i, turns in enumerate(asked)
        ]
        repeated = temperature > 0 and len(set(keys)) < len(keys)
        if repeated:  # drawn anew each time, so they stand or fall together
            keys = [self._key([key, keys, i]) for i, key in enumerate(keys)]

        def work(positions: list[int]) -> list[Result]:
            answers = self._model.generate(
                [conversations[i] for i in positions], schema=schemas_of(schema, positions),
                max_tokens=max_tokens, temperature=temperature, seed=seed,
            )  # fmt: skip
            return [
                Result(asdict(answer), flaw=text_flaw(answer, schema_of(schema, i)))
                for i, answer in zip(positions, answers, strict=True)
            ]

        return [Text(**r.value) for r in self._answer(keys, work, len(keys) if repeated else None)]


class KeptImage(_Kept):
    stage = "image"

    def __init__(self, model: ImageModel, spec: Spec, keep: Keep) -> None:
        super().__init__(model, spec, keep)
        self._most = getattr(model, "most_together", None) or self._most

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        # Like settings side by side, so that cutting them into batches splits no batch of the painter's own.
        order = sorted(range(len(requests)), key=lambda i: _settings(requests[i]))
        keys = [self._key(asdict(requests[i])) for i in order]

        def work(positions: list[int]) -> list[Result]:
            batch = [order[at] for at in positions]

            def told(step: Step) -> None:
                if on_step is not None:
                    on_step(replace(step, requests=tuple(batch[at] for at in step.requests)))

            painted = self._model.paint([requests[i] for i in batch], told if on_step else None)
            return [Result({"settings": p.settings}, p.image, image_flaw(p)) for p in painted]

        results = self._answer(keys, work)
        self.answered = {
            order[at]: found for at, found in sorted(self.answered.items(), key=lambda a: order[a[0]])
        }
        by_position = dict(zip(order, results, strict=True))
        return [
            Painted(found.image, found.value["settings"])
            for i in range(len(requests))
            if (found := by_position[i]).image is not None
        ]


def _settings(request: Paint) -> tuple[Any, ...]:
    parts = (request.width, request.height, request.steps, request.guidance)
    return (*((part is not None, part or 0) for part in parts), bool(request.negative))


class KeptScorer(_Kept):
    stage = "scorer"

    def __init__(self, model: Scorer, spec: Spec, keep: Keep) -> None:
        super().__init__(model, spec, keep)

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        keys = [
            self._key([fingerprint(image), [asdict(q) for q in mine]])
            for image, mine in zip(images, questions, strict=True)
        ]

        def work(positions: list[int]) -> list[Result]:
            scores = self._model.score([images[i] for i in positions], [questions[i] for i in positions])
            return [
                Result({"scores": [float(p) for p in mine]}, flaw=scores_flaw(mine, questions[i]))
                for i, mine in zip(positions, scores, strict=True)
            ]

        return [found.value["scores"] for found in self._answer(keys, work)]
