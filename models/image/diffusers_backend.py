"""The backend `kind: diffusers`: a text-to-image pipeline in this process. The code is in
models/image/diffusers_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from models.backend import Backend, Own, load_of
from models.hub.need import Need, Read, matching
from models.image.own_settings import own_settings
from models.image.pipeline_files import NETWORKS, class_name, narrow, pipeline
from models.locate import locate
from models.quantize import Quantize, packages
from models.specs import Device, DType, FileName, ImageSpec, Later, NoEffect, Part, Placement

_USUAL = "pytorch_lora_weights.safetensors"


class Lora(Part):
    model: str
    weight_name: FileName | None = None
    revision: str | None = None
    scale: float = 1.0


class Scheduler(Part):
    """A diffusers scheduler class by name; `options` override its config."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class Gguf(Part):
    """A GGUF file with the weights of a pipeline's network (its transformer or UNet)."""

    model: str
    file: FileName
    revision: str | None = None


class Upscaler(Part):
    """A network that enlarges pictures, such as ESRGAN. `file`: where the repository has several."""

    model: str
    file: Annotated[FileName, Field(pattern=r"\.safetensors$")] = "*.safetensors"
    revision: str | None = None


class DiffusersImage(ImageSpec):
    """A text-to-image pipeline run in this process by diffusers."""

    kind: Literal["diffusers"]
    revision: str | None = None
    variant: str | None = None
    pipeline: str | None = None  # explicit class, where AutoPipelineForText2Image does not know the model
    device: Annotated[Device, Placement()] = "auto"
    dtype: DType = "auto"
    scheduler: Scheduler | None = None
    loras: tuple[Lora, ...] = ()
    offload: Annotated[Literal["none", "model", "sequential"], NoEffect(), Placement()] = "none"
    vae_tiling: Annotated[bool, Placement()] = False
    # Speed. `python -m scripts.benches.gpu` measures what each of them saves on a machine.
    prompt_cache: Annotated[NonNegativeInt, NoEffect(), Placement()] = 8  # encoded prompts that are kept
    # Convolutions with the channels as the last dimension.
    channels_last: Annotated[bool, Later()] = False
    # The network by torch.compile: the first image takes a minute or more.
    compile: Annotated[bool, Later()] = False
    # LoRAs are added to the weights, instead of computed beside them.
    fuse_loras: Annotated[bool, Later()] = False
    # Memory. Linear layers of the network and the text encoders are loaded in fewer bits.
    quantize: Annotated[Quantize | None, Later()] = Field(
        default=None, exclude_if=lambda value: value is None
    )
    # The network is loaded from this file, and not from the weights beside the other parts.
    gguf: Annotated[Gguf | None, Later()] = Field(default=None, exclude_if=lambda value: value is None)
    # For pictures that are asked for larger than the pipeline paints; without it they are resized.
    upscaler: Annotated[Upscaler | None, Later()] = Field(
        default=None, exclude_if=lambda value: value is None
    )
    call_options: dict[str, Any] = Field(default_factory=dict)  # further arguments of the pipeline's __call__

    @model_validator(mode="after")
    def _loras_stay_beside(self) -> DiffusersImage:
        if self.fuse_loras and (self.quantize or self.gguf):
            raise ValueError("fuse_loras cannot add to quantised weights; remove it")
        return self


def needs(spec: DiffusersImage, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from: the pipeline's, those of each LoRA, the GGUF file of its network, and the
    upscaler's."""
    replaced = NETWORKS if spec.gguf else ()
    own = pipeline(locate(spec.model, base), spec.revision, spec.variant, read, replaced)
    more = [_gguf(spec.gguf, base)] if spec.gguf else []
    more += [_upscaler(spec.upscaler, base)] if spec.upscaler else []
    return [own, *(_lora(lora, base) for lora in spec.loras), *more]


def _upscaler(upscaler: Upscaler, base: Path) -> Need:
    where = locate(upscaler.model, base)
    return matching("upscaler", where, upscaler.revision, upscaler.file, weights=upscaler.file)


def _gguf(gguf: Gguf, base: Path) -> Need:
    return matching("GGUF", locate(gguf.model, base), gguf.revision, gguf.file, weights=gguf.file)


def _lora(lora: Lora, base: Path) -> Need:
    """The one file of a LoRA: the named one, the one with the usual name, or the only one."""
    pattern = lora.weight_name or "*.safetensors"

    def choose(names: Sequence[str]) -> list[str]:
        found = [name for name in names if fnmatchcase(name, pattern) and "/" not in name]
        return [_USUAL] if _USUAL in found else found

    return Need("LoRA", locate(lora.model, base), lora.revision, choose, (pattern,), weights=pattern)


def own(spec: DiffusersImage, base: Path, read: Read) -> dict[str, Own]:
    """The size and steps of the model; a spec that names the network's size has that one."""
    if side := spec.paint_size or spec.native:
        size = Own(side, "paint_size" if spec.paint_size else "native")
        found = {"width": size, "height": size}
    else:
        found = {}
    return own_settings(needs(spec, base, read)[0], read, spec.pipeline) | found


def works_in_float16(spec: DiffusersImage, base: Path, read: Read) -> bool:
    """Whether its models work in float16; see `narrow`."""
    return narrow(spec.pipeline or class_name(locate(spec.model, base), spec.revision, read))


def needed_packages(spec: DiffusersImage) -> list[str]:
    """The modules that a spec needs and that are not always installed."""
    return [*packages(spec.quantize), *(["spandrel"] if spec.upscaler else [])]


BACKEND = Backend(
    "image",
    DiffusersImage,
    load_of("models.image.diffusers_image"),
    needs,
    works_in_float16=works_in_float16,
    packages=needed_packages,
    own=own,
)
