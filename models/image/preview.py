"""Previews of a running diffusion: the model's current estimate of the finished image, at low resolution.

Pipelines differ in their callback arguments, but all of them call their scheduler's `step`. So steps are counted and
the model's predictions are read there. A preview never ends a run: where it fails there is none.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler, PNDMScheduler
from PIL import Image
from torch import Tensor

from models.image.latents import decoded, grid_of, in_place, shrunk

PREVIEW_SIDE = 256  # pixels: the longer side of a preview is at most about this
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moment:
    """One call of the scheduler. `clean()`: the model's estimate of the finished images, as latents; `after`: the
    latents after the step, None where the scheduler returns something else."""

    index: int  # 1-based
    total: int
    clean: Callable[[], Tensor]
    after: Tensor | None


@contextmanager
def watched(pipe: Any, on_moment: Callable[[Moment], None] | None) -> Iterator[None]:
    """Report every scheduler step of `pipe`. An exception from `on_moment` stops the pipeline."""
    scheduler = getattr(pipe, "scheduler", None)
    if on_moment is None or scheduler is None:
        yield
        return
    step = scheduler.step
    arguments = inspect.signature(step)
    count = 0

    # Pipelines read the signature to see whether a scheduler takes eta and generator, so `wraps` keeps it.
    @functools.wraps(step)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        given = arguments.bind(*args, **kwargs).arguments
        result = step(*args, **kwargs)
        count += 1
        total = getattr(pipe, "num_timesteps", None) or len(scheduler.timesteps)
        values = result if isinstance(result, tuple) else result.to_tuple()
        clean = functools.partial(
            clean_guess, scheduler, count, given.get("model_output"), given.get("timestep"),
            given.get("sample"), values,
        )  # fmt: skip
        after = values[0] if values and isinstance(values[0], Tensor) else None
        on_moment(Moment(count, max(count, total), clean, after))
        return result

    scheduler.step = reporting
    try:
        yield
    finally:
        del scheduler.step  # restores the method of the class


def clean_guess(
    scheduler: Any, index: int, output: Any, timestep: Any, before: Any, result: tuple[Any, ...]
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


def _remembers_clean(scheduler: Any) -> bool:
    """True for the multistep solvers that store x0 in `model_outputs`."""
    config = scheduler.config
    solver = str(config.get("algorithm_type", "")).endswith("dpmsolver++") or config.get("predict_x0")
    return bool(solver) and getattr(scheduler, "model_outputs", [None])[-1] is not None


class Previews:
    """Makes previews for one pipeline.

    Where the autoencoder stays on its device, it decodes shrunk latents. An offloaded one is never called, because
    each call would move it to the GPU and the model that paints away from it. There the colours come from a linear map
    of latents to RGB, which is fitted once, to the first finished images; before it there are no previews.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._colours: Tensor | None = None  # (channels + 1, 3); the last row is the constant
        self._failed = False

    def of(self, clean: Callable[[], Tensor], width: int, height: int) -> list[Image.Image]:
        """Previews of images of width × height pixels; empty where there are none. Never raises."""
        try:
            with torch.no_grad():
                pixels = self._pixels(clean(), width, height)
                return [] if pixels is None else _images(pixels)
        except Exception as error:
            self._note(error)
            return []

    def learn(self, latents: Tensor | None, pixels: np.ndarray[Any, Any], width: int, height: int) -> None:
        """Fit the linear map to finished images, where one is needed and not there yet. `pixels`: (N, height, width, 3)
        in [0, 1]. Never raises."""
        if latents is None or self._colours is not None or in_place(getattr(self._pipe, "vae", None)):
            return
        try:
            grid = grid_of(self._pipe, latents, width, height)
            if grid is None or len(grid.values) != len(pixels):
                return
            shown = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
            colours = torch.nn.functional.interpolate(shown, size=grid.values.shape[-2:], mode="area")
            wanted = colours.permute(0, 2, 3, 1).reshape(-1, 3)
            self._colours = torch.linalg.lstsq(_rows(grid.values), wanted).solution
        except Exception as error:
            self._note(error)

    def _note(self, error: Exception) -> None:
        if not self._failed:
            reason = (str(error).splitlines() or [""])[0]
            _log.warning(
                "%s has no previews: %s: %s", type(self._pipe).__name__, type(error).__name__, reason
            )
        self._failed = True

    def _pixels(self, latents: Tensor, width: int, height: int) -> Tensor | None:
        """(N, 3, h, w) in [0, 1], the longer side about PREVIEW_SIDE at most."""
        vae = getattr(self._pipe, "vae", None)
        if vae is None:
            return shrunk(latents.float(), PREVIEW_SIDE) / 2 + 0.5
        grid = grid_of(self._pipe, latents, width, height)
        if grid is None:
            return None
        share = min(PREVIEW_SIDE, max(width, height)) / max(width, height)
        if in_place(vae):
            return shrunk(decoded(self._pipe, grid, share), PREVIEW_SIDE) / 2 + 0.5
        if self._colours is None:
            return None
        count, _, rows, columns = grid.values.shape
        colours = (_rows(grid.values) @ self._colours).reshape(count, rows, columns, 3).permute(0, 3, 1, 2)
        size = [max(1, round(side * share)) for side in (height, width)]
        return torch.nn.functional.interpolate(colours, size=size, mode="bilinear")


def _rows(grid: Tensor) -> Tensor:
    """One row a place of (N, C, h, w): its channels, and 1 for the constant; on the CPU."""
    rows = grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1]).float().cpu()
    return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


def _images(pixels: Tensor) -> list[Image.Image]:
    # NaN in a preview is not an error; the finished image is checked elsewhere.
    levels = (torch.nan_to_num(pixels).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(array)) for array in levels]
