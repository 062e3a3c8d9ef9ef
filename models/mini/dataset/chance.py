"""The rule that fixes what a caption leaves open. The painter's training pairs noise and scenes by it.

If noise and pictures are paired at random, a model needs many steps from one to the other; with fixed pairs the paths
are straight (rectified flow, arXiv 2209.03003), and one step is enough. Here a number computed from the noise chooses
the background if the caption names none, so caption and noise determine the picture. Style and layout, if not
mentioned, are always the usual ones: chosen by the noise too, they came out as blends.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from models.mini.dataset.scene import Scene, fair, places

USUAL = (0.5, 0.25)  # the arguments for which `places` returns the most frequent layouts
_STYLE = "cartoon"
_GROUNDS = (
    "white",
    "yellow",
    "blue",
    "pink",
    "green",
    "gray",
)  # the first one that contrasts with the objects is used


def number(noise: NDArray[np.float32]) -> float:
    """A number, uniform in (0, 1), from the mean of the first channel of (C, H, W) noise."""
    return 0.5 + 0.5 * erf(float(noise[0].mean()) * sqrt(noise[0].size / 2))


def settle(scene: Scene, noise: NDArray[np.float32], background: bool, style: bool, placed: bool) -> Scene:
    """The scene with everything that the caption does not mention (False) set by the rule, in the usual layout."""
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
    """The scene in the layout that the painter gives it."""
    spots = places(scene.kind, len(scene.items), *USUAL)
    items = (
        replace(item, x=x, y=y, side=side) for item, (x, y, side) in zip(scene.items, spots, strict=True)
    )
    return replace(scene, items=tuple(items))
