"""The backend `kind: open_clip`: a CLIP or SigLIP model in this process. The code is in
models/scorer/open_clip_scorer.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveFloat, PositiveInt

from models.backend import Backend, load_of
from models.presence import find_weights
from models.specs import Device, DType, NoEffect, ScorerSpec

HUB = "hf-hub:"


class OpenClipScorer(ScorerSpec):
    """A CLIP or SigLIP model by open_clip. `model`: a folder with open_clip_config.json and safetensors,
    `hf-hub:owner/name`, or an architecture of open_clip's together with `pretrained`."""

    kind: Literal["open_clip"]
    pretrained: str | None = None  # tag, where `model` is an architecture name
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"
    temperature: PositiveFloat = 1.0  # softens the softmax over contrasts (CLIP only)
    windows: bool = False  # count and compare by looking at parts (SigLIP only); ten times the work
    max_batch: Annotated[PositiveInt, NoEffect()] = 16


def present(spec: OpenClipScorer, base: Path) -> str:
    """Where the weights are; see models.presence."""
    model = spec.model
    if spec.pretrained:
        from models.scorer.open_clip_files import repository

        model, _ = repository(model, spec.pretrained)
    return find_weights(model.removeprefix(HUB), base, spec.revision)


BACKEND = Backend("scorer", OpenClipScorer, load_of("models.scorer.open_clip_scorer"), present)
