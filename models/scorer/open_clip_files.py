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

from models.locate import hub_file, locate, snapshot
from models.protocols import ModelError, WeightsMissing
from models.scorer.open_clip_backend import HUB, WEIGHTS, OpenClipScorer, repository

CONFIG = "open_clip_config.json"
_TEXT_FILES = ["*.json", "*.txt", "*.model"]


@dataclass(frozen=True)
class Files:
    """What open_clip needs to build a model."""

    model: str  # an architecture, or `local-dir:` and a folder
    options: dict[str, Any]  # of open_clip.create_model_from_pretrained
    config: dict[str, Any]  # of the architecture
    folder: Path | None  # that holds config, weights and tokenizer; None for an architecture
    name: str  # name and revision for the records
    revision: str


def find_files(spec: OpenClipScorer, base: Path, offline: bool) -> Files:
    """The files of a spec, downloaded if they are not cached. Raises WeightsMissing if they cannot be had, ModelError
    for a model that open_clip does not know."""
    if spec.pretrained is not None:
        if spec.model not in open_clip.list_models():
            raise ModelError(
                f"open_clip knows no architecture {spec.model!r}; where `pretrained` is set, `model` must be "
                "one of open_clip.list_models()."
            )
        weights, preprocessing = _checkpoint(spec.model, spec.pretrained, offline)
        config = open_clip.get_model_config(spec.model)
        options = {"pretrained": str(weights), **preprocessing, **_text_tower(config, offline)}
        return Files(spec.model, options, config, None, spec.model, spec.pretrained)
    if not spec.model.startswith(HUB) and spec.model in open_clip.list_models():
        raise ModelError(
            f"{spec.model} is an architecture without weights; add `pretrained: TAG`, one of "
            f"{', '.join(open_clip.list_pretrained_tags_by_model(spec.model)) or 'none known'}."
        )
    location = locate(spec.model.removeprefix(HUB), base)
    # Opening the downloaded folder, rather than the hub id, pins the revision and ignores pickled weights.
    folder, revision = snapshot(location, spec.revision, [*_TEXT_FILES, WEIGHTS], offline=offline)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise WeightsMissing(
                f"There is no {file} in {folder}; `model` must name a model in open_clip's format."
            )
    name = location if isinstance(location, str) else folder.name
    config = _config(folder)
    return Files(f"local-dir:{folder}", _text_tower(config, offline), config, folder, name, revision)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
        _ = config["text_cfg"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / CONFIG} is no configuration of an open_clip model ({error!r}); restore the file."
        ) from error
    return config


def _checkpoint(model: str, tag: str, offline: bool) -> tuple[Path, dict[str, Any]]:
    """The file with the weights of a tag, and the preprocessing that they were trained with, as arguments of
    `open_clip.create_model_from_pretrained`."""
    hub_id, names = repository(model, tag)
    config = open_clip.get_pretrained_cfg(model, tag)
    preprocessing = {
        f"image_{key}": config[key]
        for key in ("mean", "std", "interpolation", "resize_mode")
        if config.get(key) is not None
    }
    return hub_file(hub_id, names, offline), preprocessing


def _text_tower(config: dict[str, Any], offline: bool) -> dict[str, Any]:
    """Arguments that let open_clip build a text tower of transformers from local files; none for its own towers."""
    text = dict(config["text_cfg"])
    if not text.get("hf_model_name"):
        return {}
    folder, _ = snapshot(text["hf_model_name"], patterns=_TEXT_FILES, offline=offline)
    return {"text_cfg": text | {"hf_model_name": str(folder), "hf_model_pretrained": False}}


def tokenizer(files: Files, offline: bool) -> Any:
    """The tokenizer of a model: its own in `files.folder`, else the one that its config names on the hub, else
    open_clip's."""
    text = files.config["text_cfg"]
    named = text.get("hf_tokenizer_name")
    if not named:
        return open_clip.get_tokenizer(files.model)
    folder = files.folder or snapshot(named, patterns=_TEXT_FILES, offline=offline)[0]
    return open_clip.tokenizer.HFTokenizer(
        str(folder),
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **{**text.get("tokenizer_kwargs", {}), "local_files_only": True},
    )
