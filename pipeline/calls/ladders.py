"""The three ladders: what a usable answer is in each stage, and how a request changes on a lower rung."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PIL.Image import Image

from models.protocols import (
    ImageModel,
    Message,
    ModelError,
    OnStep,
    Paint,
    Painted,
    Question,
    Schemas,
    Scorer,
    Text,
    TextModel,
    schema_of,
    schemas_of,
)
from models.specs import POLICY, Faulty, Spec
from pipeline.calls.fallback import Fallen, Ladder, Rung
from pipeline.calls.flaws import NOT_JSON, image_flaw, scores_flaw, text_flaw

REPAIR = "That was not valid JSON. Answer again, with nothing but the JSON that was asked for."
_PER_CALL = ("steps", "width", "height", "guidance", "max_batch")  # rungs that differ in these share a model


class LadderText(Ladder[TextModel]):
    stage, last_resort = "text", "rules and template"

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        """As TextModel. Answers that should be JSON and are not are asked for once more, with more room, before
        the next rung gets the question. Raises Fallen where a conversation has no answer at all."""

        def ask(
            model: TextModel, items: list[int], turns: Sequence[Sequence[Message]], room: int
        ) -> list[Text]:
            return model.generate(
                turns, schema=schemas_of(schema, items), max_tokens=room, temperature=temperature, seed=seed
            )

        def ask_and_repair(model: TextModel, _: int, items: list[int]) -> list[Text]:
            answers = ask(model, items, [conversations[i] for i in items], max_tokens)
            broken = [n for n, answer in enumerate(answers) if flaw(items[n], answer) == NOT_JSON]
            if broken:
                again = [
                    [*conversations[items[n]], Message("assistant", answers[n].text), Message("user", REPAIR)]
                    for n in broken
                ]
                with self._recorder.among(broken):
                    asked = [items[n] for n in broken]
                    for n, answer in zip(broken, ask(model, asked, again, 2 * max_tokens), strict=True):
                        answers[n] = answer
            return answers

        def flaw(i: int, answer: Text) -> str | None:
            return text_flaw(answer, schema_of(schema, i))

        way = self.descend(len(conversations), ask_and_repair, flaw)
        if way.reasons:
            raise Fallen(self.stage, way.answers, way.reasons)
        return [way.answers[i] for i in range(len(conversations))]


class LadderImage(Ladder[ImageModel]):
    stage, last_resort = "image", "nothing"

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """As ImageModel. A flat picture goes to the next rung, and counts as painted where there is none: its
        verdict says what it is. Raises Fallen where a request has no picture at all."""

        def ask(model: ImageModel, rung: int, items: list[int]) -> list[Painted]:
            return model.paint([self._lowered(requests[i], rung) for i in items], on_step)

        def flaw(_: int, painted: Painted) -> str | None:
            return image_flaw(painted)

        way = self.descend(len(requests), ask, flaw)
        for i in list(way.reasons):
            if i in way.flawed:
                way.answers[i], self.standing[i] = way.flawed[i]
                del way.reasons[i]
        if way.reasons:
            raise Fallen(self.stage, way.answers, way.reasons)
        return [way.answers[i] for i in range(len(requests))]

    def _lowered(self, request: Paint, rung: int) -> Paint:
        """The request in the settings of a rung: what it asks for changes as the rung's own differ from the first's."""
        if rung == 0:
            return request
        first, spec = self.rungs[0].spec, self.rungs[rung].spec

        def scaled(name: str, grid: int = 1) -> int:
            wanted = float(getattr(request, name) or getattr(first, name))
            ratio = float(getattr(spec, name)) / float(getattr(first, name))
            nearest: int = round(wanted * ratio / grid)
            return max(1, nearest) * grid

        guidance = request.guidance
        if guidance is None or guidance == getattr(first, "guidance", None):
            guidance = getattr(spec, "guidance", None)
        return replace(
            request,
            steps=scaled("steps"),
            width=scaled("width", 8),
            height=scaled("height", 8),
            guidance=guidance,
        )


class LadderScorer(Ladder[Scorer]):
    stage, last_resort = "scorer", "pixel checks and a person"

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        """As Scorer, but that an image which no rung could score has NaN for every question."""

        def ask(model: Scorer, _: int, items: list[int]) -> list[list[float]]:
            return model.score([images[i] for i in items], [questions[i] for i in items])

        def flaw(i: int, scores: list[float]) -> str | None:
            return scores_flaw(scores, questions[i])

        way = self.descend(len(images), ask, flaw)
        return [way.answers.get(i) or [math.nan] * len(mine) for i, mine in enumerate(questions)]


def rungs(spec: Spec, build: Callable[[Spec], Any]) -> list[Rung[Any]]:
    """The rungs of a stage. The first that can be built is built at once; where none can be, that is an error of the
    preset or the set-up, and the first rung's is raised before the loop begins."""
    specs: list[Spec] = [spec, *getattr(spec, "fallback", ())]
    built: dict[str, Any] = {}

    def shared(one: Spec) -> Any:
        key = one.model_dump_json(exclude={*_PER_CALL, *POLICY})
        if key not in built:
            built[key] = build(one)
        return built[key]

    made = [Rung(_name(one, spec), one, partial(shared, one)) for one in specs]
    first: ModelError | None = None
    for rung in made:
        try:
            _ = rung.model
            return made
        except ModelError as error:
            first = first or error
    assert first is not None
    raise first


def _name(spec: Spec, first: Spec) -> str:
    """A rung by what is different on it: cpu, 4 steps, 128 × 128, another model."""
    one, other = _inner(spec), _inner(first)
    model = str(getattr(one, "model", one))
    short = model.removeprefix("package:").rstrip("/").rsplit("/", 1)[-1]
    if spec is first or type(one) is not type(other) or model != getattr(other, "model", None):
        return short
    changed = {
        key: value
        for key, value in one.model_dump(exclude=set(POLICY)).items()
        if value != getattr(other, key) and not isinstance(value, dict)
    }
    parts = []
    if {"width", "height"} & set(changed):
        parts.append(f"{getattr(one, 'width')} × {getattr(one, 'height')}")  # noqa: B009
    for key, value in changed.items():
        if key not in ("width", "height"):
            parts.append(
                {"device": f"{value}", "steps": f"{value} steps", "dtype": f"{value}"}.get(
                    key, f"{key} {value}"
                )
            )
    return ", ".join(parts) or short


def _inner(spec: Spec) -> Spec:
    return _inner(spec.of) if isinstance(spec, Faulty) else spec
