"""The files of open_clip models: config, weights and tokenizer, from a folder, the hub or open_clip's own list.

open_clip itself would ask the hub for each file and has no option to stay offline, so the files are located here and
open_clip gets their paths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip

from models.hub.cache import find
from models.hub.download import snapshot
from models.hub.plan import reader
from models.protocols import ModelError, WeightsMissing
from models.scorer.open_clip_backend import CONFIG, HUB, WEIGHTS, OpenClipScorer, needs


@dataclass(frozen=True)
class Files:
    """What open_clip needs to build a model."""

    model: str  # an architecture, or `local-dir:` and a folder
    options: dict[str, Any]  # of open_clip.create_model_from_pretrained
    config: dict[str, Any]  # of the architecture
    words: Path | None  # the folder of its tokenizer; None for open_clip's own
    name: str  # name and revision for the records
    revision: str


def find_files(spec: OpenClipScorer, base: Path, offline: bool) -> Files:
    """The files of a spec, downloaded if they are not cached. Raises WeightsMissing if they cannot be downloaded,
    ModelError for a model that open_clip does not know."""
    if spec.pretrained is None and not spec.model.startswith(HUB) and spec.model in open_clip.list_models():
        raise ModelError(
            f"{spec.model} is an architecture without weights; add `pretrained: TAG`, one of "
            f"{', '.join(open_clip.list_pretrained_tags_by_model(spec.model)) or 'none known'}."
        )
    own, *more = needs(spec, base, reader(offline))
    folders = {need.what: snapshot(need, offline) for need in (own, *more)}
    folder, revision = folders["model"]
    if spec.pretrained is not None:
        (weights,) = find(own).paths
        config = open_clip.get_model_config(spec.model)
        preprocessing = _preprocessing(spec.model, spec.pretrained)
        options = {"pretrained": str(weights), **preprocessing, **_text_tower(config, folders)}
        words = folders["tokenizer"][0] if "tokenizer" in folders else None
        return Files(spec.model, options, config, words, spec.model, spec.pretrained)
    # Opening the downloaded folder, rather than the hub id, pins the revision and ignores pickled weights.
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise WeightsMissing(
                f"There is no {file} in {folder}; `model` must name a model in open_clip's format."
            )
    config = _config(folder)
    return Files(f"local-dir:{folder}", _text_tower(config, folders), config, folder, own.name, revision)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
        _ = config["text_cfg"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / CONFIG} is no configuration of an open_clip model ({error!r}); restore the file."
        ) from error
    return config


def _preprocessing(model: str, tag: str) -> dict[str, Any]:
    """The preprocessing that the weights of a tag were trained with, as arguments of
    `open_clip.create_model_from_pretrained`."""
    config = open_clip.get_pretrained_cfg(model, tag)
    return {
        f"image_{key}": config[key]
        for key in ("mean", "std", "interpolation", "resize_mode")
        if config.get(key) is not None
    }


def _text_tower(config: dict[str, Any], folders: dict[str, tuple[Path, str]]) -> dict[str, Any]:
    """Arguments that let open_clip build a text tower of transformers from local files; none for its own towers."""
    if "text tower" not in folders:
        return {}
    folder = str(folders["text tower"][0])
    return {"text_cfg": dict(config["text_cfg"]) | {"hf_model_name": folder, "hf_model_pretrained": False}}


def tokenizer(files: Files) -> Any:
    """The tokenizer of a model: that in `files.words`, else open_clip's."""
    text = files.config["text_cfg"]
    if not text.get("hf_tokenizer_name") or files.words is None:
        return open_clip.get_tokenizer(files.model)
    return open_clip.tokenizer.HFTokenizer(
        str(files.words),
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **{**text.get("tokenizer_kwargs", {}), "local_files_only": True},
    )
