"""Degradations like those in generated pictures, on batches in torch: distortion, blur, noise, colour shifts, haze.

All functions take and return float images in [0, 1], shape (B, 3, H, W), on the device of the generator they draw from.
A degraded picture stays recognisable, so its labels stay true.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def _uniform(shape: tuple[int, ...], low: float, high: float, g: Generator) -> Tensor:
    return torch.rand(shape, generator=g, device=g.device) * (high - low) + low


def wobble(x: Tensor, g: Generator, shift: float = 0.05, zoom: float = 0.12, wave: float = 0.02) -> Tensor:
    """Shift, scale, rotate and slightly bend each picture. Amounts are shares of the side."""
    b, _, h, w = x.shape
    scale = 1 + _uniform((b,), -zoom, zoom, g)
    turn = _uniform((b,), -0.1, 0.1, g)
    theta = torch.zeros(b, 2, 3, device=g.device)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(turn) * scale
    theta[:, 0, 1] = -torch.sin(turn) * scale
    theta[:, 1, 0] = torch.sin(turn) * scale
    theta[:, :, 2] = _uniform((b, 2), -2 * shift, 2 * shift, g)
    grid = F.affine_grid(theta, [b, 3, h, w], align_corners=False)
    bend = torch.randn(b, 2, 6, 6, generator=g, device=g.device) * wave * _uniform((b, 1, 1, 1), 0, 2, g)
    bend = F.interpolate(bend, size=(h, w), mode="bilinear", align_corners=True)
    return F.grid_sample(x, grid + bend.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, sigma in pixels."""
    radius = max(1, round(2.5 * sigma))
    t = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    k = torch.exp(-(t**2) / (2 * sigma**2))
    k = (k / k.sum()).view(1, 1, -1, 1).repeat(3, 1, 1, 1)
    x = F.conv2d(F.pad(x, (0, 0, radius, radius), mode="replicate"), k, groups=3)
    return F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="replicate"), k.transpose(2, 3), groups=3)


def noise(x: Tensor, g: Generator, grain: float = 0.05, mush: float = 0.08) -> Tensor:
    """Add noise to each pixel and smooth blotches about eight pixels wide, of a random strength for each picture."""
    b, _, h, w = x.shape
    x = x + torch.randn(x.shape, generator=g, device=g.device) * _uniform((b, 1, 1, 1), 0, grain, g)
    coarse = (b, 3, max(2, h // 8), max(2, w // 8))
    spots = torch.randn(coarse, generator=g, device=g.device) * _uniform((b, 1, 1, 1), 0, mush, g)
    return x + F.interpolate(spots, size=(h, w), mode="bilinear", align_corners=False)


def recolour(x: Tensor, g: Generator, amount: float = 0.07) -> Tensor:
    """Shift gain and offset of each channel slightly."""
    b = len(x)
    gain, offset = 1 + _uniform((b, 3, 1, 1), -amount, amount, g), _uniform((b, 3, 1, 1), -amount, amount, g)
    return x * gain + offset * 0.6


def haze(x: Tensor, g: Generator, most: float = 0.5) -> Tensor:
    """Blend with a coarse copy; previews of unfinished pictures look like that."""
    b, _, h, w = x.shape
    coarse = F.interpolate(F.avg_pool2d(x, 8), size=(h, w), mode="bilinear", align_corners=False)
    share = _uniform((b, 1, 1, 1), 0, most, g)
    return x * (1 - share) + coarse * share


def blocks(x: Tensor, g: Generator) -> Tensor:
    """Reduce the resolution of colour but not of brightness, like strong JPEG compression."""
    h, w = x.shape[2:]
    light = x.mean(1, keepdim=True)
    tone = F.interpolate(F.avg_pool2d(x - light, 8), size=(h, w), mode="nearest")
    share = _uniform((len(x), 1, 1, 1), 0, 0.6, g)
    return light + (x - light) * (1 - share) + tone * share


def _some(x: Tensor, chance: float, g: Generator) -> Tensor:
    return (torch.rand(len(x), generator=g, device=g.device) < chance).nonzero().flatten()


def degrade(x: Tensor, g: Generator, strength: float = 1.0) -> Tensor:
    """Apply each kind of degradation to a random part of the batch; `strength` scales the probabilities."""
    x = x.clone()
    pick = _some(x, 0.7 * strength, g)
    if len(pick):
        x[pick] = wobble(x[pick], g)
    return wear(x, g, strength)


def wear(x: Tensor, g: Generator, strength: float = 1.0) -> Tensor:
    """Like `degrade`, without the kinds that move objects."""
    x = x.clone()
    changes: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
        (0.2, lambda t: haze(t, g)),
        (0.12, lambda t: blur(t, 0.8)),
        (0.12, lambda t: blur(t, 1.5)),
        (0.06, lambda t: blur(t, 2.4)),
        (0.1, lambda t: blocks(t, g)),
        (0.6, lambda t: recolour(t, g)),
        (0.6, lambda t: noise(t, g)),
    )
    for chance, change in changes:
        pick = _some(x, chance * strength, g)
        if len(pick):
            x[pick] = change(x[pick])
    return x.clamp_(0, 1)
