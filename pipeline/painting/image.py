"""Prompts → candidates: one batched request to the image model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from PIL.Image import Image
from pydantic import ConfigDict, Field

from models.protocols import Box, OnStep, Paint, Painted
from pipeline.brief import Brief, Record
from pipeline.calls.record import Answer, Made
from pipeline.calls.stage import Stage
from pipeline.painting.prompt import Prompt
from pipeline.stopping import Stop


class Edit(Record):
    """Which candidate an image is an edit of, and where it may differ: in `box`, as shares of the sides, or everywhere.

    `mask`: of the reference's size and of mode L; white where the image is painted anew."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    candidate: str
    box: Box | None = None
    reference: Image = Field(exclude=True, repr=False)
    mask: Image | None = Field(default=None, exclude=True, repr=False)


class Plan(Record):
    """One image to paint: with the image model, this decides its pixels.

    `width` and `height` are in pixels; None takes the value of the image model's spec, also for `steps` and
    `guidance`. `other_painter`: by the first, second and so on of the larger painters that the preset names; 0: by its
    usual one."""

    prompt: Prompt
    seed: int
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    edit: Edit | None = Field(default=None, exclude_if=lambda edit: edit is None)
    other_painter: int = Field(default=0, exclude_if=lambda other: not other)

    @property
    def how(self) -> Literal["edit", "other painter"] | None:
        """The word for a picture that the painter of the preset did not paint anew; None for the usual ones."""
        if self.other_painter:
            return "other painter"
        return "edit" if self.edit else None

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
            (self.edit.candidate, self.edit.box) if self.edit else None,
            self.other_painter,
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


def candidate_of(record: Mapping[str, Any], image: Image) -> Candidate:
    """A candidate from its record, with its picture. What it was edited from is not in its record, and does not matter
    for judging it. Raises ValidationError for a record that cannot be used."""
    given = record.get("plan")
    plan = {key: value for key, value in given.items() if key != "edit"} if isinstance(given, dict) else given
    return Candidate.model_validate({**record, "plan": plan, "image": image})


# What is added to the seed from one image of a run to the next. It is so large that runs with neighbouring seeds, and
# their retries (work/retry.py), share no seed. A painter with a range chooses backgrounds, styles and layouts by the
# remainder of the seed after a division by their number, which is at most 13 here. The step is divisible by no number
# from 2 to 13, so the images of a run get every choice in turn.
IMAGE_STEP = 10_000_000_147


def seeds(brief: Brief, painted: int, count: int) -> list[int]:
    """Seeds of a brief's next `count` images: the first has the brief's own, each later one is `IMAGE_STEP` further."""
    return [(brief.seed + (painted + i) * IMAGE_STEP) % 2**63 for i in range(count)]


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
    handed_up: str | None = None,
) -> Made[Painting]:
    """Paint the plans of several briefs in one request.

    `plans` and `attempts` have one entry for each brief; `attempts` holds the attempt numbers, which become part of
    the candidates' ids. `handed_up`: what smaller painters left open, for the record."""
    flat = [
        Paint(
            prompt=plan.prompt.text, seed=plan.seed, negative=plan.prompt.negative,
            width=plan.width, height=plan.height, steps=plan.steps, guidance=plan.guidance,
            reference=plan.edit.reference if plan.edit else None, mask=plan.edit.mask if plan.edit else None,
        )
        for brief_plans in plans for plan in brief_plans
    ]  # fmt: skip
    reply = image.ask(flat, on_step, stop, handed_up)
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
    if notes := _notes(answer.value.settings):
        note = "; ".join([plan.prompt.note, *notes] if plan.prompt.note else notes)
        plan = plan.model_copy(update={"prompt": plan.prompt.model_copy(update={"note": note})})
    return Candidate(
        id=id, plan=plan, settings=answer.value.settings, model=answer.model.name,
        revision=answer.model.revision, degraded=answer.degraded, as_named=answer.calibrated,
        image=answer.value.image,
    )  # fmt: skip


_IGNORED = {"negative": "negative prompt", "guidance": "guidance"}


def _notes(settings: dict[str, Any]) -> list[str]:
    """What of a plan had no effect on the picture, in words."""
    notes = [f"{_IGNORED[name]} ignored by this painter" for name in settings.get("ignored", ())]
    if cut := settings.get("prompt_cut"):
        notes.append(f"the image model reads only the first {cut['read']} of its {cut['of']} tokens")
    return notes
