"""The eleven colour words that Easel uses, their RGB values, and the nearest of them to any RGB value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (224, 49, 49),
    "orange": (247, 127, 0),
    "yellow": (255, 212, 40),
    "green": (47, 158, 68),
    "blue": (34, 98, 220),
    "purple": (124, 58, 190),
    "pink": (255, 150, 190),
    "brown": (121, 75, 42),
    "black": (28, 28, 32),
    "white": (250, 250, 250),
    "gray": (138, 142, 148),
}

PALETTE: Floats = np.array(list(COLOURS.values()), np.float32)  # 0 to 255, shape (colours, 3)


def nearest(rgb: Floats) -> NDArray[np.intp]:
    """The index of the nearest palette colour for each colour in `rgb` (n, 3), 0 to 255."""
    numbers: NDArray[np.intp] = np.linalg.norm(rgb[:, None] - PALETTE, axis=-1).argmin(1)
    return numbers
