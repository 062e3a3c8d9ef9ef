"""The backend `kind: diffusers`: a text-to-image pipeline in this process. The code is in
models/image/diffusers_image.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from models.backend import Backend, load_of
from models.presence import find_weights
from models.specs import Device, DType, ImageSpec, NoEffect, Part


class Lora(Part):
    model: str
    weight_name: str | None = None
    revision: str | None = None
    scale: float = 1.0


class Scheduler(Part):
    """A diffusers scheduler class by name; `options` override its config."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class DiffusersImage(ImageSpec):
    """A text-to-image pipeline run in this process by diffusers."""

    kind: Literal["diffusers"]
    revision: str | None = None
    variant: str | None = None
    pipeline: str | None = None  # explicit class, where AutoPipelineForText2Image does not know the model
    device: Device = "auto"
    dtype: DType = "auto"
    scheduler: Scheduler | None = None
    loras: tuple[Lora, ...] = ()
    offload: Annotated[Literal["none", "model", "sequential"], NoEffect()] = "none"
    vae_tiling: bool = False
    call_options: dict[str, Any] = Field(default_factory=dict)  # further arguments of the pipeline's __call__


def present(spec: DiffusersImage, base: Path) -> str:
    """Where the weights are; see models.presence."""
    return find_weights(spec.model, base, spec.revision)


BACKEND = Backend("image", DiffusersImage, load_of("models.image.diffusers_image"), present)
