"""An examiner that is independent of the loop: a detector, a comparison with the drawings, and exact rules on boxes.

The detector (detector.py) has another architecture than painter and scorer and was trained on other pictures. It
proposes which drawing is in which box. That drawing is then rendered into the box in every style and tint, on the
background colour of the border, and compared with the picture. The closest rendering gives style and tint; if none is
close, the object is unclear. So a smear, a blend or half an object does not count as the object. Count and position
follow from the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.ops import nms

from models.mini.dataset.art import natural_colours, sprite
from models.mini.dataset.scene import Fact
from models.mini.dataset.vocabulary import STYLES
from models.palette import COLOURS, nearest
from scripts.evaluation.detector import DRAWINGS, SIDE, UNCLEAR, load

MAYBE = 0.2  # lowest score of a box that is compared
SURE = 0.35  # lowest score of a box that counts as unclear if no drawing fits
LIKE = 0.45  # largest difference between box and drawing, relative to that between box and plain background
OVERLAP = 0.45  # intersection over union above which two boxes are about one object
INSIDE = 0.5  # share of a box inside clear ones above which it is a part of those
PIECE = 16  # pixels of a side at which boxes are compared
EDGE = 4  # width of the border that shows the background, in pixels
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
_LOOKS = tuple((style, tint) for style in STYLES for tint in (None, *COLOURS))


@dataclass(frozen=True, slots=True)
class Found:
    """A drawing in a box: left, top, right and bottom, in pixels of a picture with SIDE pixels. `object` is None if it
    is unclear; `tint` is None for the drawing's own colours."""

    object: str | None
    style: str
    tint: str | None
    box: Box

    @property
    def centre(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows: the background's colour and the objects."""

    ground: str
    found: tuple[Found, ...]

    @property
    def sure(self) -> bool:
        """Whether no object is unclear."""
        return all(f.object for f in self.found)

    def holds(self, fact: Fact) -> bool:
        """Whether the fact is true of the picture. An unclear object is not any object, but it makes every count
        wrong."""
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
    across, down = b.centre[0] - a.centre[0], b.centre[1] - a.centre[1]
    along, off = {
        "left": (across, down),
        "right": (-across, down),
        "above": (down, across),
        "below": (-down, across),
    }[where]
    return along > 0 and along > abs(off)


def examine(image: Image.Image) -> Seen:
    """Examine a picture of any size."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32) / np.float32(255)
    border = np.concatenate([pixels[:EDGE], pixels[-EDGE:]]).reshape(-1, 3)
    border = np.concatenate([border, pixels[:, :EDGE].reshape(-1, 3), pixels[:, -EDGE:].reshape(-1, 3)])
    return Seen(ground_of(border), tuple(_detected(pixels, np.median(border, 0))))


def ground_of(border: Floats) -> str:
    """The palette colour nearest to most of the border, shape (pixels, 3)."""
    return tuple(COLOURS)[int(np.bincount(nearest(border * 255)).argmax())]


@torch.inference_mode()
def _detected(pixels: Floats, ground: Floats) -> list[Found]:
    """Clear objects by score, then unclear ones, without parts of clear ones. `pixels`: (SIDE, SIDE, 3) in [0, 1]."""
    (seen,) = load()([torch.from_numpy(pixels).permute(2, 0, 1)])
    maybe = seen["scores"] >= MAYBE
    boxes, scores, labels = seen["boxes"][maybe], seen["scores"][maybe], seen["labels"][maybe].tolist()
    looks = [_look(pixels, ground, label, box) for label, box in zip(labels, boxes.tolist(), strict=True)]
    clear = torch.tensor([look is not None for look in looks], dtype=torch.bool)
    kept = nms(boxes, scores + clear, OVERLAP).tolist()
    found: list[Found] = []
    told: list[int] = []
    for i in kept:
        box, look = _box(boxes[i]), looks[i]
        if _covered(boxes[i], boxes[told]) >= INSIDE:
            continue
        if look is not None:
            told.append(i)
            style, tint = look
            found.append(Found(DRAWINGS[labels[i] - 1][0], style, tint, box))
        elif scores[i] >= SURE:
            found.append(Found(None, "", None, box))
    return found


def _look(pixels: Floats, ground: Floats, label: int, box: Box) -> tuple[str, str | None] | None:
    """Style and tint with which the drawing of this label fits the box best; None if none fits."""
    if label == UNCLEAR:
        return None
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    colour, alpha = _drawn(DRAWINGS[label - 1][0])
    shown = colour + (1 - alpha) * ground
    best = int(((_part(image, box) - shown) ** 2).mean((1, 2, 3)).argmin())
    parts = np.stack([_part(image, near) for near in _around(box)])
    off, blank = (((parts - other) ** 2).mean((1, 2, 3)) for other in (shown[best], ground))
    return _LOOKS[best] if (off / blank).min() < LIKE**2 else None


def _part(image: Image.Image, box: Box) -> Floats:
    part = image.resize((PIECE, PIECE), Image.Resampling.BILINEAR, box=box)
    return np.asarray(part, np.float32) / np.float32(255)


def _box(row: Tensor) -> Box:
    left, top, right, bottom = row.tolist()
    return left, top, right, bottom


def _around(box: Box) -> Iterator[Box]:
    """The box, and boxes slightly shifted, larger or smaller, clipped to the picture."""
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    for across, down, more in product((-0.04, 0, 0.04), (-0.04, 0, 0.04), (-0.03, 0, 0.03)):
        x, y = left + across * wide, top + down * high
        far = x + wide * (1 + more), y + high * (1 + more)
        yield max(0, x - more * wide), max(0, y - more * high), min(SIDE, far[0]), min(SIDE, far[1])


@cache
def _drawn(name: str) -> tuple[Floats, Floats]:
    """The drawing in each of _LOOKS: premultiplied colour and alpha, shapes (looks, PIECE, PIECE, 3) and (…, 1)."""
    art = np.stack([sprite(name, style, tint, PIECE) for style, tint in _LOOKS])
    return art[..., :3], art[..., 3:]


def _covered(box: Tensor, others: Tensor) -> float:
    """The share of a box (4,) that lies in others (n, 4), which hardly overlap."""
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    return float((high - low).clamp(min=0).prod(1).sum() / (box[2:] - box[:2]).prod())
