"""The painter's latent space, and the rule by which noise decides what words leave open."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.mini.chance import numbers, settle
from models.mini.latent import CELLS, CHANNELS, PART, WHICH, appearance, encode
from models.mini.scene import Item, Scene, fair, sample
from models.mini.vocabulary import BY_NAME, COLOURS, STYLES

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


def test_the_numbers_of_noise_are_uniform() -> None:
    drawn = np.array([numbers(noise(seed)) for seed in range(600)])
    assert drawn.shape == (600, 3)
    for column in drawn.T:
        assert np.histogram(column, 4, (0, 1))[0].min() > 100


def test_noise_decides_only_what_is_left_open() -> None:
    said = settle(CAT, noise(1), background=True, style=True, placed=True)
    assert (said.background, said.style) == ("blue", "flat")
    assert settle(CAT, noise(1), **NOTHING_SAID) == settle(CAT, noise(1), **NOTHING_SAID)
    open_ones = [settle(CAT, noise(seed), **NOTHING_SAID) for seed in range(200)]
    assert {scene.style for scene in open_ones} == set(STYLES)
    assert len(Counter(scene.background for scene in open_ones)) > 4
    assert {scene.items[0].side for scene in open_ones} == {4}


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_what_noise_decides_is_a_fair_scene(weights: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(3)
    for seed in range(40):
        assert fair(settle(sample(rng, weights), noise(seed), background=False, style=True, placed=False))
