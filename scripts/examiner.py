"""An examiner that no part of the loop has met: it finds the bundled drawings in a picture by comparing pixels.

Nothing in it is trained. Every window in which a drawing may stand is compared with every drawing in every tint on the
picture's own ground; of all ways to fill the picture with windows that do not overlap, the one that leaves the least
unexplained wins. A window whose best drawing is not close, or hardly closer than the best drawing of another thing, is
called unclear and counts for nothing: a smear, a blend or half a thing is not the thing. Count, place, colour and
ground follow from the boxes by rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.mini.art import natural_colours, sprite
from models.mini.scene import Fact
from models.mini.vocabulary import BY_NAME, COLOURS, GRID, STYLES

SIDE = 128  # pixels at which pictures are compared
PIECE = 32  # of a window
SIZES = (2, 3, 4)  # of windows, in cells of the grid
CLOSE = 0.155  # root of the mean squared difference of a window from its drawing, of full scale
MARGIN = 1.2  # by which the best drawing of another thing must be further off
BLANK = 0.05  # a window this close to the ground shows nothing
Floats = NDArray[np.float32]
_KEYS = tuple((name, style, tint) for style in STYLES for name in BY_NAME for tint in (None, *COLOURS))
_NAMES = np.array([list(BY_NAME).index(name) for name, _, _ in _KEYS])


@dataclass(frozen=True, slots=True)
class Found:
    """A drawing in a window: column, row and side in cells. `object` is None where it is unclear what it is."""

    object: str | None
    style: str
    tint: str | None
    x: int
    y: int
    side: int


@dataclass(frozen=True, slots=True)
class Seen:
    ground: str
    found: tuple[Found, ...]

    def holds(self, fact: Fact) -> bool:
        """Whether the fact is true of the picture. Unclear things are no objects, but they spoil a count."""
        mine = [f for f in self.found if f.object == fact.subject]
        match fact.kind:
            case "background":
                return fact.value == self.ground
            case "style":
                return bool(self.found) and all(f.object and f.style == fact.value for f in self.found)
            case "object":
                return bool(mine)
            case "count":
                return len(mine) == int(fact.value) and all(f.object for f in self.found)
            case "attribute":
                return bool(mine) and all(_coloured(f, fact.value) for f in mine)
        others = [f for f in self.found if f.object == fact.other]
        return any(_lies(a, b, fact.value) for a in mine for b in others)


def _coloured(found: Found, colour: str) -> bool:
    if found.tint is not None:
        return found.tint == colour
    return found.object is not None and colour in natural_colours(found.object, found.style)


def _lies(a: Found, b: Found, where: str) -> bool:
    across, down = (b.x + b.side / 2) - (a.x + a.side / 2), (b.y + b.side / 2) - (a.y + a.side / 2)
    along, off = {
        "left": (across, down),
        "right": (-across, down),
        "above": (down, across),
        "below": (-down, across),
    }[where]
    return along > 0 and along > abs(off)


def examine(image: Image.Image) -> Seen:
    """What the picture shows."""
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
    ground = ground_of(pixels)
    colour = np.array(COLOURS[ground], np.float32) / 255
    best = {window: _match(_cut(pixels, window), colour) for window in _windows()}
    empty = ((pixels - colour) ** 2).mean(-1)
    chosen = min(_layouts(), key=lambda layout: _unexplained(layout, best, empty))
    found = []
    for window in chosen:
        distance, key, rival, blank = best[window]
        if blank < BLANK:
            continue
        name, style, tint = key
        clear = distance < CLOSE and rival > distance * MARGIN
        found.append(Found(name if clear else None, style, tint, *window))
    return Seen(ground, tuple(found))


def ground_of(pixels: Floats) -> str:
    """The palette colour nearest to most of the border."""
    border = np.concatenate(
        [
            pixels[:4].reshape(-1, 3),
            pixels[-4:].reshape(-1, 3),
            pixels[:, :4].reshape(-1, 3),
            pixels[:, -4:].reshape(-1, 3),
        ]
    )
    palette = np.array(list(COLOURS.values()), np.float32) / 255
    nearest = np.linalg.norm(border[:, None] - palette[None], axis=-1).argmin(1)
    return list(COLOURS)[int(np.bincount(nearest).argmax())]


Window = tuple[int, int, int]
Match = tuple[float, tuple[str, str, str | None], float, float]  # distance, drawing, next other thing, ground


def _windows() -> list[Window]:
    return [(x, y, side) for side in SIZES for y in range(GRID - side + 1) for x in range(GRID - side + 1)]


@cache
def _layouts() -> tuple[tuple[Window, ...], ...]:
    """One window of any size, or two to four small ones, none over another."""
    small = [window for window in _windows() if window[2] == 2]
    several = [
        some
        for count in (2, 3, 4)
        for some in combinations(small, count)
        if all(abs(a[0] - b[0]) >= 2 or abs(a[1] - b[1]) >= 2 for a, b in combinations(some, 2))
    ]
    return (*((window,) for window in _windows()), *several)


def _cut(pixels: Floats, window: Window) -> Floats:
    x, y, side = (share * SIDE // GRID for share in window)
    part = Image.fromarray((pixels[y : y + side, x : x + side] * 255).round().astype(np.uint8))
    return np.asarray(part.resize((PIECE, PIECE), Image.Resampling.BOX), np.float32) / 255


@cache
def _drawings() -> tuple[Floats, Floats]:
    """Of each of _KEYS premultiplied colour and alpha, shapes (keys, PIECE², 3) and (keys, PIECE²)."""
    art = np.stack([sprite(*key, PIECE) for key in _KEYS]).reshape(len(_KEYS), PIECE * PIECE, 4)
    return art[..., :3].copy(), art[..., 3].copy()


@cache
def _on(ground: tuple[float, ...]) -> tuple[Floats, Floats]:
    """All drawings on a ground as rows, and their squared lengths."""
    colour, alpha = _drawings()
    rows = (colour + (1 - alpha[..., None]) * np.array(ground, np.float32)).reshape(len(_KEYS), -1)
    return rows, (rows**2).sum(1)


def _match(part: Floats, ground: Floats) -> Match:
    rows, lengths = _on(tuple(ground.tolist()))
    flat = part.ravel()
    off = np.sqrt(np.maximum(0, lengths - 2 * rows @ flat + flat @ flat) / flat.size)
    best = int(off.argmin())
    rival = float(off[_NAMES[best] != _NAMES].min())
    return float(off[best]), _KEYS[best], rival, float(np.sqrt(((part - ground) ** 2).mean()))


def _unexplained(layout: tuple[Window, ...], best: dict[Window, Match], empty: Floats) -> float:
    """Squared difference of the whole picture from the layout's drawings on the ground."""
    left, total = empty.copy(), 0.0
    for x, y, side in layout:
        cell = SIDE // GRID
        left[y * cell : (y + side) * cell, x * cell : (x + side) * cell] = 0
        total += best[x, y, side][0] ** 2 * (side * cell) ** 2
    return total + float(left.sum())
