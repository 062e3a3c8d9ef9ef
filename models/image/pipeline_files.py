"""Which files of a repository a diffusers pipeline is loaded from: those of its components, in one variant, without the
same weights in other formats."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.hub.need import TEXTS, Need, Read
from models.protocols import ModelError

INDEX = "model_index.json"
NETWORKS = ("transformer", "unet")  # folders of the network that denoises
_LEFT_OUT = {"safety_checker"}  # pipelines are loaded without it
_PLAIN = re.compile(r"(diffusion_pytorch_model|pytorch_model|model)(-\d{5}-of-\d{5})?\.safetensors")


def pipeline(
    location: Path | str, revision: str | None, variant: str | None, read: Read, replaced: Sequence[str] = ()
) -> Need:
    """The need of a pipeline. Its index is read first, because it names the components. `replaced`: components whose
    weights come from elsewhere, so that only their configs are needed."""
    patterns = (INDEX, *(f"*{end}" for end in TEXTS), f"*{f'.{variant}' if variant else ''}*.safetensors")
    need = _index_only(location, revision, patterns)
    components = _components(read(need, INDEX))

    def choose(names: Sequence[str]) -> list[str]:
        chosen = [INDEX]
        for folder in components:
            inside = [name for name in names if name.startswith(f"{folder}/") and name.count("/") == 1]
            if folder in replaced:
                chosen.append(f"{folder}/config.json")
            else:
                chosen += _of_component(inside, variant) or [f"{folder}/"]
        weights = [name for name in chosen if name.endswith(".safetensors")]
        if variant and weights and not any(_has(name, variant) for name in weights):
            raise ModelError(
                f"{need.name} has no weights in the variant {variant}; correct or remove `variant` in the preset."
            )
        return chosen

    return Need("model", location, revision, choose, patterns)


def class_name(location: Path | str, revision: str | None, read: Read) -> str:
    """The class of a pipeline by its index; empty where that is not here."""
    return str(_parsed(read(_index_only(location, revision, (INDEX,)), INDEX)).get("_class_name", ""))


def narrow(pipeline: str) -> bool:
    """Whether the models of a pipeline class work in float16. Those of Stable Diffusion, its XL kin and Kolors were
    trained in it; transformers with T5, Gemma or Qwen encoders give NaN."""
    return pipeline.startswith(
        ("StableDiffusionPipeline", "StableDiffusionXL", "LatentConsistency", "Kolors")
    )


def _index_only(location: Path | str, revision: str | None, patterns: tuple[str, ...]) -> Need:
    return Need("model", location, revision, lambda names: [INDEX], patterns)


def _parsed(index: str | None) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(index or "{}")
        return said
    except ValueError:
        return {}


def _components(index: str | None) -> list[str]:
    """The folders of a pipeline's components by its index; none where there is no index."""
    return [
        name
        for name, kind in _parsed(index).items()
        if isinstance(kind, list) and any(kind) and not name.startswith("_") and name not in _LEFT_OUT
    ]


def _of_component(names: Sequence[str], variant: str | None) -> list[str]:
    """The files of one component: its texts, and its weights in the variant where it has them in that."""
    weights = [name for name in names if name.endswith(".safetensors")]
    chosen = [name for name in weights if variant and _has(name, variant)]
    in_variant = bool(chosen)
    chosen = chosen or [name for name in weights if _PLAIN.fullmatch(name.rpartition("/")[2])] or weights
    texts = [name for name in names if name.endswith(TEXTS)]
    indexes = [name for name in texts if ".index." in name]
    wanted = [
        name
        for name in indexes
        if ".safetensors" in name and bool(variant and _has(name, variant)) == in_variant
    ]
    # Only models have a config of this name: schedulers and tokenizers have others.
    configs = [name for name in texts if name.endswith("/config.json")]
    if configs and not chosen:
        chosen = [configs[0].replace("config.json", "*.safetensors")]
    return [name for name in texts if name not in indexes] + wanted + chosen


def _has(name: str, variant: str) -> bool:
    return re.search(rf"\.{re.escape(variant)}[.-]", name.rpartition("/")[2]) is not None
