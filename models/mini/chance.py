"""What a caption leaves open, the noise decides: the rule by which the painter's training pairs noise with scenes.

A flow learnt from noise and pictures that are paired at random must bend, and takes many steps; one learnt from fixed
pairs runs straight (rectified flow, arXiv 2209.03003), and one step walks it. Here the pairs are fixed by rule: numbers
read off the noise choose ground, style and order wherever the words don't, and given words and noise there is one right
picture. Sizes and shifts are always the usual ones: left to the noise as well, they blurred half of the objects.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from models.mini.scene import Scene, fair, places
from models.mini.vocabulary import STYLES

USUAL = (0.5, 0.25)  # what `places` makes the most frequent layouts of
_GROUNDS = ("white", "yellow", "blue", "pink", "green", "gray")


def numbers(noise: NDArray[np.float32], count: int = 3) -> tuple[float, ...]:
    """Independent numbers, uniform in (0, 1), from the means of the first channels of (C, H, W) noise."""
    means = noise[:count].reshape(count, -1)
    return tuple(0.5 + 0.5 * erf(mean * sqrt(means.shape[1] / 2)) for mean in means.mean(1).tolist())


def settle(scene: Scene, noise: NDArray[np.float32], background: bool, style: bool, placed: bool) -> Scene:
    """The scene with all that was not said (False) chosen by the noise, in the usual layout of its kind."""
    ground, look, order = numbers(noise)
    if not style:
        scene = replace(scene, style=STYLES[look > 0.5])
    if not placed and scene.kind in ("row", "column"):
        scene = replace(scene, kind="row" if order < 0.7 else "column")
    if not background:
        others = len(_GROUNDS) - 1
        first = 0 if ground < 0.4 else min(others, 1 + int((ground - 0.4) / 0.6 * others))
        cycle = _GROUNDS[first:] + _GROUNDS[:first]
        grounds = (replace(scene, background=name) for name in cycle)
        scene = next((made for made in grounds if fair(made)), scene)
    spots = places(scene.kind, len(scene.items), *USUAL)
    items = (
        replace(item, x=x, y=y, side=side) for item, (x, y, side) in zip(scene.items, spots, strict=True)
    )
    return replace(scene, items=tuple(items))
