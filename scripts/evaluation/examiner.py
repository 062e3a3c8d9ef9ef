"""An examiner that is independent of the loop: a detector, a comparison with the drawings, and exact rules on boxes.

The detector (detector.py) has another architecture than painter and scorer and was trained on other pictures. It
proposes which drawing is in which box. That drawing is then rendered into the box in every style and tint, on the
background colour of the border, and compared with the picture. The closest rendering gives style and tint; if none is
close, the object is unclear. So a smear, a blend or half an object does not count as the object. Closeness is relative
to how much the object stands out from its background. Count and position follow from the boxes. What is found beside
what a brief asks for counts against the picture (`Seen.objections`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.ops import box_iou
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import rotate

from models.english import number, phrase, related
from models.mini.dataset.art import natural_colours, sprite
from models.mini.dataset.scene import Fact
from models.mini.dataset.vocabulary import STYLES
from models.palette import COLOURS, nearest
from scripts.evaluation.detector import DRAWINGS, SIDE, UNCLEAR, load

MAYBE = 0.2  # lowest score of a box that is compared
SURE = 0.35  # lowest score of a box that counts as unclear if no drawing fits
LIKE = 0.45  # largest difference between box and drawing, relative to that between box and plain background
DOUBTED_LIKE = 0.33  # the same where the detector rather calls the place unclear
DOUBT, RATHER = 0.55, 0.1  # it does so with this score, or with one this much higher than the drawing's
STRENGTH = (0.6, 1.2)  # how much a thing may stand out from its ground, relative to its drawing
NOISE = 0.02  # root mean square of differences that mean nothing, of colours in [0, 1]
SHIFTS = 3  # how often a box may be moved to fit better
STANDS_OUT, SMALL = 0.2, 120  # RGB distance of pixels unlike the ground, and how many make a thing
OVERLAP = 0.45  # intersection over union above which two boxes are about one object
INSIDE = 0.5  # share of a box inside clear ones above which it is a part of those
WITHIN = 0.8  # share of a clear object inside a box above which the box shows that object and not another
PIECE = 16  # pixels of a side at which boxes are compared
EDGE = 4  # width of the border that shows the background, in pixels
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
TURNS = (0, -8, 8)  # degrees by which a drawing is turned, to fit better
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
        return self.denial(fact) is None

    def denial(self, fact: Fact) -> str | None:
        """What speaks against the fact, in words; None if it is true of the picture."""
        mine = [f for f in self.found if f.object == fact.subject]
        others = [f for f in self.found if f.object == fact.other]
        match fact.kind:
            case "background":
                return None if fact.value == self.ground else f"the background is {self.ground}"
            case "style":
                alike = bool(self.found) and all(f.object and f.style == fact.value for f in self.found)
                return None if alike else f"not all in {fact.value} style"
            case "absence":
                return f"shows {phrase(fact.subject)}" if mine else None
            case "count":
                asked = phrase(fact.subject, int(fact.value), counted=True)
                if len(mine) != int(fact.value):
                    return f"shows {_several(mine, fact.subject)}, not {asked}"
                return None if self.sure else f"may show more than {asked}"
        if not mine or (fact.kind == "relation" and not others):
            return f"shows no {fact.other if mine else fact.subject}"
        if fact.kind == "attribute":
            wrong = sum(not _coloured(f, fact.value) for f in mine)
            return f"{number(wrong)} of {_several(mine, fact.subject)} not {fact.value}" if wrong else None
        if fact.kind == "relation" and not any(_lies(a, b, fact.value) for a in mine for b in others):
            return f"no {related(fact.subject, fact.value, fact.other)}"
        return None

    def objections(
        self, facts: Sequence[Fact], optional: Collection[str] = (), closed: bool = True
    ) -> tuple[str, ...]:
        """Why the picture does not meet a brief that asks for these facts, in words; empty if it does.

        The world is closed: every fact must hold, every object must be one of the facts or `optional`, and nothing may
        be unclear. "A cat" is met by one cat or more: the number matters only where the brief names one, "one" and "a
        single" included, and is then a fact of the kind count. Without `closed`, other objects may show as well."""
        said = [denial for fact in facts if (denial := self.denial(fact))]
        asked = {name for fact in facts for name in (fact.subject, fact.other)} | set(optional)
        names = dict.fromkeys(f.object for f in self.found if f.object and f.object not in asked)
        said += [f"also shows {phrase(name)}" for name in names if closed]
        said += [f"something unclear {_whereabouts(f)}" for f in self.found if f.object is None]
        return tuple(dict.fromkeys(said))


def _several(found: Sequence[Found], name: str) -> str:
    """How many there are: "no cat", "one cat", "two cats"."""
    return phrase(name, len(found), counted=True) if found else f"no {name}"


def _whereabouts(found: Found) -> str:
    """Where in the picture it is: "at the left", "in the middle", "at the bottom right"."""
    across, down = (min(2, int(3 * part / SIDE)) for part in found.centre)
    words = " ".join(filter(None, (("top", "", "bottom")[down], ("left", "", "right")[across])))
    return f"at the {words}" if words else "in the middle"


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
    order = seen["scores"].argsort(descending=True)
    order = order[seen["scores"][order] >= MAYBE]
    boxes, scores, labels = (seen[key][order] for key in ("boxes", "scores", "labels"))
    overlap, doubts = box_iou(boxes, boxes), _doubts(boxes, scores, labels)
    doubted = (doubts >= DOUBT) | (doubts >= scores + RATHER)
    clear: list[int] = []
    unclear: list[int] = []
    left: list[int] = []

    def free(i: int) -> bool:
        """Whether no object that was found is in the box, or holds most of it."""
        told = clear + unclear
        return not (overlap[i, told] > OVERLAP).any() and _covered(boxes[i], boxes[clear]) < INSIDE

    found: list[Found] = []
    for i, label in enumerate(labels.tolist()):
        if not free(i):
            continue
        look = _look(pixels, ground, label, _box(boxes[i]), DOUBTED_LIKE if doubted[i] else LIKE)
        if look is None or any(_covered(boxes[j], boxes[[i]]) >= WITHIN for j in clear):
            left.append(i)
            continue
        clear.append(i)
        style, tint = look
        found.append(Found(DRAWINGS[label - 1][0], style, tint, _box(boxes[i])))
    for i in left:
        if scores[i] >= SURE and free(i) and _more(pixels, ground, _box(boxes[i]), boxes[clear].tolist()):
            unclear.append(i)
            found.append(Found(None, "", None, _box(boxes[i])))
    return found


def _doubts(boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """For every box, shape (n, 4), the highest score (n,) with which the detector calls the same place unclear."""
    unclear = labels == UNCLEAR
    if not unclear.any():
        return torch.zeros(len(boxes))
    same: Tensor = box_iou(boxes, boxes[unclear]) > OVERLAP
    return (same * scores[unclear]).amax(1)


def _look(pixels: Floats, ground: Floats, label: int, box: Box, like: float) -> tuple[str, str | None] | None:
    """Style and tint with which the drawing of this label fits the box, or one near it, best; None if none fits.

    A mottled background differs from place to place, so that the colour along the box's edge is tried too."""
    if label == UNCLEAR:
        return None
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    part = _part(image, box)
    edge = np.median(np.concatenate([part[0], part[-1], part[1:-1, 0], part[1:-1, -1]]), 0)
    for colour in (ground, edge):
        difference, look = _fit(image, colour, label, box)
        if difference < like:
            return look
    return None


def _fit(image: Image.Image, ground: Floats, label: int, box: Box) -> tuple[float, tuple[str, str | None]]:
    """The look in which a drawing fits best, and how much it then differs from the picture, relative to how much the
    plain ground does. A thing may stand out from its ground somewhat less or more than its drawing."""
    colour, alpha = _drawn(DRAWINGS[label - 1][0])
    drawn = colour - alpha * ground  # what each look adds to the ground
    for _ in range(SHIFTS):
        near = list(_around(box))
        added = np.stack([_part(image, one) for one in near]) - ground
        at, best = divmod(int(_distances(added, drawn).argmin()), len(drawn))
        if near[at] == box:
            break
        box = near[at]
    shown, ideal = added[at], drawn[best]
    strength = np.clip((shown * ideal).sum() / max((ideal**2).sum(), 1e-6), *STRENGTH)
    left, whole = ((shown - strength * ideal) ** 2).mean(), (shown**2).mean()
    return float(np.sqrt(max(left - NOISE**2, 0) / max(whole, NOISE**2))), _LOOKS[best % len(_LOOKS)]


def _distances(one: Floats, other: Floats) -> Floats:
    """The squared distance of each of `one` (n, …) from each of `other` (m, …), shape (n, m)."""
    a, b = one.reshape(len(one), -1), other.reshape(len(other), -1)
    squared: Floats = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return squared


def _more(pixels: Floats, ground: Floats, box: Box, clear: Sequence[Box]) -> bool:
    """Whether a box shows something beside the clear objects: pixels unlike the ground, as many as a small thing
    has."""
    unlike = np.linalg.norm(pixels - ground, axis=-1) > STANDS_OUT
    inside = np.zeros_like(unlike)
    inside[_slices(box, 0)] = True
    for other in clear:
        inside[_slices(other, 3)] = False
    return int((unlike & inside).sum()) >= SMALL


def _slices(box: Box, margin: int) -> tuple[slice, slice]:
    """Rows and columns of a box that is larger by a margin, in pixels."""
    left, top, right, bottom = box
    return (
        slice(max(0, round(top) - margin), round(bottom) + margin),
        slice(max(0, round(left) - margin), round(right) + margin),
    )


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
    """The drawing in all of _LOOKS for each of TURNS: premultiplied colour and alpha, shapes (turns · looks, PIECE,
    PIECE, 3) and (…, 1)."""
    art = np.stack([sprite(name, style, tint, PIECE) for style, tint in _LOOKS])
    art = np.concatenate([_turned(art, turn) for turn in TURNS])
    return art[..., :3], art[..., 3:]


def _turned(art: Floats, degrees: float) -> Floats:
    """Pictures (n, side, side, 4), turned around their middles."""
    turned: Floats = rotate(
        torch.from_numpy(art.transpose(0, 3, 1, 2)), degrees, InterpolationMode.BILINEAR
    ).numpy()
    return turned.transpose(0, 2, 3, 1)


def _covered(box: Tensor, others: Tensor) -> float:
    """The share of a box (4,) that lies in others (n, 4), which hardly overlap."""
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    return float((high - low).clamp(min=0).prod(1).sum() / (box[2:] - box[:2]).prod())
