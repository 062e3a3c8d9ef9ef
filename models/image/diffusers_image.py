"""Paints with any text-to-image pipeline of diffusers, from a hub id or a folder."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.device import held_bytes, pick_device, pick_dtype
from models.image.diffusers_backend import DiffusersImage
from models.image.diffusers_pipeline import open_pipeline, parameters
from models.image.preview import Moment, decode_small, watched
from models.image.prompt_length import PromptLength
from models.protocols import Identity, ModelError, OnStep, Paint, Painted, Step

BLOCK = 32  # pixels; sizes are rounded up to it where the network paints at full size


def load(spec: DiffusersImage, base: Path, offline: bool) -> Painter:
    """The painter of a spec. With `offline` nothing is downloaded.

    Raises WeightsMissing if a model is neither on disk nor downloaded, ModelError if it cannot be read or does not
    fit the spec.
    """
    device = pick_device(spec.device)
    dtype = pick_dtype(spec.dtype, device)
    pipe, name, revision, loras = open_pipeline(spec, base, device, dtype, offline)
    identity = Identity("diffusers", name, revision, device, str(dtype).removeprefix("torch."))
    constant = {
        "model": name,
        "revision": revision,
        "pipeline": type(pipe).__name__,
        "scheduler": type(pipe.scheduler).__name__,
        "device": device,
        "dtype": identity.dtype,
        **({"loras": loras} if loras else {}),
        **({"call_options": dict(spec.call_options)} if spec.call_options else {}),
    }
    return Painter(pipe, spec, identity, constant)


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings that all images of a batch share."""

    width: int  # of the finished image
    height: int
    steps: int
    guidance: float
    # Some pipelines treat a missing negative prompt and an empty one differently (SDXL zeroes it), so a batch has
    # either or neither.
    negative: bool


class Painter:
    """Implements protocols.ImageModel."""

    def __init__(self, pipe: Any, spec: DiffusersImage, identity: Identity, constant: dict[str, Any]) -> None:
        self.identity = identity
        self._pipe = pipe
        self._spec = spec
        self._constant = constant
        self._accepts = parameters(pipe)
        self._prompts = PromptLength(pipe, spec.call_options)
        self.prompt_tokens = self._prompts.limit  # that are read of a prompt
        self._agreements: dict[tuple[int, _Settings], bool] = {}
        # So many requests a caller should send at once to get each image as soon as it is done.
        self.most_together = 1 if self._one_by_one else spec.max_batch

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return held_bytes(self._pipe.components.values())

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """Paint every request, in batches with equal settings; each image depends on its own request alone.

        Raises ModelError for settings that the pipeline refuses, for a result that contains NaN and when memory runs
        out. What `on_step` raises (`Stopped`) is passed on.
        """
        groups: dict[_Settings, list[int]] = {}
        for position, request in enumerate(requests):
            groups.setdefault(self._settings(request), []).append(position)
        painted: dict[int, Painted] = {}
        for settings, positions in groups.items():
            for rows in self._batches(settings, positions, requests):
                pixels = self._run([requests[i] for i in rows], settings, settings.steps, rows, on_step)
                for i, array in zip(rows, pixels, strict=True):
                    painted[i] = self._finish(requests[i], settings, array)
        return [painted[i] for i in range(len(requests))]

    def _settings(self, request: Paint) -> _Settings:
        spec = self._spec
        width, height = request.width or spec.width, request.height or spec.height
        if spec.paint_size is not None and width != height:
            raise ModelError(
                f"{self.identity.name} paints squares, not {width} × {height}; ask for a square image."
            )
        return _Settings(
            width=width,
            height=height,
            steps=request.steps or spec.steps,
            guidance=spec.guidance if request.guidance is None else request.guidance,
            negative=bool(request.negative) and "negative_prompt" in self._accepts,
        )

    def _batches(
        self, settings: _Settings, positions: Sequence[int], requests: Sequence[Paint]
    ) -> Iterator[tuple[int, ...]]:
        most = self._spec.max_batch
        # diffusers 0.42.1 repeats the time step twice instead of once an image there.
        if type(self._pipe).__name__ == "PRXPixelPipeline" and settings.guidance > 1:
            most = 1
        for rows in _cut(positions, most):
            if len(rows) == 1 or self._agrees([requests[i] for i in rows], settings):
                yield rows
            else:
                yield from ((i,) for i in rows)

    def _agrees(self, requests: Sequence[Paint], settings: _Settings) -> bool:
        """True if a batch of this size gives exactly the images that its requests give one at a time.

        On a CPU the order of summation may depend on the number of rows: float32 images then differ in a few bytes,
        bfloat16 images in many. Of the architectures tried, only the pixel transformer, which has no autoencoder,
        gave equal images. So models without autoencoder are tested once for each batch size, with one step; all
        others paint one image at a time. On a GPU batches are always used.
        """
        if self.identity.device != "cpu":
            return True
        if self._one_by_one:
            return False
        key = (len(requests), replace(settings, steps=1))
        if key not in self._agreements:
            together = self._run(requests, settings, 1)
            alone = [self._run([request], settings, 1)[0] for request in requests]
            self._agreements[key] = np.array_equal(together, np.stack(alone))
        return self._agreements[key]

    @property
    def _one_by_one(self) -> bool:
        return self.identity.device == "cpu" and getattr(self._pipe, "vae", None) is not None

    def _run(
        self,
        requests: Sequence[Paint],
        settings: _Settings,
        steps: int,
        rows: tuple[int, ...] = (),
        on_step: OnStep | None = None,
    ) -> np.ndarray[Any, Any]:
        """Pixels of one batch, (N, H, W, 3) in [0, 1], at the size at which the network works."""
        width, height = self._paint_size(settings)
        pipe = self._pipe

        def report(moment: Moment) -> None:
            if on_step is not None:
                preview = functools.partial(decode_small, pipe, moment.clean, width, height)
                on_step(Step(moment.index, moment.total, rows, preview))

        call = {
            # New lists for each call, because some pipelines modify them.
            "prompt": [request.prompt for request in requests],
            "width": width,
            "height": height,
            "num_inference_steps": steps,
            "guidance_scale": settings.guidance,
            # On the CPU even if the model is on a GPU, so that a seed means the same noise everywhere.
            "generator": [torch.Generator("cpu").manual_seed(request.seed) for request in requests],
            "output_type": "np",  # pil would turn NaN into black; with pt some pipelines skip the postprocessing
            **({"negative_prompt": [request.negative for request in requests]} if settings.negative else {}),
            **self._spec.call_options,
        }
        try:
            with watched(pipe, report if on_step is not None else None):
                images = pipe(**{key: value for key, value in call.items() if key in self._accepts}).images
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self.identity.name} ran out of memory with {len(requests)} images of {width} × {height}; "
                "lower `max_batch` or the size, or set `offload: model` and `vae_tiling: true`."
            ) from error
        except ValueError as error:  # what pipelines raise for arguments they check
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise ModelError(f"{type(pipe).__name__} refused the settings: {reason}") from error
        finally:
            pipe.maybe_free_model_hooks()  # pipelines do this themselves, except when they were stopped
        pixels = np.asarray(images, dtype=np.float32)
        if not np.isfinite(pixels).all():
            raise ModelError(
                f"{self.identity.name} gave NaN instead of an image in {self.identity.dtype}; "
                "set `dtype: float32` (or bfloat16) in the preset."
            )
        return pixels

    def _paint_size(self, settings: _Settings) -> tuple[int, int]:
        """The size at which the network works: `paint_size`, or the wanted size rounded up to whole blocks."""
        side = self._spec.paint_size
        if side is not None:
            return side, side
        # Pipelines refuse or change a size that is no multiple of 8, of 16 (patches of two) or, for Sana, of 32.
        factor = int(getattr(self._pipe, "vae_scale_factor", None) or 1)
        block = math.lcm(BLOCK, 2 * factor)
        return -(-settings.width // block) * block, -(-settings.height // block) * block

    def _finish(self, request: Paint, settings: _Settings, pixels: np.ndarray[Any, Any]) -> Painted:
        levels = (pixels * 255).round().astype(np.uint8)
        image = Image.fromarray(levels)
        painted_size = image.size
        if self._spec.paint_size is None:  # cut off what rounding up added at the edges
            left, top = (image.width - settings.width) // 2, (image.height - settings.height) // 2
            image = image.crop((left, top, left + settings.width, top + settings.height))
        if image.size != (settings.width, settings.height):
            image = image.resize((settings.width, settings.height), Image.Resampling.LANCZOS)
        used: dict[str, Any] = {
            "prompt": request.prompt,
            "seed": request.seed,
            "width": settings.width,
            "height": settings.height,
            "steps": settings.steps,
            **({"negative": request.negative} if settings.negative else {}),
            **({"guidance": settings.guidance} if "guidance_scale" in self._accepts else {}),
            **({"painted_size": list(painted_size)} if painted_size != image.size else {}),
        }
        if cut := self._prompts.cut(request.prompt):
            used["prompt_cut"] = {"read": cut[0], "of": cut[1]}  # the rest of the prompt had no effect
        if request.negative and not settings.negative:
            used["ignored"] = ["negative"]  # this pipeline takes none
        if np.ptp(levels, axis=(0, 1)).max() <= 1:
            used["blank"] = True  # one colour everywhere: a failed image, or what was asked for
        return Painted(image, {**used, **self._constant})


def _cut(positions: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    return (tuple(positions[at : at + most]) for at in range(0, len(positions), most))
