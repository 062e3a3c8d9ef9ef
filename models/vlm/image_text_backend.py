"""The backend `kind: image_text`: a vision-language model in this process, such as Qwen3-VL or SmolVLM, run by
transformers. The code is in models/vlm/image_text.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveInt

from models.backend import Backend, load_of
from models.presence import find_weights
from models.specs import Device, DType, NoEffect, VisionSpec


class ImageTextModel(VisionSpec):
    """A model of transformers' AutoModelForImageTextToText, with a chat template."""

    kind: Literal["image_text"]
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"
    # Images of one call; they are read one after the other.
    max_batch: Annotated[PositiveInt, NoEffect()] = 4


def present(spec: ImageTextModel, base: Path) -> str:
    """Where the weights are; see models.presence."""
    return find_weights(spec.model, base, spec.revision)


BACKEND = Backend("vlm", ImageTextModel, load_of("models.vlm.image_text"), present)
