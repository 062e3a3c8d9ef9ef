"""Prompts → candidates: one batched request to the image model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image
from pydantic import ConfigDict, Field

from models.protocols import OnStep, Paint, Painted
from pipeline.brief import Brief, Record
from pipeline.calls.record import Answer, Made
from pipeline.calls.stage import Stage
from pipeline.painting.prompt import Prompt
from pipeline.stopping import Stop


class Plan(Record):
    """One image to paint: with the image model, this decides its pixels.

    `width` and `height` are in pixels; None takes the value of the image model's spec, also for `steps` and
    `guidance`."""

    prompt: Prompt
    seed: int
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Plans with equal keys give equal images."""
        return (
            self.prompt.text,
            self.prompt.negative,
            self.seed,
            self.width,
            self.height,
            self.steps,
            self.guidance,
        )


class Candidate(Record):
    """One image with everything needed to make it again."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    id: str  # "<attempt>-<number>"
    plan: Plan
    settings: dict[str, Any]  # that the image model used, with its defaults
    model: str
    revision: str
    degraded: str | None = None  # why a fallback painted it; None: the first rung did
    as_named: bool = True  # whether it was painted with the weights that the preset names
    image: Image = Field(exclude=True, repr=False)


def seeds(brief: Brief, painted: int, count: int) -> list[int]:
    """Seeds of a brief's next `count` images: the brief's seed plus the number of images painted before each."""
    return [(brief.seed + painted + i) % 2**63 for i in range(count)]


class Painting(Record):
    """The candidates of one brief in one attempt. `failure`: why there are none."""

    candidates: tuple[Candidate, ...]
    failure: str | None = None


def paint(
    plans: Sequence[Sequence[Plan]],
    attempts: Sequence[int],
    image: Stage[Paint, Painted],
    on_step: OnStep | None = None,
    stop: Stop | None = None,
) -> Made[Painting]:
    """Paint the plans of several briefs in one request.

    `plans` and `attempts` have one entry for each brief; `attempts` holds the attempt numbers, which become part of
    the candidates' ids."""
    flat = [
        Paint(
            prompt=plan.prompt.text, seed=plan.seed, negative=plan.prompt.negative,
            width=plan.width, height=plan.height, steps=plan.steps, guidance=plan.guidance,
        )
        for brief_plans in plans for plan in brief_plans
    ]  # fmt: skip
    reply = image.ask(flat, on_step, stop)
    paintings, calls, start = [], [], 0
    for brief_plans, attempt in zip(plans, attempts, strict=True):
        positions = range(start, start + len(brief_plans))
        start += len(brief_plans)
        answers = [reply.answers[position] for position in positions]
        candidates = tuple(
            _candidate(f"{attempt}-{number}", plan, answer)
            for number, (plan, answer) in enumerate(zip(brief_plans, answers, strict=True), 1)
            if answer.value is not None
        )
        failed = bool(brief_plans) and not candidates
        failure = f"nothing could be painted: {answers[0].reason}" if failed else None
        paintings.append(Painting(candidates=candidates, failure=failure))
        calls.append(reply.calls_for(positions))
    return Made(paintings, calls, reply.stopped)


def _candidate(id: str, plan: Plan, answer: Answer[Painted]) -> Candidate:
    assert answer.value is not None
    assert answer.model is not None
    if cut := answer.value.settings.get("prompt_cut"):
        said = f"the image model reads only the first {cut['read']} of its {cut['of']} tokens"
        note = f"{plan.prompt.note}; {said}" if plan.prompt.note else said
        plan = plan.model_copy(update={"prompt": plan.prompt.model_copy(update={"note": note})})
    return Candidate(
        id=id, plan=plan, settings=answer.value.settings, model=answer.model.name,
        revision=answer.model.revision, degraded=answer.degraded, as_named=answer.calibrated,
        image=answer.value.image,
    )  # fmt: skip
