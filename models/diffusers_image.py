"""Paints with any text-to-image pipeline of diffusers, from a hub id or a folder."""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image

from models.device import pick_device, pick_dtype
from models.locate import content_revision, is_offline, locate, weights_missing
from models.preview import Moment, decode_small, watched
from models.protocols import Identity, ModelError, OnStep, Paint, Painted, Step, WeightsMissing
from models.specs import DiffusersImage
from models.upscale import Upscaler
from models.upscale import load as load_upscaler


def load(spec: DiffusersImage, base: Path) -> Painter:
    """The painter of a spec.

    Raises WeightsMissing where a model is neither on disk nor to be had, ModelError where it cannot be read
    or does not fit what the spec asks of it.
    """
    device = pick_device(spec.device)
    dtype = pick_dtype(spec.dtype, device)
    folder, name, revision = _folder(spec, base)
    with _quiet():
        pipe = _pipeline(spec, folder, name, dtype)
        loras = _add_loras(pipe, spec, base)
    pipe.set_progress_bar_config(disable=True)
    if spec.scheduler is not None:
        pipe.scheduler = _scheduler(spec, pipe.scheduler)
    if spec.vae_tiling:
        if not hasattr(getattr(pipe, "vae", None), "enable_tiling"):
            raise ModelError(f"{name} has no autoencoder that tiles; remove `vae_tiling` from the preset.")
        pipe.vae.enable_tiling()
    _place(pipe, spec, device)
    unknown = sorted(set(spec.call_options) - set(_parameters(pipe)))
    if unknown:
        raise ModelError(
            f"{type(pipe).__name__} takes no argument {', '.join(unknown)}; correct `call_options`."
        )
    upscaler, upscaler_revision = None, None
    if spec.upscaler is not None:
        where = locate(spec.upscaler, base)
        if isinstance(where, str):
            raise ModelError(
                f"`upscaler: {spec.upscaler}` must be a folder; write ./folder or package:NAME/PATH."
            )
        upscaler, upscaler_revision = load_upscaler(where, device), content_revision(where)
    identity = Identity("diffusers", name, revision, device, str(dtype).removeprefix("torch."))
    constant = {
        "model": name,
        "revision": revision,
        "pipeline": type(pipe).__name__,
        "scheduler": type(pipe.scheduler).__name__,
        "device": device,
        "dtype": identity.dtype,
        **({"loras": loras} if loras else {}),
        **({"upscaler": upscaler_revision} if upscaler else {}),
        **({"call_options": dict(spec.call_options)} if spec.call_options else {}),
    }
    return Painter(pipe, spec, identity, upscaler, constant)


@dataclass(frozen=True, slots=True)
class _Settings:
    """What all images of one batch have in common."""

    width: int  # of the finished image
    height: int
    steps: int
    guidance: float
    # Some pipelines treat "no negative prompt" unlike an empty one (SDXL zeroes it), so the two never mix.
    negative: bool


class Painter:
    """A protocols.ImageModel."""

    def __init__(
        self,
        pipe: Any,
        spec: DiffusersImage,
        identity: Identity,
        upscaler: Upscaler | None,
        constant: dict[str, Any],
    ) -> None:
        self.identity = identity
        self._pipe = pipe
        self._spec = spec
        self._upscaler = upscaler
        self._constant = constant
        self._accepts = _parameters(pipe)
        self._agreements: dict[tuple[int, _Settings], bool] = {}

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """Paint every request, in batches of like settings; each image depends on its own request alone.

        Raises ModelError for settings the pipeline refuses, for a result with NaN in it and where memory runs
        out, and lets what `on_step` raises (`Cancelled`) through.
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
        """True where a batch of this shape gives the very images that its requests give one by one.

        On a CPU a product or convolution over more rows may sum in another order: float32 images then differ
        in a few bytes, bfloat16 images in many. Of the architectures tried only the pixel transformer, which
        has no autoencoder, agreed with itself, so such models are tested, by one step both ways, once a shape
        of batch; all others are painted one at a time. On a GPU batches are always taken.
        """
        if self.identity.device != "cpu":
            return True
        if getattr(self._pipe, "vae", None) is not None:
            return False
        key = (len(requests), replace(settings, steps=1))
        if key not in self._agreements:
            together = self._run(requests, settings, 1)
            alone = [self._run([request], settings, 1)[0] for request in requests]
            self._agreements[key] = np.array_equal(together, np.stack(alone))
        return self._agreements[key]

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
            # New lists each time: some pipelines write into them.
            "prompt": [request.prompt for request in requests],
            "width": width,
            "height": height,
            "num_inference_steps": steps,
            "guidance_scale": settings.guidance,
            # On the CPU also where the model is not, so that a seed means the same noise everywhere.
            "generator": [torch.Generator("cpu").manual_seed(request.seed) for request in requests],
            "output_type": "np",  # not pil, where NaN turns black; not pt, which some leave raw
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
            pipe.maybe_free_model_hooks()  # what a pipeline does itself, unless it was stopped
        pixels = np.asarray(images, dtype=np.float32)
        if not np.isfinite(pixels).all():
            raise ModelError(
                f"{self.identity.name} gave NaN instead of an image in {self.identity.dtype}; "
                "set `dtype: float32` (or bfloat16) in the preset."
            )
        return pixels

    def _paint_size(self, settings: _Settings) -> tuple[int, int]:
        side = self._spec.paint_size
        return (settings.width, settings.height) if side is None else (side, side)

    def _finish(self, request: Paint, settings: _Settings, pixels: np.ndarray[Any, Any]) -> Painted:
        levels = (pixels * 255).round().astype(np.uint8)
        image = Image.fromarray(levels)
        painted_size = image.size
        if self._upscaler is not None:
            image = self._upscaler.upscale([image])[0]
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
        if request.negative and not settings.negative:
            used["ignored"] = ["negative"]  # this pipeline takes none
        if np.ptp(levels, axis=(0, 1)).max() <= 1:
            used["blank"] = True  # one colour all over: a poor image, or what was asked for
        return Painted(image, {**used, **self._constant})


def _folder(spec: DiffusersImage, base: Path) -> tuple[Path, str, str]:
    """Where the pipeline lies, its name and its revision; downloads a hub model where that is allowed."""
    location = locate(spec.model, base)
    if isinstance(location, Path):
        return location, location.name, content_revision(location)
    try:
        with _quiet(progress=True):
            folder = Path(
                diffusers.DiffusionPipeline.download(
                    location,
                    revision=spec.revision,
                    variant=spec.variant,
                    use_safetensors=True,
                    safety_checker=None,  # named here, it is not downloaded
                    local_files_only=is_offline(),
                )
            )
    except (OSError, ValueError) as error:
        raise weights_missing(location, str(error).splitlines()[0]) from error
    return folder, location, folder.name


def _pipeline(spec: DiffusersImage, folder: Path, name: str, dtype: torch.dtype) -> Any:
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsMissing(
            f"{folder} is no diffusers pipeline: it has no readable model_index.json; correct `model`."
        ) from error
    without: dict[str, Any] = {}
    if "safety_checker" in index:
        without["safety_checker"] = None
    if "requires_safety_checker" in index:
        without["requires_safety_checker"] = False
    try:
        return _pipeline_class(spec, index).from_pretrained(
            folder, dtype=dtype, variant=spec.variant, use_safetensors=True, local_files_only=True, **without
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"diffusers cannot load {name} as {spec.pipeline or index.get('_class_name')}: {reason}"
        ) from error


def _pipeline_class(spec: DiffusersImage, index: dict[str, Any]) -> Any:
    """The class that loads the folder: the one the preset names, else the automatic one if it knows it."""
    if spec.pipeline is not None:
        found = getattr(diffusers, spec.pipeline, None)
        if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
            raise ModelError(
                f"diffusers {version('diffusers')} has no pipeline class {spec.pipeline!r}; correct "
                f"`pipeline` or leave it out (the model itself names {index.get('_class_name')})."
            )
        return found
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    wanted = index.get("_class_name")
    if wanted not in {known.__name__ for known in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}:
        raise ModelError(
            f"AutoPipelineForText2Image does not know {wanted}; write `pipeline: {wanted}` in the preset."
        )
    return diffusers.AutoPipelineForText2Image


def _add_loras(pipe: Any, spec: DiffusersImage, base: Path) -> list[dict[str, Any]]:
    """Load the LoRAs in the preset's order and set their scales; what was loaded, for the record."""
    if not spec.loras:
        return []
    if not hasattr(pipe, "load_lora_weights"):
        raise ModelError(f"{type(pipe).__name__} takes no LoRA; remove `loras` from the preset.")
    used = []
    for number, lora in enumerate(spec.loras):
        where = locate(lora.model, base)
        try:
            pipe.load_lora_weights(
                where,
                weight_name=lora.weight_name,
                revision=lora.revision,
                adapter_name=f"lora{number}",
                use_safetensors=True,
                local_files_only=is_offline(),
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"The LoRA {lora.model} does not load: {reason}") from error
        revision = content_revision(where) if isinstance(where, Path) else lora.revision
        shown = where.name if isinstance(where, Path) else where
        used.append({"model": shown, "revision": revision, "scale": lora.scale})
    names = [f"lora{number}" for number in range(len(spec.loras))]
    loaded = {name for found in pipe.get_list_adapters().values() for name in found}
    for name, lora in zip(names, spec.loras, strict=True):
        if name not in loaded:
            raise ModelError(f"The LoRA {lora.model} has no weight that fits {type(pipe).__name__}.")
    pipe.set_adapters(names, adapter_weights=[lora.scale for lora in spec.loras])
    return used


def _scheduler(spec: DiffusersImage, present: Any) -> Any:
    wanted = spec.scheduler
    assert wanted is not None
    found = getattr(diffusers, wanted.name, None)
    if not isinstance(found, type) or diffusers.SchedulerMixin not in found.__mro__:
        raise ModelError(
            f"diffusers {version('diffusers')} has no scheduler {wanted.name!r}; correct `scheduler: name`."
        )
    scheduler_class: Any = found
    unknown = sorted(set(wanted.options) - set(inspect.signature(scheduler_class).parameters))
    if unknown:
        raise ModelError(f"{wanted.name} has no option {', '.join(unknown)}; correct `scheduler: options`.")
    with _quiet():
        return scheduler_class.from_config(present.config, **wanted.options)


def _place(pipe: Any, spec: DiffusersImage, device: str) -> None:
    if spec.offload == "none" or device == "cpu":  # without a GPU there is nothing to move weights off
        pipe.to(device)
    elif spec.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)


def _parameters(pipe: Any) -> frozenset[str]:
    return frozenset(inspect.signature(type(pipe).__call__).parameters)


def _cut(positions: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    return (tuple(positions[at : at + most]) for at in range(0, len(positions), most))


@contextmanager
def _quiet(progress: bool = False) -> Iterator[None]:
    """Keep both libraries from chatting while they load; a download of gigabytes may show its `progress`."""
    loggers = [logging.getLogger("diffusers"), logging.getLogger("transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    bars = (diffusers.utils.logging, transformers.utils.logging)
    shown = [bar.is_progress_bar_enabled() for bar in bars]
    if not progress:
        for bar in bars:
            bar.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for bar, was in zip(bars, shown, strict=True):
            if was:
                bar.enable_progress_bar()
