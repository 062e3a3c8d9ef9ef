"""Prompts → candidates: one batched call to the image model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image
from pydantic import ConfigDict, Field

from models.protocols import ImageModel, ModelError, OnStep, Paint, Painted
from pipeline.brief import Brief, Record
from pipeline.calls.fallback import Fallen, Standing, standing
from pipeline.painting.prompt import Prompt


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


def paint(
    plans: Sequence[Sequence[Plan]], attempts: Sequence[int], model: ImageModel, on_step: OnStep | None = None
) -> tuple[list[list[Candidate]], dict[int, str]]:
    """Paint the plans of several briefs together; `attempts` are the attempt numbers that name the candidates. The
    second answer says, by position of the brief, why it has no candidate."""
    flat = [plan for mine in plans for plan in mine]
    requests = [
        Paint(
            prompt=plan.prompt.text, seed=plan.seed, negative=plan.prompt.negative,
            width=plan.width, height=plan.height, steps=plan.steps, guidance=plan.guidance,
        )
        for plan in flat
    ]  # fmt: skip
    reasons: dict[int, str] = {}
    try:
        painted = dict(enumerate(model.paint(requests, on_step)))
    except Fallen as error:
        painted, reasons = error.answers, error.reasons
    except ModelError as error:
        painted, reasons = {}, dict.fromkeys(range(len(flat)), str(error))
    who, position = standing(model, len(flat)), 0
    made: list[list[Candidate]] = []
    broken: dict[int, str] = {}
    for i, (mine, attempt) in enumerate(zip(plans, attempts, strict=True)):
        places = range(position, position + len(mine))
        position += len(mine)
        made.append(
            [
                _candidate(f"{attempt}-{number}", plan, painted[at], who[at])
                for number, (at, plan) in enumerate(zip(places, mine, strict=True), 1)
                if at in painted
            ]
        )
        if mine and not made[i]:
            broken[i] = f"nothing could be painted: {reasons[places[0]]}"
    return made, broken


def _candidate(id: str, plan: Plan, painted: Painted, who: Standing) -> Candidate:
    name, revision = (who.identity.name, who.identity.revision) if who.identity else ("", "")
    return Candidate(
        id=id, plan=plan, settings=painted.settings, model=name, revision=revision, degraded=who.degraded,
        image=painted.image,
    )  # fmt: skip
