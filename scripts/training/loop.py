"""Shared by the trainings: learning-rate schedule, average of the weights, atomic checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor


class Progress(TypedDict):
    """How far a training has come, over all its runs."""

    step: int
    samples: int
    seconds: float  # of wall time spent


def share(step: int, warm: int, left: float, decay: float) -> float:
    """Factor in [0, 1] for the learning rate: rises over the first `warm` steps, and falls to zero over the last
    `decay` minutes of a run with `left` seconds to go (`decay` 0: does not fall)."""
    return min(1.0, (step + 1) / warm) * (min(1.0, left / (decay * 60)) if decay else 1.0)


@torch.no_grad()
def follow(average: Sequence[Tensor], weights: Sequence[Tensor], step: int) -> None:
    """Move the exponential moving average towards the weights, in place. The decay rises to 0.998 (a span of 500
    steps)."""
    hold = min(0.998, 1 - 1 / (1 + step / 10))
    torch._foreach_lerp_(list(average), list(weights), 1 - hold)


def keep(values: dict[str, Any], path: Path) -> None:
    """Save a checkpoint atomically: the old file is replaced once the new one is complete."""
    torch.save(values, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
