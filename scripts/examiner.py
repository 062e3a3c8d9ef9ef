"""An examiner that no part of the loop has met: a detector of its own, and exact rules on its boxes.

The detector (scripts/detector.py) learnt from other pictures than painter and scorer, and is built otherwise; it names
drawings, and calls a smear, a blend or half a thing unclear. What colour a named drawing has is measured: inside its
box, on the picture's own ground, it is compared with the drawing in every tint. Count, place and style follow from the
boxes, the ground from the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.ops import nms

from models.mini.art import natural_colours, sprite
from models.mini.scene import Fact
from models.mini.vocabulary import COLOURS
from scripts.detector import DRAWINGS, SIDE, UNCLEAR, load

SURE = 0.35  # least score of a box
CERTAIN = 0.5  # score of a drawing that is told without doubt
OVERLAP = 0.45  # of two boxes that are about the same thing: intersection over union
PIECE = 16  # pixels at which a drawing is compared with its tints
EDGE = 4  # pixels of border that show the ground
Floats = NDArray[np.float32]
_TINTS = (None, *COLOURS)
_PALETTE = np.array(list(COLOURS.values()), np.float32) / 255


@dataclass(frozen=True, slots=True)
class Found:
    """A drawing in a box: left, top, right and bottom in pixels of SIDE. `object` is None where it is unclear what it
    is; `tint` is None for the drawing's own colours."""

    object: str | None
    style: str
    tint: str | None
    box: tuple[float, float, float, float]
    score: float = 1.0

    @property
    def centre(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True, slots=True)
class Seen:
    ground: str
    found: tuple[Found, ...]

    @property
    def sure(self) -> bool:
        """Whether there is nothing unclear in it, and no drawing that is hardly told."""
        return all(f.object and f.score >= CERTAIN for f in self.found)

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
    across, down = b.centre[0] - a.centre[0], b.centre[1] - a.centre[1]
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
    border = np.concatenate([pixels[:EDGE], pixels[-EDGE:]]).reshape(-1, 3)
    border = np.concatenate([border, pixels[:, :EDGE].reshape(-1, 3), pixels[:, -EDGE:].reshape(-1, 3)])
    return Seen(ground_of(border), tuple(_detected(pixels, np.median(border, 0))))


def ground_of(border: Floats) -> str:
    """The palette colour nearest to most of the border, shape (pixels, 3)."""
    near = np.linalg.norm(border[:, None] - _PALETTE, axis=-1).argmin(1)
    return tuple(COLOURS)[int(np.bincount(near).argmax())]


@torch.inference_mode()
def _detected(pixels: Floats, ground: Floats) -> list[Found]:
    (seen,) = load()([torch.from_numpy(pixels).permute(2, 0, 1)])
    boxes, scores, labels = seen["boxes"], seen["scores"], seen["labels"]
    sure = scores >= SURE
    boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
    found = []
    for i in nms(boxes, scores, OVERLAP).tolist():
        left, top, right, bottom = boxes[i].tolist()
        box, score, label = (left, top, right, bottom), scores[i].item(), int(labels[i])
        if label == UNCLEAR:
            found.append(Found(None, "", None, box, score))
            continue
        name, style = DRAWINGS[label - 1]
        found.append(Found(name, style, _tint(pixels, ground, name, style, box), box, score))
    return found


def _tint(
    pixels: Floats, ground: Floats, name: str, style: str, box: tuple[float, float, float, float]
) -> str | None:
    """Which tint of the drawing the box looks most like, where the drawing has ink."""
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    part = np.asarray(image.resize((PIECE, PIECE), Image.Resampling.BILINEAR, box=box), np.float32) / 255
    colour, alpha = _tinted(name, style)
    off = ((part - colour - (1 - alpha) * ground) ** 2 * alpha).sum((1, 2, 3))
    return _TINTS[int(off.argmin())]


@cache
def _tinted(name: str, style: str) -> tuple[Floats, Floats]:
    """The drawing in each of _TINTS: premultiplied colour and alpha, shapes (tints, PIECE, PIECE, 3) and (…, 1)."""
    art = np.stack([sprite(name, style, tint, PIECE) for tint in _TINTS])
    return art[..., :3], art[..., 3:]
