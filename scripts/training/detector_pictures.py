"""The pictures from which the judge's detector learns (detector.py), with their targets.

Collages: one to four drawings at any place and size or in the painter's layouts, in any colour, alike or not, one in
five of them spoilt. And pictures out of the painter's decoder, from latents with noise; in some of them two latents are
blended, as the painter blends what it cannot tell apart. What is spoilt or blended is UNCLEAR. Held-out combinations
never occur.

How a drawing is drawn and spoilt is shared with the examiner's pictures (examiner.py); seeds, layouts and colours are
others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderDC
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import IterableDataset, get_worker_info

from models.detector.grid_network import SIDE
from models.mini.dataset.art import natural_colours
from models.mini.dataset.latent import encode
from models.mini.dataset.scene import Item, Kind, Scene, fair, places
from models.mini.dataset.vocabulary import BY_NAME, GRID, STYLES
from models.palette import COLOURS, PALETTE
from models.protocols import UNCLEAR
from scripts.training.examiner import allowed, drawn, paste, spoil, squares, turned

MINI = Path(__file__).parents[2] / "models/mini"
Floats = NDArray[np.float32]
NAMES, TINTS = tuple(BY_NAME), tuple(COLOURS)
LABELS = (*NAMES, UNCLEAR)
MOST = 4  # most drawings in a picture
_SPOILT = 0.2  # share of spoilt drawings
_JITTER = 0.05  # standard deviation of colours around those of the palette


@dataclass(frozen=True, slots=True)
class Put:
    """A drawing in a square: left, top and side in pixels of a picture with SIDE pixels. `object` is None if it is
    spoilt. `tint`: a palette colour, None for its own colours, "" for a colour that has no certain name."""

    object: str | None
    style: str
    tint: str | None
    left: float
    top: float
    side: float


Sample = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def targets(put: Sequence[Put]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes, float (MOST, 4), in pixels; labels, int (MOST,), -1 for none; styles, int (MOST,), -1 for unknown;
    colours, float (MOST, 11), 1 for true, 0 for false, -1 for unknown."""
    boxes, labels = torch.zeros(MOST, 4), torch.full((MOST,), -1)
    styles, colours = torch.full((MOST,), -1), torch.full((MOST, len(TINTS)), -1.0)
    for i, p in enumerate(put):
        boxes[i] = torch.tensor((p.left, p.top, p.left + p.side, p.top + p.side))
        labels[i] = LABELS.index(p.object or UNCLEAR)
        if p.object is None:
            continue
        styles[i] = STYLES.index(p.style)
        if p.tint != "":
            own = natural_colours(p.object, p.style) if p.tint is None else {p.tint}
            colours[i] = torch.tensor([float(colour in own) for colour in TINTS])
    return boxes.clamp(0, SIDE), labels, styles, colours


def near(rng: np.random.Generator, tint: str) -> Floats:
    """An RGB colour (3,) in [0, 1] that everybody would call by that name."""
    exact = PALETTE[TINTS.index(tint)] / 255
    shade: Floats = (exact + rng.normal(0, _JITTER, 3)).clip(0, 1).astype(np.float32)
    return shade


def cast(rng: np.random.Generator) -> tuple[list[str], list[tuple[str | None, Floats | None]]]:
    """Names and colours of one to four drawings: all different or all the same, those also in different colours. A
    colour is its name ("" for one without) and its RGB value."""
    while True:
        count = int(rng.choice(MOST, p=(0.35, 0.3, 0.2, 0.15))) + 1
        names = [str(name) for name in rng.choice(NAMES, count, replace=False)]
        colours: list[tuple[str | None, Floats | None]] = []
        for _ in names:
            roll = rng.random()
            if roll < 0.45:
                colours.append((None, None))
            elif roll < 0.9:
                tint = str(rng.choice(TINTS))
                colours.append((tint, near(rng, tint)))
            else:
                colours.append(("", rng.random(3).astype(np.float32)))
        if rng.random() < 0.45:
            names = names[:1] * count
            if rng.random() < 0.6:
                colours = colours[:1] * count
        if allowed(names, [rgb for _, rgb in colours]):
            return names, colours


def ground(rng: np.random.Generator) -> Floats:
    """A background, float (SIDE, SIDE, 3): one colour, at times with soft spots of another."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    canvas[:] = near(rng, str(rng.choice(TINTS))) if rng.random() < 0.8 else rng.random(3)
    if rng.random() < 0.15:
        spots = Image.fromarray((rng.random((5, 5)) * 255).astype(np.uint8))
        share = np.asarray(spots.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
        other = near(rng, str(rng.choice(TINTS)))
        canvas += share[..., None] * (other - canvas) * np.float32(rng.random() * 0.6)
    return canvas


def arrangement(rng: np.random.Generator, count: int) -> Kind:
    """The kind of scene that so many drawings can be."""
    if count == 1:
        return "single"
    pair: tuple[Kind, ...] = ("row", "column", "group")
    return pair[int(rng.integers(len(pair)))] if count == 2 else "group"


def layout(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Left, top and side of each of `count` squares, in pixels."""
    if rng.random() < 0.5:
        return squares(rng, count)
    cell = SIDE // GRID
    kind = arrangement(rng, count)
    spots = places(kind, count, *rng.random(2))
    order = rng.permutation(count)
    dx, dy = rng.integers(-3, 4, 2)
    return [(spots[i][0] * cell + dx, spots[i][1] * cell + dy, spots[i][2] * cell) for i in order]


def collage(rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[Put]]:
    """A random picture, uint8 (SIDE, SIDE, 3), and the drawings in it."""
    canvas, put = ground(rng), []
    names, colours = cast(rng)
    style, spoilt_all = str(rng.choice(STYLES)), rng.random() < 0.05
    for name, (tint, rgb), (left, top, side) in zip(names, colours, layout(rng, len(names)), strict=True):
        spoilt = spoilt_all or rng.random() < _SPOILT
        px = SIDE if side > SIDE // 2 else SIDE // 2
        art = spoil(rng, name, style, rgb, px) if spoilt else drawn(name, style, rgb, px)
        art = turned(rng, art, side)
        if paste(canvas, art, left, top):
            put.append(Put(None if spoilt else name, style, tint, left, top, side))
    return (canvas.clip(0, 1) * 255 + 0.5).astype(np.uint8), put


def free_scene(rng: np.random.Generator) -> Scene:
    """A scene of one to four drawings in the painter's layouts, alike or not."""
    while True:
        names, colours = cast(rng)
        tints = [tint if tint in TINTS else None for tint, _ in colours]
        count = len(names)
        kind = arrangement(rng, count)
        spots = places(kind, count, *rng.random(2))
        items = tuple(Item(n, t, *spot) for n, t, spot in zip(names, tints, spots, strict=True))
        scene = Scene(kind, items, str(rng.choice(TINTS)), str(rng.choice(STYLES)))
        if fair(scene):
            return scene


def blended(rng: np.random.Generator) -> tuple[Floats, Scene, list[bool]]:
    """A latent that is a blend of two scenes' in the same layout, the first scene, and for each of its drawings
    whether it is blended."""
    while True:
        one, two = free_scene(rng), free_scene(rng)
        if len(one.items) == len(two.items) and all(
            (a.x, a.y, a.side) == (b.x, b.y, b.side) and a.object != b.object
            for a, b in zip(one.items, two.items, strict=True)
        ):
            break
    first, second = encode(one), encode(two)
    share = np.zeros(first.shape[1:], np.float32)
    step, spoilt = len(share) // GRID, []
    for item in one.items:
        spoilt.append(bool(rng.random() < 0.7))
        if spoilt[-1]:
            block = share[
                item.y * step : (item.y + item.side) * step, item.x * step : (item.x + item.side) * step
            ]
            if rng.random() < 0.6:
                block[:] = rng.uniform(0.3, 0.7)
            else:  # one half of each
                half = block[: len(block) // 2] if rng.random() < 0.5 else block[:, : len(block) // 2]
                half[:] = 1
    return first + share * (second - first), one, spoilt


def make_bank(count: int, path: Path, seed: int) -> None:
    """Decode `count` pictures and keep them with their targets in a file, for the training to draw from."""
    rng = np.random.default_rng((77, seed))
    decoder = AutoencoderDC.from_pretrained(MINI / "painter/vae", torch_dtype=torch.float32).eval()
    shown, rows = [], []
    for _ in range(0, count, 16):
        latents, put = [], []
        for _ in range(16):
            if rng.random() < 0.3:
                latent, scene, spoilt = blended(rng)
            else:
                scene = free_scene(rng)
                latent, spoilt = encode(scene), [False] * len(scene.items)
            latents.append(latent + rng.normal(0, rng.random() * 0.25, latent.shape).astype(np.float32))
            cell = SIDE // GRID
            put.append(
                [
                    Put(None if s else i.object, scene.style, i.tint, i.x * cell, i.y * cell, i.side * cell)
                    for i, s in zip(scene.items, spoilt, strict=True)
                ]
            )
        with torch.inference_mode():
            pixels = decoder.decode(torch.from_numpy(np.stack(latents)), return_dict=False)[0]
        small = F.avg_pool2d(pixels.clamp(-1, 1) * 127.5 + 127.5, 2).round().byte()
        shown.append(small)
        rows += [targets(p) for p in put]
    boxes, labels, styles, colours = (torch.stack(column) for column in zip(*rows, strict=True))
    values = {
        "pixels": torch.cat(shown),
        "boxes": boxes,
        "labels": labels,
        "styles": styles,
        "colours": colours,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(values, path)


class Pictures(IterableDataset[Sample]):
    """Endless samples: pixels, uint8 (3, SIDE, SIDE), and their `targets`. Seeded by `start` and the worker's
    number."""

    def __init__(self, start: int, bank: Path | None, share: float) -> None:
        self.start, self.bank, self.share = start, bank, share

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        rng = np.random.default_rng((31_000_000 + self.start, info.id if info else 0))
        held = load_file(self.bank) if self.bank else None
        while True:
            if held and rng.random() < self.share:
                i = int(rng.integers(len(held["pixels"])))
                columns = (held[name][i] for name in ("pixels", "boxes", "labels", "styles", "colours"))
                pixels, boxes, labels, styles, colours = columns
                if rng.random() < 0.7:
                    pixels, boxes = shifted(rng, pixels, boxes)
                yield pixels, boxes, labels, styles, colours
            else:
                picture, put = collage(rng)
                yield torch.from_numpy(picture).permute(2, 0, 1), *targets(put)


def shifted(rng: np.random.Generator, pixels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """A picture and its boxes moved by up to six pixels; the border is repeated."""
    dx, dy = (int(n) for n in rng.integers(-6, 7, 2))
    wide = F.pad(pixels[None].float(), (6, 6, 6, 6), mode="replicate")[0]
    moved = wide[:, 6 - dy : 6 - dy + SIDE, 6 - dx : 6 - dx + SIDE].byte()
    return moved, (boxes + torch.tensor((dx, dy, dx, dy))).clamp(0, SIDE)
