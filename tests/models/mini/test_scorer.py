"""The bundled scorer: loads by open_clip alone; what its fine-tuning asks of the views of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from models.mini.dataset.scene import Fact, Item, Scene, held_out
from models.mini.dataset.vocabulary import BY_NAME
from models.palette import COLOURS
from scripts.training.tune_scorer import FACTS, UNASKED, VIEWS, blend, cut, truth, views
from scripts.training.tune_scorer import KINDS as KINDS_OF_VIEWS

WHOLE = (0.0, 0.0, 1.0)

SCORER = Path(__file__).parents[3] / "models/mini/scorer"


def test_folder_is_small_and_needs_no_code() -> None:
    files = [path for path in SCORER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 16e6
    assert {path.suffix for path in files} <= {".json", ".safetensors"}


def test_it_is_a_sigmoid_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{SCORER}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{SCORER}")
    assert model.logit_bias is not None
    ids = tokenizer(["a picture of a cat", "a picture of three hot dogs"])
    assert ids.shape == (2, model.context_length)
    assert (ids != 0).sum(1).tolist() == [6, 6]  # a hot dog is one word


def test_training_asks_of_a_view_what_stands_whole_in_it() -> None:
    items = (Item("cat", "red", 0, 1, 2), Item("dog", None, 2, 1, 2))
    scene = Scene("row", items, "white", "flat")
    for box, cat, dog in (
        (WHOLE, 1, 1), ((0.0, 0.25, 0.5), 1, 0), ((0.5, 0.25, 0.5), 0, 1), ((0.25, 0.25, 0.5), 0, 0),
        ((0.0, 0.0, 0.5), 0, 0), ((0.0, 0.25, 0.4), UNASKED, 0),
    ):  # fmt: skip
        known = dict(zip(FACTS, truth(scene, box).tolist(), strict=True))
        assert (known[Fact("object", "cat")], known[Fact("object", "dog")]) == (cat, dog)
        assert known[Fact("attribute", "cat", "red")] == cat
        assert known[Fact("attribute", "cat", "blue")] == 0
        assert known[Fact("attribute", "dog", "red")] == 0
        assert known[Fact("background", value="white")] == 1
        assert known[Fact("object", "fox")] == 0


def test_training_asks_nothing_of_a_colour_that_is_held_out() -> None:
    name, colour = next((n, c) for n in BY_NAME for c in COLOURS if held_out("colour", n, c))
    known = dict(
        zip(
            FACTS,
            truth(Scene("single", (Item("cat", "red", 0, 0, 4),), "white", "flat"), WHOLE),
            strict=True,
        )
    )
    assert known[Fact("attribute", name, colour)] == UNASKED


def test_views_are_the_whole_picture_or_a_part_without_what_lies_outside() -> None:
    picture = torch.arange(256 * 256, dtype=torch.float32).view(1, 1, 256, 256).expand(1, 3, 256, 256)
    whole, middle, corner = cut(picture, torch.tensor([[WHOLE, (0.25, 0.25, 0.5), (-0.5, -0.5, 1.0)]]))
    assert torch.allclose(whole[0, 0, 0], picture[0, 0, :2, :2].mean())
    assert torch.allclose(middle, picture[0, :, 64:192, 64:192])
    assert torch.allclose(corner[:, 1:, 1:], picture[0, :, 1:128, 1:128])


def test_a_view_of_one_thing_shows_it_whole() -> None:
    rng = np.random.default_rng(0)
    scene = Scene("row", (Item("cat", None, 0, 1, 2), Item("dog", "red", 2, 1, 2)), "white", "flat")
    shown = [dict(zip(FACTS, truth(scene, box), strict=True)) for _ in range(40) for box in views(scene, rng)]
    cats = [known[Fact("object", "cat")] for known in shown]
    dogs = [known[Fact("object", "dog")] for known in shown]
    assert sum(cat == 1 and dog == 0 for cat, dog in zip(cats, dogs, strict=True)) > 30
    assert sum(dog == 1 and cat == 0 for cat, dog in zip(cats, dogs, strict=True)) > 30
    assert all(known[Fact("attribute", "dog", "red")] == known[Fact("object", "dog")] for known in shown)


def test_of_a_blend_nothing_is_true() -> None:
    pictures = torch.stack([torch.zeros(3, 256, 256), torch.ones(3, 256, 256)])
    known = torch.ones(2, VIEWS, len(FACTS), dtype=torch.int8)
    known = blend(pictures, known, torch.Generator().manual_seed(0), share=1.0)
    assert 0.2 < pictures.min() <= pictures.max() < 0.8
    for kind, columns in KINDS_OF_VIEWS.items():
        expected = UNASKED if kind in ("background", "style") else 0
        assert (known[..., columns] == expected).all()
