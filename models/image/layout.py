"""Layouts chosen by the seed, for a painter that paints one picture of a prompt: the things that stand on a plain
ground are arranged anew, in other places and sizes.

Every layout looks composed: nothing is cut off, things keep apart, and what is shown is balanced around the middle or
stands on a line of thirds. Seed 0 gives the picture as it was painted; seeds that follow each other give different
layouts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from models.english import NUMBERS
from models.image.cutout import STANDS_OUT
from models.image.cutout import ground as ground_of

MARGIN = 0.03  # of a side, that stays empty
_JOINED = 0.012  # of a side: pieces that are nearer than this are one thing
_SPECK = 0.002  # of the picture: what covers less is no thing
_ALIKE = 0.4  # pieces that are smaller than this share of the largest one are parts of a thing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing stands and how large it is. `x`, `y`: from 0, at the left or upper margin, to 1, at the other one.
    `size`: a share of the size that it was painted with. `turn`: degrees clockwise."""

    x: float
    y: float
    size: float = 1.0
    turn: int = 0


Layout = tuple[Place, ...]
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


def _of(
    *places: tuple[float, float] | tuple[float, float, float] | tuple[float, float, float, int],
) -> Layout:
    return tuple(Place(*place) for place in places)


# By the number of things, which are listed from left to right within rows from top to bottom.
LAYOUTS: dict[int, tuple[Layout, ...]] = {
    1: (
        _of((0.1, 0.5, 0.76)),
        _of((0.8, 0.7, 0.82, 8)),
        _of((0.5, 0.1, 0.76)),
        _of((0.2, 0.8, 0.82)),
        _of((0.85, 0.35, 0.76, -8)),
        _of((0.5, 0.9, 0.78)),
        _of((0.2, 0.25, 0.82, 8)),
        _of((0.9, 0.5, 0.76)),
        _of((0.5, 0.5, 0.9, -8)),
        _of((0.2, 0.7, 0.76)),
    ),
    2: (
        _of((0, 0), (1, 1)),
        _of((0, 0.85), (1, 0.85)),
        _of((1, 0), (0, 1)),
        _of((0, 0.5), (1, 0.6, 0.8)),
        _of((0.5, 0), (0.5, 1)),
        _of((0, 0.8), (1, 0.2)),
        _of((0, 0.15), (1, 0.15)),
        _of((0, 0.6, 0.8), (1, 0.5)),
        _of((0, 0.2), (1, 0.8)),
        _of((0.35, 0), (0.65, 1)),
        _of((0, 0.7), (1, 0.7)),
        _of((0.2, 0), (0.8, 1)),
        _of((0.65, 0), (0.35, 1)),
        _of((0.8, 0), (0.2, 1)),
        _of((0.5, 0), (0.5, 1, 0.8)),
    ),
    3: (
        _of((0, 0), (1, 0), (0.5, 1)),
        _of((1, 0), (0, 0.5), (1, 1)),
        _of((0.35, 0), (0, 1), (1, 1)),
        _of((0, 0), (1, 0.5), (0, 1)),
        _of((0, 0), (1, 0), (0.65, 1)),
        _of((0.65, 0), (0, 1), (1, 1)),
        _of((0, 0), (1, 0), (0.35, 1)),
        _of((0.5, 0.1, 0.86), (0.1, 0.9, 0.86), (0.9, 0.9, 0.86)),
    ),
    4: (
        _of((0, 0.1, 0.8), (0.7, 0.1, 0.8), (0.3, 0.9, 0.8), (1, 0.9, 0.8)),
        _of((0.1, 0, 0.8), (0.9, 0.3, 0.8), (0.1, 0.7, 0.8), (0.9, 1, 0.8)),
        _of((0.15, 0.15, 0.8), (0.85, 0.15, 0.8), (0.15, 0.85, 0.8), (0.85, 0.85, 0.8)),
        _of((0.3, 0.1, 0.8), (1, 0.1, 0.8), (0, 0.9, 0.8), (0.7, 0.9, 0.8)),
        _of((0.1, 0.3, 0.8), (0.9, 0, 0.8), (0.1, 1, 0.8), (0.9, 0.7, 0.8)),
    ),
}
_MANY = {word: n for n in LAYOUTS if n > 1 for word in (NUMBERS[n], str(n))}
# Words that say how things stand to each other; the top of a top hat says nothing.
_PLACED = re.compile(
    r"\b(left|right|above|below|over|under|beneath|underneath|beside|on top of|next to)\b", re.IGNORECASE
)


def laid_out(image: Image.Image, prompt: str, seed: int) -> tuple[Image.Image, Layout | None]:
    """The picture in the layout of the seed, and that layout; the picture itself and None where it stays as it was
    painted: for one seed in turn, and where the ground is not plain or nothing stands on it. Where the prompt says how
    things stand to each other, they keep standing so."""
    pixels = np.asarray(image.convert("RGB"))
    ground = ground_of(pixels)
    things = [] if ground is None else _things(np.abs(pixels.astype(np.int16) - ground).max(2) > STANDS_OUT)
    placed = bool(_PLACED.search(prompt))
    if _asked_for(prompt) == 1 and things:
        things = [_around(things)]  # whatever pieces the drawing of the one thing consists of
    elif len(things) != _asked_for(prompt):
        things = []
    fitting = [one for one in LAYOUTS.get(len(things), ()) if _fits(one, things, image.size, placed)]
    at = seed % (len(fitting) + 1)
    if ground is None or not at:
        return image, None
    layout, made = fitting[at - 1], Image.new("RGB", image.size, tuple(map(int, ground)))
    for box, place in zip(things, layout, strict=True):
        piece = image.convert("RGB").crop(box)
        left, top, right, bottom = _box(box, place, image.size)
        piece = piece.resize(
            (max(1, round(piece.width * place.size)), max(1, round(piece.height * place.size))),
            Image.Resampling.LANCZOS,
        )
        if place.turn:
            piece = piece.rotate(
                -place.turn, Image.Resampling.BICUBIC, expand=True, fillcolor=tuple(map(int, ground))
            )
        made.paste(piece, (round((left + right - piece.width) / 2), round((top + bottom - piece.height) / 2)))
    return made, layout


def _things(shown: NDArray[np.bool_]) -> list[Box]:
    """The boxes of what stands on the ground, each with a little of the ground around it, in the order of LAYOUTS.

    Pieces near each other are one thing. Where one of the pieces is much smaller than the others, all are one thing:
    then they are parts of it."""
    near = max(1, round(_JOINED * min(shown.shape)))
    joined = ndimage.binary_dilation(shown, iterations=near)
    labels, _ = ndimage.label(joined)
    found = [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(np.where(shown, labels, 0))
        if shown[rows, columns].sum() >= _SPECK * shown.size
    ]
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in found]
    if areas and min(areas) < _ALIKE * max(areas):
        found = [_around(found)]
    # Rows overlap by less than half a thing.
    return sorted(found, key=lambda box: (round((box[1] + box[3]) / len(shown) * 2), box[0] + box[2]))


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _asked_for(prompt: str) -> int:
    """How many things a prompt asks for, by its words."""
    words = re.findall(r"\w+", prompt.lower())
    numbers = [_MANY[word] for word in words if word in _MANY]
    return max(numbers, default=2 if "and" in words or _PLACED.search(prompt) else 1)


def _box(box: Box, place: Place, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where a thing's box comes to lie; a turned box is larger."""
    wide, high = (box[2] - box[0]) * place.size, (box[3] - box[1]) * place.size
    cos, sin = abs(np.cos(np.deg2rad(place.turn))), abs(np.sin(np.deg2rad(place.turn)))
    wide, high = wide * cos + high * sin, wide * sin + high * cos
    left, top = (
        side * MARGIN + at * (side * (1 - 2 * MARGIN) - length)
        for side, at, length in zip(size, (place.x, place.y), (wide, high), strict=True)
    )
    return left, top, left + wide, top + high


def _fits(layout: Layout, things: Sequence[Box], size: tuple[int, int], placed: bool) -> bool:
    """Whether the things have room, keep apart from each other and, if `placed`, each on its side of the others."""
    boxes = [_box(box, place, size) for box, place in zip(things, layout, strict=True)]
    if any(left < 0 or top < 0 or right > size[0] or bottom > size[1] for left, top, right, bottom in boxes):
        return False
    for i, one in enumerate(boxes):
        for j in range(i):
            other = boxes[j]
            if min(one[2], other[2]) > max(one[0], other[0]) and min(one[3], other[3]) > max(
                one[1], other[1]
            ):
                return False
            if placed and _side(one, other) != _side(things[i], things[j]):
                return False
    return True


def _side(one: Sequence[float], other: Sequence[float]) -> tuple[int, bool] | None:
    """On which side of the other the first box lies; None where it lies about as far across as down."""
    apart = [one[i] + one[i + 2] - other[i] - other[i + 2] for i in (0, 1)]
    axis = int(abs(apart[1]) > abs(apart[0]))
    return (axis, apart[axis] > 0) if abs(apart[axis]) > 1.5 * abs(apart[1 - axis]) else None
