"""What a caption leaves open is fixed by rule: the rule by which the painter's training pairs noise with scenes.

A flow learnt from noise and pictures that are paired at random must bend, and takes many steps; one learnt from fixed
pairs runs straight (rectified flow, arXiv 2209.03003), and one step walks it. Here the pairs are fixed by rule: a
number read off the noise chooses the ground where the words don't, and given words and noise there is one right
picture. Style and layout are the usual ones wherever nothing is said: left to the noise as well, they came out as
blends of both.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from models.mini.dataset.scene import Scene, fair, places

USUAL = (0.5, 0.25)  # what `places` makes the most frequent layouts of
_STYLE = "cartoon"
_GROUNDS = ("white", "yellow", "blue", "pink", "green", "gray")  # the first that the objects stand out from


def number(noise: NDArray[np.float32]) -> float:
    """A number, uniform in (0, 1), from the mean of the first channel of (C, H, W) noise."""
    return 0.5 + 0.5 * erf(float(noise[0].mean()) * sqrt(noise[0].size / 2))


def settle(scene: Scene, noise: NDArray[np.float32], background: bool, style: bool, placed: bool) -> Scene:
    """The scene with all that was not said (False) as it usually is, in the usual layout of its kind."""
    if not style:
        scene = replace(scene, style=_STYLE)
    if not placed and scene.kind in ("row", "column"):
        scene = replace(scene, kind="row")
    if not background:
        cycle = _GROUNDS if number(noise) < 0.4 else (*_GROUNDS[1:], _GROUNDS[0])
        grounds = (replace(scene, background=name) for name in cycle)
        scene = next((made for made in grounds if fair(made)), scene)
    return usual(scene)


def usual(scene: Scene) -> Scene:
    """The scene in the layout that the painter has for it."""
    spots = places(scene.kind, len(scene.items), *USUAL)
    items = (
        replace(item, x=x, y=y, side=side) for item, (x, y, side) in zip(scene.items, spots, strict=True)
    )
    return replace(scene, items=tuple(items))
