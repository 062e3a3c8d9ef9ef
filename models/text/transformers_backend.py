"""The backend `kind: transformers`: a causal language model in this process. The code is in models/text/hf_text.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from models.backend import Backend, load_of
from models.hub.need import Need, Read, checkpoint, matching
from models.locate import locate
from models.quantize import Quantize, packages
from models.specs import Device, DType, FileName, Later, NoEffect, Placement, TextSpec


class TransformersText(TextSpec):
    """A causal language model run in this process by transformers."""

    kind: Literal["transformers"]
    gguf_file: FileName | None = None
    revision: str | None = None
    adapter: str | None = None  # LoRA folder, a `model` location
    marker: str | None = None  # folder of a head that marks the words of a brief, a `model` location
    device: Annotated[Device, Placement()] = "auto"
    dtype: Annotated[DType, Placement()] = "auto"
    quantize: Annotated[Quantize | None, Later()] = Field(
        default=None, exclude_if=lambda value: value is None
    )
    max_batch: Annotated[PositiveInt, NoEffect()] = 8

    @property
    def checkpoint(self) -> str | None:
        """See Spec. A checkpoint that also reads pictures is loaded once for this model and a vision-language model."""
        alone = self.adapter or self.gguf_file
        return None if alone else f"{self.model}|{self.revision}|{self.quantize}"

    @model_validator(mode="after")
    def _whole_or_quantised(self) -> TransformersText:
        for key in ("adapter", "gguf_file"):
            if self.quantize and getattr(self, key):
                raise ValueError(f"quantize does not go with {key}; remove one of them")
        return self


def needs(spec: TransformersText, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from: the model's, then those of its adapter and marker."""
    location = locate(spec.model, base)
    if spec.gguf_file:
        own = matching("model", location, spec.revision, spec.gguf_file, weights=spec.gguf_file)
    else:
        own = checkpoint("model", location, spec.revision)
    parts = (("adapter", spec.adapter), ("marker", spec.marker))
    return [own, *(checkpoint(what, locate(place, base)) for what, place in parts if place)]


BACKEND = Backend(
    "text",
    TransformersText,
    load_of("models.text.hf_text"),
    needs,
    packages=lambda spec: packages(spec.quantize),
)
