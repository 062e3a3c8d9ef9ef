"""Pictures for measuring the examiner and the judge: any drawings at any place, each with its own colour, one perhaps
spoilt.

The grammar of scenes (models/mini/dataset/scene.py) has no third object, no group in two colours and no smear; these
pictures have. They are described by scenes too, so that `true_of` gives their truth, except for spoilt pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.mini.dataset.art import readable_on, sprite
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS
from scripts.training.examiner import spoil

SIDE = 256  # pixels of a side of these pictures
HALF = SIDE // 2
_NAMES, _TINTS = tuple(BY_NAME), tuple(COLOURS)
_SLOTS = ((0, 0), (HALF, 0), (0, HALF), (HALF, HALF))  # left and top of the quarters


@dataclass(frozen=True, slots=True)
class Piece:
    """A drawing in a square: left, top and side in pixels. `tint` is None for its own colours; `spoilt`: it is a
    blend, half a drawing, a smear or a scrawl, so that no object is to be seen."""

    object: str
    tint: str | None
    left: int
    top: int
    side: int
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Collage:
    """Pieces on a plain background, all in one style."""

    pieces: tuple[Piece, ...]
    background: str
    style: str


def render(collage: Collage, rng: np.random.Generator) -> Image.Image:
    """The collage in RGB, SIDE pixels a side. `rng` decides how pieces are spoilt."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    canvas[:] = np.array(COLOURS[collage.background], np.float32) / 255
    for piece in collage.pieces:
        art = _art(piece, collage.style, rng)
        window = canvas[piece.top : piece.top + piece.side, piece.left : piece.left + piece.side]
        window[:] = window * (1 - art[..., 3:]) + art[..., :3]
    return Image.fromarray((canvas.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def _art(piece: Piece, style: str, rng: np.random.Generator) -> NDArray[np.float32]:
    if not piece.spoilt:
        return sprite(piece.object, style, piece.tint, piece.side)
    colour = None if piece.tint is None else np.array(COLOURS[piece.tint], np.float32) / np.float32(255)
    spoilt = spoil(rng, piece.object, style, colour, HALF)
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize((piece.side,) * 2))
        for plane in np.moveaxis(spoilt, -1, 0)
    ]
    return np.stack(planes, -1)


def worn(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture blurred and noisy, as a painter might leave it."""
    pixels = np.asarray(image.convert("RGB").filter(ImageFilter.GaussianBlur(3)), np.float32)
    return Image.fromarray((pixels + rng.normal(0, 10, pixels.shape)).clip(0, 255).astype(np.uint8))


def arranged(rng: np.random.Generator, names: Sequence[str], tints: Sequence[str | None]) -> Collage:
    """These objects, at most four, in quarters of the picture chosen at random, on a background from which all stand
    out. A single one is larger."""
    while True:
        background, style = str(rng.choice(_TINTS)), str(rng.choice(STYLES))
        looks = zip(names, tints, strict=True)
        if all(readable_on(name, style, tint, background) for name, tint in looks):
            break
    slots = rng.permutation(_SLOTS)[: len(names)].tolist()
    pieces = []
    for name, tint, (left, top) in zip(names, tints, slots, strict=True):
        side = int(rng.integers(88, HALF + 1))
        if len(names) == 1:
            side = int(rng.integers(150, 231))
            left = top = 0
        slack = (SIDE if len(names) == 1 else HALF) - side
        across, down = rng.integers(slack + 1, size=2).tolist()
        pieces.append(Piece(name, tint, left + across, top + down, side))
    return Collage(tuple(pieces), background, style)
