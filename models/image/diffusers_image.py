"""Paints with any text-to-image pipeline of diffusers, from a hub id or a folder."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from models.device import held_bytes, pick_device, pick_dtype
from models.image import editing
from models.image.diffusers_backend import DiffusersImage
from models.image.diffusers_pipeline import (
    holds_quantised,
    native,
    networks,
    open_pipeline,
    open_upscaler,
    parameters,
    place,
)
from models.image.layout import Layout, laid_out
from models.image.pipeline_files import narrow
from models.image.preview import Moment, Previews, watched
from models.image.prompt_length import PromptLength
from models.image.sizes import fitted, painted_size
from models.placed import Parking, coarser, number_format
from models.protocols import Identity, ModelError, OnStep, Paint, Painted, Step

if TYPE_CHECKING:
    from models.image.upscaler import UpscalingNetwork


def load(spec: DiffusersImage, base: Path, offline: bool) -> Painter:
    """The painter of a spec. With `offline` nothing is downloaded.

    Raises WeightsMissing if a model is neither on disk nor downloaded, ModelError if it cannot be read or does not
    fit the spec.
    """
    device = pick_device(spec.device)
    pipe, name, revision, loras, dtype = open_pipeline(spec, base, device, offline)
    identity = Identity("diffusers", name, revision, device, _name(dtype))
    constant = {
        "model": name,
        "revision": revision,
        "pipeline": type(pipe).__name__,
        "scheduler": type(pipe.scheduler).__name__,
        **({"loras": loras} if loras else {}),
        **({"quantize": spec.quantize} if spec.quantize else {}),
        **({"gguf": {"model": spec.gguf.model, "file": spec.gguf.file}} if spec.gguf else {}),
        **({"call_options": dict(spec.call_options)} if spec.call_options else {}),
    }
    return Painter(pipe, spec, identity, constant, open_upscaler(spec, base, device, offline))


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
    edit: bool = False  # of a reference


class Painter:
    """Implements protocols.ImageModel."""

    def __init__(
        self,
        pipe: Any,
        spec: DiffusersImage,
        identity: Identity,
        constant: dict[str, Any],
        upscaler: UpscalingNetwork | None = None,
    ) -> None:
        self.identity = identity
        self._pipe = pipe
        self._spec = spec
        self._upscaler = upscaler
        self._constant = constant
        self._accepts = parameters(pipe)
        self._previews = Previews(pipe)
        self._prompts = PromptLength(pipe, spec.call_options)
        self.prompt_tokens = self._prompts.limit  # that are read of a prompt
        self.edits = editing.edits(pipe)
        self._editor: Any = None  # the pipeline that edits, once one is needed
        self._agreements: dict[tuple[int, _Settings], bool] = {}
        self._placed = _placement(pipe, spec, identity.device, getattr(torch, identity.dtype))
        self._parking = Parking(networks(pipe) + ([upscaler.network] if upscaler else []))
        self._parked = False
        self._coarsest = identity.dtype  # the number format with the fewest bits that the weights were in

    def place(self, spec: DiffusersImage) -> None:
        """Take another spec of the same weights: move them to its device, offload and tile as it says.

        Weights that were rounded stay so: then the identity's dtype names both formats. Raises as `load`."""
        device = pick_device(spec.device)
        dtype = pick_dtype(spec.dtype, device, narrow(type(self._pipe).__name__))
        if holds_quantised(spec):
            dtype = self._placed[1]
        placed = _placement(self._pipe, spec, device, dtype)
        if placed != self._placed or self._parked:
            place(self._pipe, spec, device, dtype)
            if self._upscaler is not None:
                self._upscaler.network.to(device)
            self._editor = None  # it knows the offloading from when it was made
            self._agreements.clear()
            self._previews = Previews(self._pipe)
        self._coarsest = coarser(_name(dtype), self._coarsest)
        name = number_format(_name(dtype), self._coarsest)
        self.identity = replace(self.identity, device=device, dtype=name)
        self._placed, self._spec, self._parked = placed, spec, False

    @property
    def to_park(self) -> int:
        """Bytes of main memory that `park` takes."""
        return 0 if self._spec.offload != "none" else self._parking.bytes

    def park(self) -> None:
        """Move the weights to main memory until `place` is called. Those that are offloaded are there already."""
        if self._spec.offload == "none" and not self._parked:
            self._parking.park()
            self._parked = True

    @property
    def most_together(self) -> int:
        """So many requests a caller should send at once to get each image as soon as it is done."""
        return 1 if self._one_by_one else self._spec.max_batch

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return held_bytes([*self._pipe.components.values(), getattr(self._upscaler, "network", None)])

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """Paint every request, in batches with equal settings; each image depends on its own request alone.

        Raises ModelError for settings that the pipeline refuses, for a reference where it cannot edit, for a result
        that contains NaN and when memory runs out. What `on_step` raises (`Stopped`) is passed on.
        """
        groups: dict[_Settings, list[int]] = {}
        for position, request in enumerate(requests):
            if request.reference is not None and self.edits is None:
                raise ModelError(
                    f"{self.identity.name} cannot edit a picture; paint one without a reference."
                )
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
        guidance = spec.guidance if request.guidance is None else request.guidance
        return _Settings(
            width=width,
            height=height,
            steps=request.steps or spec.steps,
            guidance=guidance,
            negative=bool(request.negative) and "negative_prompt" in self._accepts and self._guided(guidance),
            edit=request.reference is not None,
        )

    def _guided(self, guidance: float) -> bool:
        """Whether each step is also made for the negative prompt (classifier-free guidance)."""
        if "true_cfg_scale" in self._accepts:  # beside a guidance that is an input of the network
            usual = inspect.signature(type(self._pipe).__call__).parameters["true_cfg_scale"].default
            return float(self._spec.call_options.get("true_cfg_scale", usual)) > 1
        if isinstance(getattr(type(self._pipe), "do_classifier_free_guidance", None), property):
            self._pipe._guidance_scale = guidance  # which the pipeline itself sets when it is called
            return bool(self._pipe.do_classifier_free_guidance)
        return guidance > 1

    def _guidance_acts(self, guidance: float) -> bool:
        """Whether another guidance gives another image."""
        if "guidance_scale" not in self._accepts:
            return False
        network = getattr(self._pipe, "unet", None) or getattr(self._pipe, "transformer", None)
        config: Any = getattr(network, "config", {})
        if config.get("guidance_embeds") or config.get("time_cond_proj_dim"):  # an input of the network
            return True
        return "true_cfg_scale" not in self._accepts and self._guided(guidance)

    def _batches(
        self, settings: _Settings, positions: Sequence[int], requests: Sequence[Paint]
    ) -> Iterator[tuple[int, ...]]:
        most = self._spec.max_batch
        # diffusers 0.42.1 repeats the time step twice instead of once an image there.
        if type(self._pipe).__name__ == "PRXPixelPipeline" and settings.guidance > 1:
            most = 1
        if settings.edit:  # FLUX.2 takes all pictures of a call as references of each of its images
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
        pipe, accepts = self._pipe, self._accepts
        edit: dict[str, Any] = {}
        if settings.edit:
            self._editor = pipe = self._editor or editing.editor(pipe)
            accepts = parameters(pipe)
            asked = settings.width, settings.height
            edit = editing.arguments(pipe, requests[0], (width, height), asked, steps)
        last: Moment | None = None

        def report(moment: Moment) -> None:
            nonlocal last
            last = moment
            if on_step is not None:
                preview = functools.partial(self._previews.of, moment.clean, width, height)
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
            **edit,
        }
        try:
            with watched(pipe, report if on_step is not None else None):
                images = pipe(**{key: value for key, value in call.items() if key in accepts}).images
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self.identity.name} ran out of memory with {len(requests)} images of {width} × {height}; "
                "lower `max_batch` or the size, or set `offload: model` and `vae_tiling: true`."
            ) from error
        except ValueError as error:  # what pipelines raise for arguments they check
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise ModelError(f"{type(pipe).__name__} refused the settings: {reason}") from error
        finally:
            self._pipe.maybe_free_model_hooks()  # pipelines do this themselves, except when they were stopped
        pixels = np.asarray(images, dtype=np.float32)
        if not np.isfinite(pixels).all():
            raise ModelError(
                f"{self.identity.name} gave NaN instead of an image in {self.identity.dtype}; "
                "set `dtype: float32` (or bfloat16) in the preset."
            )
        if last is not None:
            self._previews.learn(last.after, pixels, width, height)
        return pixels

    def _paint_size(self, settings: _Settings) -> tuple[int, int]:
        """The size at which the network works: `paint_size`, or one near its native size."""
        side = self._spec.paint_size
        if side is not None:
            return side, side
        factor = int(getattr(self._pipe, "vae_scale_factor", None) or 1)
        return painted_size((settings.width, settings.height), native(self._pipe, self._spec), factor)

    def _finish(self, request: Paint, settings: _Settings, pixels: np.ndarray[Any, Any]) -> Painted:
        levels = (pixels * 255).round().astype(np.uint8)
        image = Image.fromarray(levels)
        at, acts, upscaled = image.size, self._guidance_acts(settings.guidance), False
        if at != (settings.width, settings.height):
            asked = settings.width, settings.height
            if self._upscaler is not None and (asked[0] > at[0] or asked[1] > at[1]):
                image, upscaled = self._upscaler(image), True
            whole = self._spec.paint_size is not None  # a square, to be resized to another one
            image = image.resize(asked, Image.Resampling.LANCZOS) if whole else fitted(image, asked)
        if settings.edit:
            image = editing.pasted(image, request)
        layout: Layout | None = None
        if self._spec.seeded_layouts and not settings.edit:
            image, layout = laid_out(image, request.prompt, request.seed)
        used: dict[str, Any] = {
            "prompt": request.prompt,
            "seed": request.seed,
            "width": settings.width,
            "height": settings.height,
            "steps": settings.steps,
            **({"negative": request.negative} if settings.negative else {}),
            **({"guidance": settings.guidance} if acts else {}),
            "painted_size": list(at),
            **({"upscaled_by": self._upscaler.name} if self._upscaler and upscaled else {}),
            **({"edited_by": type(self._editor).__name__} if settings.edit else {}),
            **({"layout": [asdict(place) for place in layout]} if layout else {}),
        }
        if cut := self._prompts.cut(request.prompt):
            used["prompt_cut"] = {"read": cut[0], "of": cut[1]}  # the rest of the prompt had no effect
        ignored = ["negative"] if request.negative and not settings.negative else []
        ignored += ["guidance"] if settings.guidance > 1 and not acts else []
        if ignored:
            used["ignored"] = ignored  # had no effect, in this pipeline with these settings
        if np.ptp(levels, axis=(0, 1)).max() <= 1:
            used["blank"] = True  # one colour everywhere: a failed image, or what was asked for
        here = {"device": self.identity.device, "dtype": self.identity.dtype}
        return Painted(image, {**used, **self._constant, **here})


def _placement(pipe: Any, spec: DiffusersImage, device: str, dtype: torch.dtype) -> tuple[Any, ...]:
    """All that `place` of a pipeline depends on."""
    return device, dtype, spec.offload, spec.vae_tiling, spec.prompt_cache, native(pipe, spec)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _cut(positions: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    return (tuple(positions[at : at + most]) for at in range(0, len(positions), most))
