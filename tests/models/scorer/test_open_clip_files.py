"""open_clip's own architectures with `pretrained` weights: found in the local cache, and not asked for beside it."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from models.load import load_scorer, present
from models.protocols import ModelError, NotCached, Question, WeightsMissing
from models.scorer.open_clip_backend import OpenClipScorer, repository
from tests.models.scorer.test_open_clip_scorer import IMAGES, TEXTS
from tests.models.scorer.tiny_scorer import PREPROCESS, SIGLIP, TEXT, _make
from tests.models.text.tiny_text import save_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOWER = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 600, "max_position_embeddings": 32,
    "pad_token_id": 0,
}  # fmt: skip
# A text tower of transformers and a tokenizer, both named by their hub ids, as in open_clip's own list.
FOREIGN = {
    **SIGLIP,
    "text_cfg": {
        "hf_model_name": "owner/tower",
        "hf_tokenizer_name": "owner/words",
        "context_length": 16,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "mean_pooler",
    },
}
ASKED = [[Question(text) for text in TEXTS]] * len(IMAGES)


def cached(cache: Path, hub_id: str) -> Path:
    """The folder of a model in the hub's cache, with its one revision."""
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    return folder / "snapshots" / COMMIT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way to the network."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path / "cache"


def register(name: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Add an architecture to open_clip's list, with a tag `made` whose weights are owner/NAME on the hub."""
    from open_clip import factory, pretrained

    monkeypatch.setitem(factory._MODEL_CONFIGS, name, config)
    weights = {"hf_hub": f"owner/{name}/", **PREPROCESS, "resize_mode": "squash"}
    monkeypatch.setitem(pretrained._PRETRAINED, name, {"made": weights})


def build(name: str, offline: bool = True) -> Any:
    spec = OpenClipScorer(kind="open_clip", model=name, pretrained="made", device="cpu")
    return load_scorer(spec, Path.cwd(), offline)


def test_weights_of_a_tag_come_from_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess = {**PREPROCESS, "resize_mode": "squash"}
    plain = {**SIGLIP, "text_cfg": dict(TEXT)}
    folder = _make(tmp_path / "folder", plain, preprocess, seed=1)
    register("tiny-plain", plain, monkeypatch)
    spec = OpenClipScorer(kind="open_clip", model="tiny-plain", pretrained="made", device="cpu")
    with pytest.raises(NotCached, match="hf download owner/tiny-plain"):
        present("scorer", spec, Path.cwd())
    with pytest.raises(WeightsMissing, match=r"set `offline: false` in it.*hf download owner/tiny-plain"):
        build("tiny-plain")
    shutil.copy(folder / "open_clip_model.safetensors", cached(cache, "owner/tiny-plain"))
    assert "owner/tiny-plain in the local cache" in present("scorer", spec, Path.cwd())
    scorer = build("tiny-plain")
    assert (scorer.identity.name, scorer.identity.revision) == ("tiny-plain", "made")
    same = load_scorer(
        OpenClipScorer(kind="open_clip", model=str(folder), device="cpu"), Path.cwd(), offline=True
    )
    assert scorer.score(IMAGES, ASKED) == same.score(IMAGES, ASKED)


def test_text_tower_and_tokenizer_of_another_model_come_from_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    register("tiny-foreign", FOREIGN, monkeypatch)
    weights = cached(cache, "owner/tiny-foreign")
    (weights / "open_clip_model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsMissing, match="hf download owner/tower"):
        build("tiny-foreign")
    tower = cached(cache, "owner/tower")
    (tower / "config.json").write_text(json.dumps(TOWER))
    local = FOREIGN["text_cfg"] | {"hf_model_name": str(tower), "hf_model_pretrained": False}  # type: ignore[operator]
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-foreign", text_cfg=local, load_weights=False, pretrained_text=False)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, weights / "open_clip_model.safetensors"
    )
    with pytest.raises(WeightsMissing, match="hf download owner/words"):
        build("tiny-foreign")
    save_tokenizer(cached(cache, "owner/words"))
    scores = build("tiny-foreign").score(IMAGES, ASKED)
    assert all(0 < p < 1 for row in scores for p in row)


def test_where_the_weights_of_a_tag_are() -> None:
    assert repository("ViT-B-32", "laion2b_s34b_b79k") == (
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    )
    assert repository("ViTamin-S", "datacomp1b") == (
        "jienengchen/ViTamin-S",
        ("pytorch_model.safetensors", "pytorch_model.bin"),
    )
    with pytest.raises(ModelError, match=r"knows no weights 'nope' for 'ViT-B-32'"):
        repository("ViT-B-32", "nope")
