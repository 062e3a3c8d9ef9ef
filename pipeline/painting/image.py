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
    """One image to make: everything that decides its pixels, given the image model."""

    prompt: Prompt
    seed: int
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal keys give equal images."""
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
    settings: dict[str, Any]  # as used by the image model, defaults filled in
    model: str
    revision: str
    degraded: str | None = None  # why another model or setting painted it than the preset's first
    image: Image = Field(exclude=True, repr=False)


def seeds(brief: Brief, painted: int, count: int) -> list[int]:
    """Seeds of a brief's next images: its own, then the following numbers."""
    return [(brief.seed + painted + i) % 2**63 for i in range(count)]


class Painting(Record):
    """What came of a brief's plans: its candidates, or why there are none."""

    candidates: tuple[Candidate, ...]
    failure: str | None = None


def paint(
    plans: Sequence[Sequence[Plan]],
    attempts: Sequence[int],
    image: Stage[Paint, Painted],
    on_step: OnStep | None = None,
    stop: Stop | None = None,
) -> Made[Painting]:
    """Paint the plans of several briefs in one request; `attempts` are the attempt numbers that name the candidates."""
    flat = [
        Paint(
            prompt=plan.prompt.text, seed=plan.seed, negative=plan.prompt.negative,
            width=plan.width, height=plan.height, steps=plan.steps, guidance=plan.guidance,
        )
        for mine in plans for plan in mine
    ]  # fmt: skip
    reply = image.ask(flat, on_step, stop)
    paintings, calls, start = [], [], 0
    for mine, attempt in zip(plans, attempts, strict=True):
        positions = range(start, start + len(mine))
        start += len(mine)
        answers = [reply.answers[at] for at in positions]
        made = tuple(
            _candidate(f"{attempt}-{number}", plan, answer)
            for number, (plan, answer) in enumerate(zip(mine, answers, strict=True), 1)
            if answer.value is not None
        )
        failure = f"nothing could be painted: {answers[0].reason}" if mine and not made else None
        paintings.append(Painting(candidates=made, failure=failure))
        calls.append(reply.calls_for(positions))
    return Made(paintings, calls, reply.stopped)


def _candidate(id: str, plan: Plan, answer: Answer[Painted]) -> Candidate:
    assert answer.value is not None
    assert answer.model is not None
    return Candidate(
        id=id, plan=plan, settings=answer.value.settings, model=answer.model.name,
        revision=answer.model.revision, degraded=answer.degraded, image=answer.value.image,
    )  # fmt: skip
