"""The backend `kind: open_clip`: a CLIP or SigLIP model in this process. The code is in
models/scorer/open_clip_scorer.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PositiveFloat, PositiveInt

from models.backend import Backend, load_of
from models.hub.need import TEXTS, Need, Read, first_of, matching, texts
from models.locate import locate
from models.protocols import ModelError
from models.specs import Device, DType, NoEffect, ScorerSpec

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
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


def needs(spec: OpenClipScorer, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from: the model's, then those of a text tower and a tokenizer of transformers, where
    its config names them. Raises ModelError for an architecture or tag that open_clip does not know."""
    if spec.pretrained:
        config = architecture(spec.model)
        hub_id, names = repository(spec.model, spec.pretrained)
        return [first_of("model", hub_id, None, names), *text_needs(config, alone=True)]
    location = locate(spec.model.removeprefix(HUB), base)
    own = matching(
        "model", location, spec.revision, CONFIG, *(f"*{end}" for end in TEXTS), WEIGHTS, weights=WEIGHTS
    )
    try:
        config = json.loads(read(own, CONFIG) or "{}")["model_cfg"]
    except (ValueError, KeyError, TypeError):
        return [own]  # nothing is there yet; or the loader says what is wrong with it
    return [own, *text_needs(config, alone=False)]


def finest(device: str) -> DType:
    """The number format of `dtype: auto`. A logit is a cosine times 100 or so: bfloat16 with its 8 bits would move a
    probability by percents."""
    return "float32" if device == "cpu" else "float16"


def text_needs(config: dict[str, Any], alone: bool) -> list[Need]:
    """The needs of an architecture's text tower and tokenizer. `alone`: its repository has no tokenizer."""
    text = config.get("text_cfg") or {}
    tower, tokenizer = text.get("hf_model_name"), text.get("hf_tokenizer_name")
    found = [texts("text tower", tower)] if tower else []
    return [*found, texts("tokenizer", tokenizer)] if tokenizer and alone else found


def architecture(model: str) -> dict[str, Any]:
    """The config of an architecture. Raises ModelError where open_clip does not know it."""
    import open_clip

    if model not in open_clip.list_models():
        raise ModelError(
            f"open_clip knows no architecture {model!r}; where `pretrained` is set, `model` must be "
            "one of open_clip.list_models()."
        )
    config: dict[str, Any] = open_clip.get_model_config(model)
    return config


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


BACKEND = Backend("scorer", OpenClipScorer, load_of("models.scorer.open_clip_scorer"), needs, auto=finest)
