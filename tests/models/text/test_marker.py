"""The head that marks words, on tiny random text models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.protocols import ROLES, ModelError, WeightsMissing, WordMarker
from models.text import hf_text
from models.text.marker import WEIGHTS
from models.text.transformers_backend import TransformersText
from tests.models.text.tiny_text import save_tiny

BRIEFS = [
    "A cat on blue, please!",
    "two red apples",
    "",
    "It's für Zoë's café – 3 bees 🐝 now",
    "bees " * 200,
]
LAYERS = (1, 2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("marker")
    save_tiny(base / "llama")
    (base / "head").mkdir()
    noise = torch.Generator().manual_seed(0)
    size = 64 * len(LAYERS)
    weights = {
        "mean": torch.zeros(size), "scale": torch.full((size,), 100.0),
        "in.weight": 0.05 * torch.randn(16, size, generator=noise), "in.bias": torch.zeros(16),
        "out.weight": 0.2 * torch.randn(len(ROLES), 16, generator=noise), "out.bias": torch.zeros(len(ROLES)),
    }  # fmt: skip
    save_file(weights, base / "head" / WEIGHTS, metadata={"layers": json.dumps(LAYERS)})
    return base


def model(folders: Path, **settings: object) -> hf_text.TransformersTextModel:
    options = {"device": "cpu", "dtype": "float32", "marker": "./head"} | settings
    return hf_text.load(TransformersText(kind="transformers", model="./llama", **options), folders, True)


def test_every_word_is_marked_once_at_its_place(folders: Path) -> None:
    marker = model(folders)
    assert isinstance(marker, WordMarker)
    marked = marker.mark(BRIEFS)
    words = [[text[m.start : m.end] for m in marks.words] for text, marks in zip(BRIEFS, marked, strict=True)]
    assert words[0] == ["A", "cat", "on", "blue", "please"]
    assert words[2] == []
    assert words[3] == ["It's", "für", "Zoë's", "café", "3", "bees", "now"]
    for marks in marked:
        for mark in marks.words:
            assert list(mark.roles) == list(ROLES)
            assert sum(mark.roles.values()) == pytest.approx(1, abs=1e-5)


def test_marks_do_not_depend_on_the_batch(folders: Path) -> None:
    together, alone = model(folders), model(folders, max_batch=1)
    for one, other in zip(together.mark(BRIEFS), alone.mark(BRIEFS), strict=True):
        assert one.input_tokens == other.input_tokens
        for a, b in zip(one.words, other.words, strict=True):
            assert (a.start, a.end) == (b.start, b.end)
            assert a.roles == pytest.approx(b.roles, abs=1e-4)


def test_a_word_is_marked_by_what_follows_it(folders: Path) -> None:
    first, second = model(folders).mark(["a cat on blue", "a cat is what we do not want"])
    assert first.words[1].roles != pytest.approx(second.words[1].roles, abs=1e-4)


def test_a_brief_longer_than_the_model_reads_is_marked_at_its_beginning(folders: Path) -> None:
    save_tiny(folders / "short", max_position_embeddings=128)
    spec = TransformersText(kind="transformers", model="./short", device="cpu", marker="./head")
    (marks,) = hf_text.load(spec, folders, True).mark(["bees " * 200])
    assert 0 < len(marks.words) < 200


def test_without_a_head_the_model_says_what_to_name(folders: Path) -> None:
    with pytest.raises(ModelError, match="marker:"):
        model(folders, marker=None).mark(["a cat"])


def test_a_folder_without_a_head_is_named(folders: Path) -> None:
    with pytest.raises(WeightsMissing, match=WEIGHTS):
        model(folders, marker="./llama")
    (folders / "odd").mkdir()
    (folders / "odd" / WEIGHTS).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="no head"):
        model(folders, marker="./odd")
