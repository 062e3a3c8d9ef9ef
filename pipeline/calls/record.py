"""The record of a model call, and what a stage replies to a request.

One call serves several briefs; `Call.part` is one brief's part of it, with an even share of what it cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field

from models.protocols import Identity
from models.specs import Stage
from pipeline.brief import Record

StageName = Stage  # `Stage` itself is the class in stage.py
Out = TypeVar("Out")


class Cost(Record):
    """What an answer or a call took. `money` is in the machine's currency, at its price when the record was made."""

    seconds: float = 0.0
    joules: float = 0.0
    money: float = 0.0


class Paid(Record):
    """What the models did for a run, kept answers left out. `seconds`: of its shares in model calls."""

    images: int = 0
    image_steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    money: float = 0.0


class Call(Record):
    """One call of one model, or one brief's part of it. `inputs` and `outputs` are aligned and hold no images."""

    stage: StageName
    model: dict[str, Any]  # models.protocols.Identity
    started: datetime
    seconds: float
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    batch: int = 1  # number of inputs of the whole call, if this is one brief's part of it
    kept: tuple[int, ...] = ()  # positions of the inputs answered from kept results, at no cost
    saved: tuple[Cost, ...] = ()  # for each of `kept`, what the answer took when it was made
    wall: float | None = None  # seconds of the whole call, if this is one brief's part of it
    error: str | None = None
    items: tuple[int, ...] | None = None  # positions of the inputs in the request to the stage; None: all
    degraded: str | None = None  # why this model was called instead of the first rung's
    # What a smaller model left open, so that this one was asked; None where it was asked first.
    handed_up: str | None = Field(default=None, exclude_if=lambda handed: handed is None)
    joules: float = 0.0
    measured: bool = False  # whether the joules were measured; else they are estimated
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens of a call of a language model, without those of kept answers."""
        return self._tokens(set(self.kept))

    @property
    def tokens_with_kept(self) -> int:
        """Input and output tokens, those of kept answers included. Budgets count these, so that a run that was
        interrupted and is played again ends as it would have ended without the interruption."""
        return self._tokens(set())

    def _tokens(self, without: set[int]) -> int:
        if self.stage not in ("text", "vlm"):
            return 0
        answers = [answer for i, answer in enumerate(self.outputs) if i not in without]
        return sum(answer["input_tokens"] + answer["output_tokens"] for answer in answers)

    @property
    def with_kept(self) -> Cost:
        """The cost of the call plus the original cost of its kept answers. Budgets count this, as they count
        `tokens_with_kept`."""
        costs = (Cost(seconds=self.seconds, joules=self.joules, money=self.money), *self.saved)
        return Cost(
            seconds=sum(c.seconds for c in costs),
            joules=sum(c.joules for c in costs),
            money=sum(c.money for c in costs),
        )

    @property
    def images(self) -> int:
        """Images of an image call, those of kept answers included."""
        return len(self.outputs) if self.stage == "image" else 0

    @property
    def painted(self) -> int:
        """Images that the model painted in this call."""
        return max(0, self.images - len(self.kept))

    @property
    def image_steps(self) -> int:
        """Denoising steps, summed over the images of an image call."""
        return sum(int(used.get("steps") or 0) for used in self.outputs) if self.stage == "image" else 0

    def part(self, positions: Sequence[int]) -> Call:
        """The part of the call that concerns the inputs at `positions`.

        Its cost is the call's cost × (inputs at `positions` that the model answered) / (all inputs that it answered);
        kept answers cost nothing."""
        kept = dict(zip(self.kept, self.saved or (Cost(),) * len(self.kept), strict=True))
        answered = sum(i not in kept for i in positions)
        share = answered / max(1, len(self.inputs) - len(kept))
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


@dataclass(frozen=True, slots=True)
class Answer(Generic[Out]):
    """The answer to one item of a request, and the model that gave it."""

    value: Out | None  # None: no model answered; `reason` says why
    model: Identity | None = None
    degraded: str | None = None  # which model failed, and what answered instead
    calibrated: bool = (
        True  # whether it came from the first rung's weights, for which the bands were measured
    )
    kept: bool = False  # whether it was taken from kept results
    cost: Cost = field(default_factory=Cost)  # of this answer; of a kept one, when it was made
    reason: str = ""

    @property
    def name(self) -> str:
        """The last part of the model's name, or "none"."""
        return self.model.name.rstrip("/").rsplit("/", 1)[-1] if self.model else "none"


@dataclass(frozen=True, slots=True)
class Reply(Generic[Out]):
    """The answers to a request, aligned with its items, and all calls made for it, failed ones included.

    `stopped`: a stop was requested before all items were answered."""

    answers: Sequence[Answer[Out]]
    calls: Sequence[Call]
    stopped: bool = False

    def calls_for(self, positions: Sequence[int]) -> tuple[Call, ...]:
        """The parts of the calls that concern the items at these positions."""
        wanted, parts = set(positions), []
        for call in self.calls:
            items = call.items if call.items is not None else range(len(call.inputs))
            if inputs := [i for i, item in enumerate(items) if item in wanted]:
                parts.append(call.part(inputs))
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class Made(Generic[Out]):
    """The results of a stage for several briefs. `each` and `calls` have one entry for each brief, in order.

    `stopped`: a stop was requested before the stage was done, so some results are incomplete."""

    each: list[Out]
    calls: list[tuple[Call, ...]]
    stopped: bool = False
