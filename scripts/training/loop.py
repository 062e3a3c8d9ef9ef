"""What the trainings share: how rates rise and fall, an average of the weights, checkpoints that are whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor


class Progress(TypedDict):
    """How far a training is, over all its runs."""

    step: int
    samples: int
    seconds: float


def share(step: int, warm: int, left: float, decay: float) -> float:
    """Of the learning rate: it rises over `warm` steps, and falls to zero over the last `decay` minutes of a run that
    has `left` seconds to go."""
    return min(1.0, (step + 1) / warm) * (min(1.0, left / (decay * 60)) if decay else 1.0)


@torch.no_grad()
def follow(average: Sequence[Tensor], weights: Sequence[Tensor], step: int) -> None:
    """Moves the average towards the weights: quickly at first, then over some five hundred steps."""
    hold = min(0.998, 1 - 1 / (1 + step / 10))
    torch._foreach_lerp_(list(average), list(weights), 1 - hold)


def keep(values: dict[str, Any], path: Path) -> None:
    """Saves a checkpoint in the place of the former, which stays until the new one is whole."""
    torch.save(values, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
