"""The backend `kind: transformers`: a causal language model in this process. The code is in models/text/hf_text.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveInt

from models.backend import Backend, load_of
from models.presence import find_weights
from models.specs import Device, DType, NoEffect, TextSpec


class TransformersText(TextSpec):
    """A causal language model run in this process by transformers."""

    kind: Literal["transformers"]
    gguf_file: str | None = None
    revision: str | None = None
    adapter: str | None = None  # LoRA folder, a `model` location
    marker: str | None = None  # folder of a head that marks the words of a brief, a `model` location
    device: Device = "auto"
    dtype: DType = "auto"
    max_batch: Annotated[PositiveInt, NoEffect()] = 8


def present(spec: TransformersText, base: Path) -> str:
    """Where the weights are; see models.presence."""
    return find_weights(spec.model, base, spec.revision, spec.gguf_file or "*.safetensors")


BACKEND = Backend("text", TransformersText, load_of("models.text.hf_text"), present)
