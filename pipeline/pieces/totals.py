"""What a piece took: which models worked for it, and what was paid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.calls.record import Call, Paid
from pipeline.pieces.record import PieceAttempt


def models_in(calls: Iterable[Call]) -> tuple[dict[str, Any], ...]:
    """The models of calls, each once, with their stage."""
    found = {f"{call.stage} {call.model}": {"stage": call.stage, **call.model} for call in calls}
    return tuple(found.values())


def summed(costs: Iterable[Paid]) -> Paid:
    all_ = list(costs)
    total = {name: sum(getattr(cost, name) for cost in all_) for name in Paid.model_fields}
    return Paid.model_validate(total)


def models_of(attempts: Sequence[PieceAttempt]) -> tuple[dict[str, Any], ...]:
    found = {str(model): model for one in attempts for made in one.made for model in made.models}
    return tuple(found.values())


def paid_of(attempts: Sequence[PieceAttempt]) -> Paid:
    return summed(made.paid for one in attempts for made in one.made)
