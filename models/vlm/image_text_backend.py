"""The backend `kind: image_text`: a vision-language model in this process, such as Qwen3-VL or SmolVLM, run by
transformers. The code is in models/vlm/image_text.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from models.backend import Backend, load_of
from models.hub.need import Need, Read, checkpoint
from models.locate import locate
from models.quantize import Quantize, packages
from models.specs import Device, DType, Later, NoEffect, Placement, VisionSpec


class ImageTextModel(VisionSpec):
    """A model of transformers' AutoModelForImageTextToText, with a chat template."""

    kind: Literal["image_text"]
    revision: str | None = None
    device: Annotated[Device, Placement()] = "auto"
    dtype: Annotated[DType, Placement()] = "auto"
    quantize: Annotated[Quantize | None, Later()] = Field(
        default=None, exclude_if=lambda value: value is None
    )
    # Images of one call; they are read one after the other.
    max_batch: Annotated[PositiveInt, NoEffect()] = 4

    @property
    def checkpoint(self) -> str | None:
        """See Spec. A text model that names the same checkpoint shares it."""
        return f"{self.model}|{self.revision}|{self.quantize}"


def needs(spec: ImageTextModel, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from."""
    return [checkpoint("model", locate(spec.model, base), spec.revision)]


BACKEND = Backend(
    "vlm",
    ImageTextModel,
    load_of("models.vlm.image_text"),
    needs,
    packages=lambda spec: packages(spec.quantize),
)
