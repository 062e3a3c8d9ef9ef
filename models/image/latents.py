"""Latents of a diffusers pipeline: their places in the picture, and what the autoencoder takes of them. Each family of
models packs and scales them in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """Latents by their places: `values` are (N, C, h, w). `frames`: the autoencoder is one of videos, and takes
    (N, C, 1, h, w); of several frames this is the first."""

    values: Tensor
    frames: bool = False


def grid_of(pipe: Any, latents: Tensor, width: int, height: int) -> Grid | None:
    """The latents of images of width × height pixels by their places, as the model scales them; None if their layout
    is unknown."""
    if latents.ndim == 3 and hasattr(pipe, "_unpatchify_latents"):  # FLUX.2
        h, w = height // (pipe.vae_scale_factor * 2), width // (pipe.vae_scale_factor * 2)
        if latents.shape[1] != h * w:
            return None
        return Grid(latents.float().transpose(1, 2).reshape(latents.shape[0], -1, h, w))
    if latents.ndim == 3 and hasattr(pipe, "_unpack_latents"):  # FLUX.1 and its kin, Qwen-Image
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
    if latents.ndim == 5:
        return Grid(latents[:, :, 0].float(), frames=True)
    return Grid(latents.float()) if latents.ndim == 4 else None


def decoded(pipe: Any, grid: Grid, share: float) -> Tensor:
    """The pixels that the pipeline's autoencoder makes of latents shrunk to a share of their sides: (N, 3, H, W), about
    -1 to 1. Shrinking them first costs some sharpness and saves most of the time.

    An autoencoder that gives NaN in float16 (`force_upcast`) works in float32 meanwhile, as in the pipeline."""
    vae = pipe.vae
    upcast = vae.dtype == torch.float16 and bool(vae.config.get("force_upcast"))
    try:
        if upcast:
            vae.to(dtype=torch.float32)
        latents = _unscaled(pipe, grid.values)
        latents = shrunk(latents, max(4, round(max(latents.shape[-2:]) * share))).to(vae.dtype)
        given = latents.unsqueeze(2) if grid.frames else latents
        pixels: Tensor = vae.decode(given, return_dict=False)[0].float()
    finally:
        if upcast:
            vae.to(dtype=torch.float16)
    return pixels[:, :, 0] if grid.frames else pixels


def _unscaled(pipe: Any, grid: Tensor) -> Tensor:
    """Latents (N, C, h, w) as the autoencoder takes them: the scaling is undone."""
    vae, config = pipe.vae, pipe.vae.config
    shape = (1, -1, 1, 1)
    if hasattr(pipe, "_unpatchify_latents"):  # FLUX.2
        mean = vae.bn.running_mean.view(shape).to(grid)
        std = (vae.bn.running_var.view(shape).to(grid) + config.batch_norm_eps).sqrt()
        latents: Tensor = pipe._unpatchify_latents(grid * std + mean)
        return latents
    grid = grid / (config.get("scaling_factor") or 1.0)
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and std is not None:
        grid = grid * grid.new_tensor(std).view(shape) + grid.new_tensor(mean).view(shape)
    return grid + float(config.get("shift_factor") or 0.0)


def shrunk(x: Tensor, side: int) -> Tensor:
    """(N, C, H, W) with at most `side` places on the longer side."""
    longest = max(x.shape[-2:])
    if longest <= side:
        return x
    size = [max(1, round(n * side / longest)) for n in x.shape[-2:]]
    return torch.nn.functional.interpolate(x, size=size, mode="area")


def in_place(module: Any) -> bool:
    """Whether a module stays where it is: an offloaded one is moved to the GPU and back by hooks of accelerate."""
    parts = module.modules() if isinstance(module, torch.nn.Module) else ()
    return not any(hasattr(part, "_hf_hook") for part in parts)
