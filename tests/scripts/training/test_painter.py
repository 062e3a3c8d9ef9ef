"""What the painter's text encoder learns before it paints: where the named objects stand, and in which tint."""

from __future__ import annotations

import numpy as np
import torch

from models.mini.dataset.scene import Item, Scene
from scripts.training.painter import (
    NO_OBJECT,
    OBJECT_TOKENS,
    STANDS,
    TINTS,
    Painter,
    caption,
    reading_optimiser,
    reading_step,
    standing,
)


def test_each_objects_token_says_where_it_stands_and_its_tint() -> None:
    scene = Scene("row", (Item("fox", "red", 0, 1, 2), Item("key", None, 2, 1, 2)), "white", "flat")
    ids = [5, OBJECT_TOKENS["key"], 9, OBJECT_TOKENS["fox"]]
    stands, tints = standing(scene, ids)
    assert [None if s == NO_OBJECT else STANDS[s] for s in stands] == [None, "right", None, "left"]
    assert [tints[1], tints[3]] == [TINTS.index(None), TINTS.index("red")]
    three = Scene("group", (Item("owl", None, 1, 0, 2),) * 3, "white", "flat")
    assert STANDS[standing(three, [OBJECT_TOKENS["owl"]])[0][0]] == "three"


def test_the_text_encoder_learns_which_object_is_on_which_side() -> None:
    """A few captions, by heart: the loss reaches the encoder and both of its heads."""
    torch.manual_seed(0)
    model, rng = Painter(), np.random.default_rng(1)
    pairs = [("cat", "dog"), ("dog", "cat"), ("fox", "key"), ("key", "fox")]
    scenes = [
        Scene("row", (Item(a, "red", 0, 1, 2), Item(b, None, 2, 1, 2)), "white", "flat") for a, b in pairs
    ]
    captions = [caption(scene, rng, placed=True) for scene in scenes]
    optimiser = reading_optimiser(model)
    losses = [reading_step(model, optimiser, captions).item() for _ in range(12)]
    assert losses[0] > 3
    assert losses[-1] < 0.5
    ids, mask, stands, tints = (torch.tensor(column) for column in zip(*captions, strict=True))
    with torch.no_grad():
        words = model.text(input_ids=ids, attention_mask=mask).last_hidden_state
    named = stands != NO_OBJECT
    assert named.sum() == 8
    assert torch.equal(model.stands(words).argmax(-1)[named], stands[named])
    assert torch.equal(model.tints(words).argmax(-1)[named], tints[named])
