"""Files of open_clip's own architectures. open_clip itself would ask the hub for each file and has no option to stay
offline, so the files are located here and open_clip gets their paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip

from models.locate import hub_file, snapshot
from models.protocols import ModelError

_TEXT_FILES = ["*.json", "*.txt", "*.model"]
_PICKLED, _SAFE = "open_clip_pytorch_model.bin", "open_clip_model.safetensors"


def repository(model: str, tag: str) -> tuple[str, tuple[str, ...]]:
    """The hub id that holds the weights of an architecture, and the names that they may have there, safetensors first.
    Raises ModelError for an unknown tag."""
    config = open_clip.get_pretrained_cfg(model, tag)
    if not config or not config.get("hf_hub"):
        raise ModelError(f"open_clip knows no weights {tag!r} for {model!r}; see open_clip.list_pretrained()")
    owner, name, *file = str(config["hf_hub"]).split("/")
    if not file or not file[0]:
        return f"{owner}/{name}", (_SAFE, _PICKLED)
    return f"{owner}/{name}", (str(Path(file[0]).with_suffix(".safetensors")), file[0])


def checkpoint(model: str, tag: str, offline: bool) -> tuple[Path, dict[str, Any]]:
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


def text_tower(config: dict[str, Any], offline: bool) -> dict[str, Any]:
    """Arguments that let open_clip build a text tower of transformers from local files; none for its own towers."""
    text = dict(config["text_cfg"])
    if not text.get("hf_model_name"):
        return {}
    folder, _ = snapshot(text["hf_model_name"], patterns=_TEXT_FILES, offline=offline)
    return {"text_cfg": text | {"hf_model_name": str(folder), "hf_model_pretrained": False}}


def tokenizer(config: dict[str, Any], folder: Path | None, source: str, offline: bool) -> Any:
    """The tokenizer of a model: its own in `folder`, else the one that its `config` names on the hub, else
    open_clip's."""
    text = config["text_cfg"]
    named = text.get("hf_tokenizer_name")
    if not named:
        return open_clip.get_tokenizer(source)
    found = folder or snapshot(named, patterns=_TEXT_FILES, offline=offline)[0]
    return open_clip.tokenizer.HFTokenizer(
        str(found),
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **{**text.get("tokenizer_kwargs", {}), "local_files_only": True},
    )
