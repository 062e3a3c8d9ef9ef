"""What a caption leaves open, the noise decides: the rule by which the painter's training pairs noise with scenes.

A flow learnt from noise and pictures that are paired at random must bend, and takes many steps; one learnt from fixed
pairs runs straight (rectified flow, arXiv 2209.03003), and one step walks it. Here the pairs are fixed by rule: four
numbers read off the noise choose layout, ground and style wherever the words don't, and given words and noise there is
one right picture.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from models.mini.scene import Scene, fair, places
from models.mini.vocabulary import STYLES

_GROUNDS = ("white", "yellow", "blue", "pink", "green", "gray")


def numbers(noise: NDArray[np.float32]) -> tuple[float, ...]:
    """Four independent numbers, uniform in (0, 1), from the means of the first channels of (C, H, W) noise."""
    means = noise[:4].reshape(4, -1)
    return tuple(0.5 + 0.5 * erf(mean * sqrt(means.shape[1] / 2)) for mean in means.mean(1).tolist())


def settle(scene: Scene, noise: NDArray[np.float32], background: bool, style: bool, placed: bool) -> Scene:
    """The scene with all that was not said (False) chosen by the noise; layout never is said."""
    u, v, w, x = numbers(noise)
    if not style:
        scene = replace(scene, style=STYLES[x > 0.5])
    if not placed and scene.kind in ("row", "column"):
        scene = replace(scene, kind="row" if v < 0.7 else "column")
    if not background:
        first = 0 if w < 0.4 else min(len(_GROUNDS) - 1, 1 + int((w - 0.4) / 0.6 * (len(_GROUNDS) - 1)))
        order = _GROUNDS[first:] + _GROUNDS[:first]
        grounds = (replace(scene, background=ground) for ground in order)
        scene = next((made for made in grounds if fair(made)), scene)
    spots = places(scene.kind, len(scene.items), u, v)
    items = (
        replace(item, x=x, y=y, side=side) for item, (x, y, side) in zip(scene.items, spots, strict=True)
    )
    return replace(scene, items=tuple(items))
