"""The painter's latent space, and the rule for what words leave open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.mini.dataset.chance import number, settle
from models.mini.dataset.latent import CELLS, CHANNELS, PART, WHICH, appearance, encode
from models.mini.dataset.scene import Item, Scene, fair, sample
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS

CAT = Scene("single", (Item("cat", None, 1, 0, 3),), "blue", "flat")
NOTHING_SAID = {"background": False, "style": False, "placed": False}


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((CHANNELS, CELLS, CELLS), np.float32)


def test_a_latent_says_where_the_object_is_and_what_lies_behind() -> None:
    latent = encode(CAT)
    assert latent.shape == (CHANNELS, CELLS, CELLS)
    there = latent[WHICH + PART + 5]
    assert (there[:6, 2:] == 1).all()
    assert there.sum() == 36 - 28
    assert np.allclose((latent[-3:, 0, 0] + 1) * 127.5, COLOURS["blue"], atol=0.01)


def test_shape_colour_and_ground_keep_to_their_own_channels() -> None:
    plain = encode(CAT)
    red = encode(replace(CAT, items=(replace(CAT.items[0], tint="red"),)))
    changed = (plain != red).any((1, 2)).nonzero()[0]
    assert changed.min() == WHICH + PART + 6
    assert changed.max() < CHANNELS - 3
    on_pink = encode(replace(CAT, background="pink"))
    assert set((plain != on_pink).any((1, 2)).nonzero()[0]) <= set(range(CHANNELS - 3, CHANNELS))


def test_every_drawing_has_a_code_of_its_own() -> None:
    codes = np.stack([appearance(WHICH)[name, style] for style in STYLES for name in BY_NAME])
    assert np.allclose((codes**2).mean(1), 1, atol=1e-4)
    apart = ((codes[:, None] - codes[None]) ** 2).mean(-1) + 9 * np.eye(len(codes))
    assert apart.min() > 0.01


def test_the_number_of_noise_is_uniform() -> None:
    drawn = [number(noise(seed)) for seed in range(600)]
    assert np.histogram(drawn, 4, (0, 1))[0].min() > 100


def test_only_what_is_left_open_is_decided_by_rule() -> None:
    said = settle(CAT, noise(1), background=True, style=True, placed=True)
    assert (said.background, said.style) == ("blue", "flat")
    open_ones = [settle(CAT, noise(seed), **NOTHING_SAID) for seed in range(50)]
    assert open_ones[1] == settle(CAT, noise(1), **NOTHING_SAID)
    assert {scene.style for scene in open_ones} == {"cartoon"}
    assert len({scene.background for scene in open_ones}) == 2  # this much is left to the noise
    assert {scene.items[0].side for scene in open_ones} == {4}


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_what_is_decided_is_a_fair_scene(weights: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(3)
    for seed in range(40):
        assert fair(settle(sample(rng, weights), noise(seed), background=False, style=True, placed=False))
