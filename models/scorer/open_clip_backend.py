"""The backend `kind: open_clip`: a CLIP or SigLIP model in this process. The code is in
models/scorer/open_clip_scorer.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveFloat, PositiveInt

from models.backend import Backend, load_of
from models.presence import find_weights
from models.protocols import ModelError
from models.specs import Device, DType, NoEffect, ScorerSpec

HUB = "hf-hub:"
WEIGHTS, PICKLED = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"


class OpenClipScorer(ScorerSpec):
    """A CLIP or SigLIP model by open_clip. `model`: a folder with open_clip_config.json and safetensors,
    `hf-hub:owner/name`, or an architecture of open_clip's together with `pretrained`."""

    kind: Literal["open_clip"]
    pretrained: str | None = None  # tag, where `model` is an architecture name
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"
    temperature: PositiveFloat = 1.0  # softens the softmax over contrasts (CLIP only)
    max_batch: Annotated[PositiveInt, NoEffect()] = 16


def present(spec: OpenClipScorer, base: Path) -> str:
    """Where the weights are; see models.presence."""
    model = spec.model
    if spec.pretrained:
        model, _ = repository(model, spec.pretrained)
    return find_weights(model.removeprefix(HUB), base, spec.revision)


def repository(model: str, tag: str) -> tuple[str, tuple[str, ...]]:
    """The hub id that holds the weights of an architecture, and the names that they may have there, safetensors first.
    Raises ModelError for an unknown tag."""
    import open_clip

    config = open_clip.get_pretrained_cfg(model, tag)
    if not config or not config.get("hf_hub"):
        raise ModelError(f"open_clip knows no weights {tag!r} for {model!r}; see open_clip.list_pretrained()")
    owner, name, *file = str(config["hf_hub"]).split("/")
    if not file or not file[0]:
        return f"{owner}/{name}", (WEIGHTS, PICKLED)
    return f"{owner}/{name}", (str(Path(file[0]).with_suffix(".safetensors")), file[0])


BACKEND = Backend("scorer", OpenClipScorer, load_of("models.scorer.open_clip_scorer"), present)
