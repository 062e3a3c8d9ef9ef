"""The bundled scorer: loads by open_clip alone, knows fresh renders, and has thresholds that can be read.

Bars are shares of true statements that pass; they lie below what `python -m scripts.evaluation.scorer` measures.
"""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray

from models.mini.dataset.scene import Fact, Item, Scene, held_out
from models.mini.dataset.statements import statement
from models.mini.dataset.vocabulary import BY_NAME
from models.palette import COLOURS
from pipeline.calls.load import Models
from pipeline.config import Preset
from scripts.evaluation.scorer import (
    KINDS,
    SCORER,
    Asked,
    ask,
    corrected,
    correction,
    pictures,
    questions,
    scenes,
)
from scripts.training.tune_scorer import FACTS, UNASKED, VIEWS, blend, cut, truth, views
from scripts.training.tune_scorer import KINDS as KINDS_OF_VIEWS

WHOLE = (0.0, 0.0, 1.0)

BARS = {"object": 0.97, "count": 0.95, "attribute": 0.92, "relation": 0.95, "background": 0.98, "style": 0.93}


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


@pytest.fixture(scope="module")
def answers(mini: tuple[Preset, Models]) -> tuple[list[Asked], NDArray[np.float64]]:
    found = scenes(30, seed=42, held_out_only=False)
    asked = questions(found, seed=43)
    return asked, ask(mini[1].scorer.rungs[0].model.get(), pictures(found, degraded=False, seed=44), asked)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_true_passes_and_what_is_false_does_not(
    mini: tuple[Preset, Models], answers: tuple[list[Asked], NDArray[np.float64]], kind: str
) -> None:
    asked, p = answers
    band = mini[1].bands[kind]
    mine = [i for i, a in enumerate(asked) if a.fact.kind == kind]
    true = np.array([asked[i].true for i in mine])
    passed = np.array([band.corrected(p[i]) >= band.pass_ for i in mine])
    assert passed[true].mean() >= BARS[kind]
    assert passed[~true].mean() <= 0.06


def test_every_kind_has_measured_errors() -> None:
    kept = json.loads((SCORER / "judge.json").read_text())
    assert set(kept) == set(KINDS)
    for kind, record in kept.items():
        assert 0 <= record["fail"] < record["pass"] <= 1, kind
        for name in ("false_accept", "false_reject", "unsure"):
            assert 0 <= record[name] <= 1
        assert record["measured_on"]


def test_corrected_odds_are_those_of_the_truth() -> None:
    rng, true = np.random.default_rng(0), np.arange(600) < 300
    said = np.where(true, rng.normal(-3, 1, 600), rng.normal(-9, 1, 600))  # right in order, far too low
    odds = correction(1 / (1 + np.exp(-said)), true)
    p = corrected(odds, 1 / (1 + np.exp(-said)))
    assert p[true].mean() == pytest.approx(1 - p[~true].mean(), abs=0.05)
    assert ((p > 0.5) == true).mean() > 0.98


def test_questions_are_half_true_and_worded_as_agreed() -> None:
    asked = questions(scenes(20, seed=42, held_out_only=False), seed=43)
    assert np.mean([a.true for a in asked]) == 0.5
    assert all(statement(a.fact).startswith("a picture ") for a in asked)


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
