"""Previews of a running diffusion: the model's current estimate of the finished image, decoded at low resolution.

Pipelines differ in their callback arguments, but all of them call their scheduler's `step`. So steps are counted and
the model's predictions are read there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler, PNDMScheduler
from PIL import Image
from torch import Tensor

PREVIEW_SIDE = 256  # pixels: the longer side of a preview is at most about this


@dataclass(frozen=True, slots=True)
class Moment:
    """One call of the scheduler, with the model's estimate of the finished image in latent space."""

    index: int  # 1-based
    total: int
    clean: Tensor


@contextmanager
def watched(pipe: Any, on_moment: Callable[[Moment], None] | None) -> Iterator[None]:
    """Report every scheduler step of `pipe`. An exception from `on_moment` stops the pipeline."""
    if on_moment is None:
        yield
        return
    scheduler = pipe.scheduler
    step = scheduler.step
    count = 0

    # Pipelines read the signature to see whether a scheduler takes eta and generator, so `wraps` keeps it.
    @functools.wraps(step)
    def reporting(model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        result = step(model_output, timestep, sample, *args, **kwargs)
        count += 1
        total = getattr(pipe, "num_timesteps", None) or len(scheduler.timesteps)
        values = result if isinstance(result, tuple) else result.to_tuple()
        clean = clean_guess(scheduler, count, model_output, timestep, sample, values)
        on_moment(Moment(count, max(count, total), clean))
        return result

    scheduler.step = reporting
    try:
        yield
    finally:
        del scheduler.step  # restores the method of the class


def clean_guess(
    scheduler: Any, index: int, output: Tensor, timestep: Any, before: Tensor, result: tuple[Any, ...]
) -> Tensor:
    """The estimate of x0 at the `index`-th step (1-based), which took latents `before` and the model's `output` to
    `result`. For a scheduler whose x0 is not known: the latents after the step.
    """
    config = scheduler.config
    kind = config.get("prediction_type")
    guess: Tensor = result[0]
    if len(result) > 1 and isinstance(result[1], Tensor) and result[1].shape == guess.shape:
        guess = result[1] / config.get("sigma_data", 1.0)  # the scheduler returns x0; SCM scales it
    elif isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        guess = before.float() - float(scheduler.sigmas[index - 1]) * output.float()
    elif _remembers_clean(scheduler):
        guess = scheduler.model_outputs[-1]
    elif isinstance(scheduler, (PNDMScheduler, DDPMScheduler, DDIMScheduler)):
        alpha = float(scheduler.alphas_cumprod[int(timestep)])
        signal, noise = alpha**0.5, (1 - alpha) ** 0.5
        if kind == "epsilon":
            guess = (before.float() - noise * output.float()) / signal
        elif kind == "v_prediction":
            guess = signal * before.float() - noise * output.float()
    return guess


def decode_small(pipe: Any, latents: Tensor, width: int, height: int) -> list[Image.Image]:
    """Previews from the latents of images of width × height pixels; an empty list if their layout is unknown.

    Latents are shrunk before they are decoded, which costs some sharpness and saves most of the time.
    """
    vae = getattr(pipe, "vae", None)
    with torch.no_grad():
        if vae is None:
            pixels = latents.float()
        else:
            spread = _unpacked(pipe, vae, latents, width, height)
            if spread is None:
                return []
            side = max(spread.shape[-2:]) * PREVIEW_SIDE / max(width, height)
            spread = _shrunk(spread, max(4, round(side)))
            pixels = vae.decode(spread.to(vae.dtype), return_dict=False)[0].float()
        pixels = _shrunk(pixels, PREVIEW_SIDE)
        # NaN in a preview is not an error; the finished image is checked elsewhere.
        pixels = torch.nan_to_num(pixels / 2 + 0.5).clamp(0, 1)
        arrays = (pixels * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(array)) for array in arrays]


def _remembers_clean(scheduler: Any) -> bool:
    """True for the multistep solvers that store x0 in `model_outputs`."""
    config = scheduler.config
    solver = str(config.get("algorithm_type", "")).endswith("dpmsolver++") or config.get("predict_x0")
    return bool(solver) and getattr(scheduler, "model_outputs", [None])[-1] is not None


def _unpacked(pipe: Any, vae: Any, latents: Tensor, width: int, height: int) -> Tensor | None:
    """Latents as the autoencoder takes them, (N, C, h, w): the packing and scaling of each model family is undone."""
    config = vae.config
    if latents.ndim == 3 and hasattr(pipe, "_unpatchify_latents"):  # FLUX.2
        h, w = height // (pipe.vae_scale_factor * 2), width // (pipe.vae_scale_factor * 2)
        if latents.shape[1] != h * w:
            return None
        grid = latents.float().transpose(1, 2).reshape(latents.shape[0], -1, h, w)
        mean = vae.bn.running_mean.view(1, -1, 1, 1).to(grid)
        std = (vae.bn.running_var.view(1, -1, 1, 1).to(grid) + config.batch_norm_eps).sqrt()
        spread: Tensor = pipe._unpatchify_latents(grid * std + mean)
        return spread
    if latents.ndim == 3 and hasattr(pipe, "_unpack_latents"):  # FLUX.1 and its kin
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
    if latents.ndim != 4:
        return None
    latents = latents.float() / (config.get("scaling_factor") or 1.0)
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and std is not None:
        shape = (1, -1, 1, 1)
        latents = latents * latents.new_tensor(std).view(shape) + latents.new_tensor(mean).view(shape)
    return latents + float(config.get("shift_factor") or 0.0)


def _shrunk(x: Tensor, side: int) -> Tensor:
    longest = max(x.shape[-2:])
    if longest <= side:
        return x
    size = [max(1, round(n * side / longest)) for n in x.shape[-2:]]
    return torch.nn.functional.interpolate(x, size=size, mode="area")
