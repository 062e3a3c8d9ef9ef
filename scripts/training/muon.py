"""Muon for convolution kernels and matrices, in the precision of the weights.

torch's own takes matrices only and rounds to bfloat16, which is very slow on CPUs without bfloat16 units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def orthogonal(x: Tensor, steps: int = 4) -> Tensor:
    """A tensor (rows, …), seen as a matrix, with its singular values moved towards 1 by Newton-Schulz iteration."""
    flat = x.flatten(1)
    tall = flat.shape[0] > flat.shape[1]
    y: Tensor = flat.T if tall else flat
    y = y / (y.norm() + 1e-7)
    for _ in range(steps):
        a = y @ y.T
        y = 3.4445 * y + (-4.775 * a + 2.0315 * a @ a) @ y
    return (y.T if tall else y).reshape(x.shape)


class Muon(torch.optim.Optimizer):
    """Muon: Nesterov momentum, orthogonalised. Updates are scaled to the usual size of Adam's, so rates carry over."""

    def __init__(self, params: Any, lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonal(p.grad.lerp(mean, group["momentum"]))
                rows, columns = len(p), p[0].numel()
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * 0.2 * max(rows, columns) ** 0.5)
