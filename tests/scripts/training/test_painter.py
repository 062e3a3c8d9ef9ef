"""What the painter's text encoder learns before it paints: where the named objects stand, and in which tint."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.mini.dataset.scene import Item, Scene
from scripts.training.painter import (
    NO_OBJECT,
    OBJECT_TOKENS,
    STANDS,
    TINTS,
    Painter,
    caption,
    standing,
    teach_reading,
)


def test_each_objects_token_says_where_it_stands_and_its_tint() -> None:
    scene = Scene("row", (Item("fox", "red", 0, 1, 2), Item("key", None, 2, 1, 2)), "white", "flat")
    ids = [5, OBJECT_TOKENS["key"], 9, OBJECT_TOKENS["fox"]]
    stands, tints = standing(scene, ids)
    assert [None if s == NO_OBJECT else STANDS[s] for s in stands] == [None, "right", None, "left"]
    assert [tints[1], tints[3]] == [TINTS.index(None), TINTS.index("red")]
    three = Scene("group", (Item("owl", None, 1, 0, 2),) * 3, "white", "flat")
    assert STANDS[standing(three, [OBJECT_TOKENS["owl"]])[0][0]] == "three"


@pytest.mark.slow
def test_the_text_encoder_learns_to_tell_left_from_right() -> None:
    torch.manual_seed(0)
    model = Painter()
    assert teach_reading(model, 70, (0.0, 0.0, 1.0), 0.0) < 1.0
    rng, right = np.random.default_rng(1), []
    for name in ("cat", "dog", "fox"):
        scene = Scene("row", (Item(name, None, 0, 1, 2), Item("key", None, 2, 1, 2)), "white", "flat")
        ids, mask, stands, _ = (torch.tensor([column]) for column in caption(scene, rng, placed=True))
        with torch.no_grad():
            said = model.stands(model.text(input_ids=ids, attention_mask=mask).last_hidden_state).argmax(-1)
        known = stands != NO_OBJECT
        right += (said[known] == stands[known]).tolist()
    assert np.mean(right) > 0.6
