"""The painter's latent space, computed from scenes: the transformer generates it, the decoder turns it into pixels.

A latent is (88, 8, 8) for a 256 px image. Each cell covers 32 px; its channels, of about unit scale, are:

    which    27  the drawing's appearance code, the same in every cell of an object
    part     48  how the cell's own piece of the drawing looks, coarsely
    where     5  the cell's place within the object, and the object's size
    there     1  whether an object is there at all
    tint      4  whether the object is recoloured, and how
    ground    3  the background's colour

Shape, colour and background have separate channels, so a combination that never occurred in training is made of parts
that did. There is no encoder from images into this space.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.mini.dataset.art import sprite
from models.mini.dataset.vocabulary import BY_NAME, GRID, STYLES
from models.palette import COLOURS

if TYPE_CHECKING:
    from models.mini.dataset.scene import Scene

Floats = NDArray[np.float32]

CELLS = 8  # cells of a side; two for each cell of the grammar's grid
CHANNELS = 88
WHICH, PART = 27, 48
SIZES = (2, 3, 4)  # sides of objects, in cells of the grammar's grid
_PIECE = 8  # pixels of a side at which pieces of drawings are compared


def encode(scene: Scene) -> Floats:
    """The scene's latent, shape (88, 8, 8)."""
    out = np.zeros((CHANNELS, CELLS, CELLS), np.float32)
    out[WHICH + PART + 5] = -1
    out[WHICH + PART + 6] = -1
    out[-3:] = _colour(scene.background)[:, None, None]
    step = CELLS // GRID
    for item in scene.items:
        top, left, side = item.y * step, item.x * step, item.side * step
        block = out[:, top : top + side, left : left + side]
        block[: WHICH + PART + 6] = _shape(item.object, scene.style, item.side)
        if item.tint is not None:
            block[WHICH + PART + 6] = 1
            block[WHICH + PART + 7 : WHICH + PART + 10] = _colour(item.tint)[:, None, None]
    return out


def _colour(name: str) -> Floats:
    return np.array(COLOURS[name], np.float32) / 127.5 - 1


@cache
def appearance(width: int) -> dict[tuple[str, str], Floats]:
    """A code of `width` numbers for the drawing of each (object, style): principal components of the drawings, at unit
    scale. Similar drawings have similar codes."""
    keys = [(name, style) for style in STYLES for name in BY_NAME]
    art = np.stack([sprite(name, style, None, 32).ravel() for name, style in keys])
    left, strength, _ = np.linalg.svd(art - art.mean(0), full_matrices=False)
    code = (left * strength**0.25)[:, :width]
    code = code / np.sqrt((code**2).mean(1, keepdims=True))
    return dict(zip(keys, code.astype(np.float32), strict=True))


@cache
def _pieces() -> tuple[Floats, Floats, Floats]:
    """Mean, principal directions and scales of the pieces of all drawings, for the channels `part`."""
    rows = np.concatenate([_cut(name, style, size) for style in STYLES for name in BY_NAME for size in SIZES])
    mean = rows.mean(0)
    spread, directions = np.linalg.eigh(np.cov(rows.T))
    order = np.argsort(spread)[::-1][:PART]
    # The root of the standard deviation, halfway to whitening, so that outlines count beside areas of colour.
    return mean, directions[:, order].astype(np.float32), (spread[order] ** 0.25).astype(np.float32)


def _cut(name: str, style: str, size: int) -> Floats:
    """A drawing's pieces at a size, row by row, shape (4 size², 256): premultiplied RGBA of 8 × 8 pixels."""
    count = 2 * size
    art = sprite(name, style, None, count * _PIECE)
    return art.reshape(count, _PIECE, count, _PIECE, 4).swapaxes(1, 2).reshape(count * count, -1)


@lru_cache(maxsize=2048)
def _shape(name: str, style: str, size: int) -> Floats:
    count = 2 * size
    mean, directions, scales = _pieces()
    part = ((_cut(name, style, size) - mean) @ directions / scales).T.reshape(PART, count, count)
    at = (np.arange(count, dtype=np.float32) + 0.5) / count * 2 - 1
    x, y = np.broadcast_to(at[None], (count, count)), np.broadcast_to(at[:, None], (count, count))
    where = np.stack([x, y, np.sin(np.pi * x), np.sin(np.pi * y), np.full_like(x, size - 3.0)])
    which = np.broadcast_to(appearance(WHICH)[name, style][:, None, None], (WHICH, count, count))
    return np.concatenate([which, part, where, np.ones((1, count, count), np.float32)]).astype(np.float32)
