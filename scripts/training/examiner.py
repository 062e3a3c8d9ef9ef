"""Train the examiner's detector (scripts/evaluation/detector.py) on pictures made here.

    python -m scripts.training.examiner --minutes 7 --decay 4 --batch 64 --workers 6

These are not the scenes that painter and scorer learn from: one to four drawings at any place and size, slightly
rotated and stretched, in any colour, on a plain or mottled background. Some drawings are spoilt: blended with another
one, halved, cut up, smeared, or replaced by random shapes; they get the label "unclear". Held-out combinations
(dataset/scene.py) never occur. Resumes from `--work`; the learning rate falls over the last `--decay` minutes. Runs on
CPU or GPU through accelerate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from accelerate import Accelerator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models.mini.dataset.art import raster, recoloured
from models.mini.dataset.degrade import wear
from models.mini.dataset.scene import held_out
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS, PALETTE, nearest
from scripts.evaluation.detector import DRAWINGS, SIDE, UNCLEAR, WEIGHTS, build, read, save
from scripts.training import loop as training
from scripts.training.muon import Muon

Floats = NDArray[np.float32]
_NAMES = tuple(BY_NAME)
_LABELS = {drawing: label for label, drawing in enumerate(DRAWINGS, 1)}
MOST = 4  # most drawings in a picture
_SPOILT = 0.2  # share of spoilt drawings
_NEAR = 70 / 255  # RGB distance of colours that look alike, as in art.readable_on


@dataclass(frozen=True, slots=True)
class Put:
    """A drawing in a square: left, top and side in pixels; it may reach over the edge. `object` is None if it is
    spoilt."""

    object: str | None
    style: str
    colour: Floats | None  # None: its own colours
    left: int
    top: int
    side: int

    @property
    def label(self) -> int:
        return UNCLEAR if self.object is None else _LABELS[self.object, self.style]


def picture(rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[Put]]:
    """A random picture, uint8 (SIDE, SIDE, 3), and the drawings in it."""
    while True:
        canvas, put = ground(rng), []
        names, colours = cast(rng)
        style = str(rng.choice(STYLES))
        for name, colour, (left, top, side) in zip(names, colours, squares(rng, len(names)), strict=True):
            spoilt = rng.random() < _SPOILT
            px = SIDE if side > SIDE // 2 else SIDE // 2
            art = spoil(rng, name, style, colour, px) if spoilt else drawn(name, style, colour, px)
            art = turned(rng, art, side)
            if paste(canvas, art, left, top):
                put.append(Put(None if spoilt else name, style, colour, left, top, side))
        shown = [(p.object, p.colour) for p in put if p.object]
        if allowed([name for name, _ in shown], [colour for _, colour in shown]):
            return (canvas.clip(0, 1) * 255 + 0.5).astype(np.uint8), put


def cast(rng: np.random.Generator) -> tuple[list[str], list[Floats | None]]:
    """Names and colours of one to four drawings, all different or all the same."""
    while True:
        count = int(rng.choice(MOST, p=(0.35, 0.3, 0.15, 0.2))) + 1
        names = [str(name) for name in rng.choice(_NAMES, count, replace=False)]
        colours = [tint(rng) if rng.random() < 0.5 else None for _ in names]
        if rng.random() < 0.4:
            names, colours = names[:1] * count, colours[:1] * count
        if allowed(names, colours):
            return names, colours


def allowed(names: list[str], colours: list[Floats | None]) -> bool:
    """Whether no held-out combination occurs. A colour counts as the nearest palette colour."""
    distinct = sorted(set(names))
    if any(held_out("pair", *pair) for pair in combinations(distinct, 2)):
        return False
    if len(distinct) < len(names) and held_out("count", names[0], str(len(names))):
        return False
    return not any(
        colour is not None and held_out("colour", name, named(colour))
        for name, colour in zip(names, colours, strict=True)
    )


def named(colour: Floats) -> str:
    """The name of the palette colour nearest to an RGB colour (3,) in [0, 1]."""
    return tuple(COLOURS)[int(nearest(colour[None] * 255)[0])]


def tint(rng: np.random.Generator) -> Floats:
    """A random RGB colour (3,) in [0, 1]: half of the time any, else one near a palette colour."""
    if rng.random() < 0.5:
        return rng.random(3).astype(np.float32)
    near: Floats = (PALETTE[rng.integers(len(PALETTE))] / 255 + rng.normal(0, 0.06, 3)).astype(np.float32)
    return near.clip(0, 1)


def ground(rng: np.random.Generator) -> Floats:
    """A background, float (SIDE, SIDE, 3) in [0, 1]: one colour, or two that blend into each other."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    canvas[:] = tint(rng)
    if rng.random() < 0.15:
        cells = (rng.random((4, 4)) * 255).astype(np.uint8)
        share = (
            np.asarray(Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
            / 255
        )
        canvas += share[..., None] * (tint(rng) - canvas) * np.float32(rng.random())
    return canvas


def squares(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Left, top and side of `count` squares that hardly overlap, in pixels."""
    if count == 1:
        side = int(rng.integers(44, SIDE + 1))
        slack = SIDE - side
        return [(int(rng.integers(-4, slack + 5)), int(rng.integers(-4, slack + 5)), side)]
    half = SIDE // 2
    corners = rng.permutation([(0, 0), (half, 0), (0, half), (half, half)])[:count]
    if count == 2 and rng.random() < 0.7:  # side by side or one over the other, and anywhere across
        across = int(rng.integers(half + 1))
        corners = np.array([(0, across), (half, across)])[:, :: int(rng.choice((1, -1)))]
    if count == 3 and rng.random() < 0.7:  # two and one
        corners = np.array([(0, 0), (half, 0), (half // 2, half)])
        corners = SIDE - half - corners if rng.random() < 0.5 else corners
    found = []
    for left, top in corners:
        side = int(rng.integers(36, half + 7))
        dx, dy = ((half - side) // 2 + rng.integers(-6, 7, 2)).tolist()
        found.append((int(left) + dx, int(top) + dy, side))
    return found


def drawn(name: str, style: str, colour: Floats | None, px: int) -> Floats:
    """Premultiplied RGBA, shape (px, px, 4)."""
    straight = raster(name, style, px)
    rgb, alpha = straight[..., :3], straight[..., 3]
    if colour is not None:
        rgb = recoloured(rgb, alpha, colour)
    return np.concatenate([rgb * alpha[..., None], alpha[..., None]], -1)


def spoil(rng: np.random.Generator, name: str, style: str, colour: Floats | None, px: int) -> Floats:
    """A spoilt version of the drawing, premultiplied RGBA (px, px, 4)."""
    art, half = drawn(name, style, colour, px), px // 2
    other = drawn(str(rng.choice([n for n in _NAMES if n != name])), str(rng.choice(STYLES)), None, px)
    upright = rng.random() >= 0.5  # the cut between the halves
    first, second = (np.s_[:, :half], np.s_[:, half:]) if upright else (np.s_[:half, :], np.s_[half:, :])
    match int(rng.integers(6)):
        case 0:  # a blend
            share = np.float32(rng.uniform(0.35, 0.65))
            return art * share + other * (1 - share)
        case 1:  # half one and half another
            return np.concatenate([art[first], other[second]], axis=1 if upright else 0)
        case 2:  # half missing
            art = art.copy()
            art[second if rng.random() < 0.5 else first] = 0
            return art
        case 3:  # smeared
            return resized(resized(art, int(rng.integers(3, 6))), px)
        case 4:  # its quarters in another order
            quarters = [art[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
            a, b, c, d = (
                quarters[i] for i in rng.choice([(3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1), (1, 2, 3, 0)])
            )
            return np.concatenate([np.concatenate([a, b], 1), np.concatenate([c, d], 1)], 0)
        case _:  # no drawing at all
            return scrawl(rng)


def scrawl(rng: np.random.Generator) -> Floats:
    """A few random shapes over each other, premultiplied RGBA (SIDE, SIDE, 4)."""
    image = Image.new("RGBA", (SIDE, SIDE))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 6))):
        fill = (*(int(part * 255) for part in tint(rng)), 255)
        points = [tuple(map(int, point)) for point in rng.integers(8, SIDE - 8, (int(rng.integers(3, 6)), 2))]
        (x0, x1), (y0, y1) = sorted(p[0] for p in points[:2]), sorted(p[1] for p in points[:2])
        if rng.random() < 0.5:
            pen.ellipse((x0, y0, x1 + 20, y1 + 20), fill)
        else:
            pen.polygon(points, fill)
    straight = np.asarray(image, np.float32) / 255
    return np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], -1)


def resized(art: Floats, side: int) -> Floats:
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(art[..., i])).resize((side, side), Image.Resampling.BILINEAR)
        )
        for i in range(art.shape[-1])
    ]
    return np.stack(planes, -1)


def turned(rng: np.random.Generator, art: Floats, side: int) -> Floats:
    """The drawing resized to (side, side, 4); half of the time rotated by up to 8° and narrowed by up to 10 %."""
    px = len(art)
    image = Image.fromarray((art.clip(0, 1) * 255 + 0.5).astype(np.uint8), "RGBA")
    if rng.random() < 0.5:
        angle, (wide, high) = rng.uniform(-8, 8) * np.pi / 180, rng.uniform(1, 1.1, 2)
        c, s, mid = np.cos(angle), np.sin(angle), px / 2
        a, b, d, e = c * wide, s * high, -s * wide, c * high
        image = image.transform(
            (px, px),
            Image.Transform.AFFINE,
            (a, b, mid - a * mid - b * mid, d, e, mid - d * mid - e * mid),
            Image.Resampling.BILINEAR,
        )
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32) / np.float32(255)


def paste(canvas: Floats, art: Floats, left: int, top: int) -> bool:
    """Lay a drawing, premultiplied RGBA (side, side, 4), onto the picture (SIDE, SIDE, 3), in place; what reaches over
    the edge is cut off. Returns False, and changes nothing, where it would be hidden."""
    window = canvas[max(0, top) : top + len(art), max(0, left) : left + len(art)]
    art = art[max(0, -top) :, max(0, -left) :][: len(window), : window.shape[1]]
    if hidden(art, window):
        return False
    window[:] = window * (1 - art[..., 3:]) + art[..., :3]
    return True


def hidden(art: Floats, window: Floats) -> bool:
    """Whether more than half of the drawing's pixels are close in colour to the background behind them."""
    ink = art[..., 3] > 0.5
    if not ink.any():
        return True
    return bool((np.linalg.norm(art[..., :3] - window, axis=-1)[ink] < _NEAR).mean() > 0.5)


class Pictures(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless samples: pixels, uint8 (3, SIDE, SIDE); boxes, float (MOST, 4); labels, int (MOST,), 0 where there is no
    drawing. Seeded by `start` and the worker's number."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        info = get_worker_info()
        rng = np.random.default_rng((90_000 + self.start, info.id if info else 0))
        while True:
            pixels, put = picture(rng)
            boxes, labels = torch.zeros(MOST, 4), torch.zeros(MOST, dtype=torch.int64)
            for i, p in enumerate(put):
                boxes[i] = torch.tensor((p.left, p.top, p.left + p.side, p.top + p.side))
                labels[i] = p.label
            yield torch.from_numpy(pixels).permute(2, 0, 1), boxes.clamp(0, SIDE), labels


def optimisers_of(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices and kernels; AdamW for the output layers, depthwise kernels and vectors."""
    ends = ("cls_logits", "bbox_reg", "bbox_ctrness")
    inner = [
        p
        for name, p in model.named_parameters()
        if p.ndim in (2, 4) and p[0].numel() > 49 and not any(end in name for end in ends)
    ]
    rest = [p for p in model.parameters() if all(p is not matrix for matrix in inner)]
    return [Muon(inner, rate), torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)]


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/examiner"),
    batch: int = 16,
    rate: float = 2e-3,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    workers: Annotated[int, typer.Option(help="processes that draw pictures")] = 1,
    out: Annotated[Path, typer.Option(help="the detector, written at the end")] = WEIGHTS,
    start: Annotated[
        Path | None, typer.Option(help="weights to begin with; not if the work is resumed")
    ] = None,
) -> None:
    """Train the detector for some minutes and save it."""
    torch.set_float32_matmul_precision("high")
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    torch.manual_seed(9)
    model = build()
    if start is not None:
        model.load_state_dict(read(start))
    model = model.to(accelerator.device).train()
    average = build().to(accelerator.device).requires_grad_(False)
    average.load_state_dict(model.state_dict())
    weights = list(model.parameters())
    optimisers = optimisers_of(model, rate)
    state = training.Progress(step=0, samples=0, seconds=0.0)
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        for optimiser, values in zip(optimisers, held["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        state = held["state"]
    noise = torch.Generator(accelerator.device).manual_seed(9_000_000 + state["step"])
    data = DataLoader(Pictures(state["step"]), batch_size=batch, num_workers=workers, prefetch_factor=8)
    started = last = time.monotonic()
    base, mean = state["seconds"], torch.zeros(3, device=accelerator.device)

    def checkpoint() -> None:
        values = {"model": model.state_dict(), "average": average.state_dict(), "state": state}
        training.keep(values | {"optimisers": [optimiser.state_dict() for optimiser in optimisers]}, saved)
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": [round(part, 4) for part in mean.tolist()]}) + "\n")

    for pixels, boxes, labels in data:
        spent = time.monotonic() - started
        left = minutes * 60 - spent
        if left <= 0:
            break
        factor = training.share(state["step"], 200, left, decay)
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = rate * factor
        seen = wear(pixels.to(accelerator.device).float() / 255, noise, 0.8)
        counts = labels.count_nonzero(1).tolist()
        boxes, labels = boxes.to(accelerator.device), labels.to(accelerator.device)
        there = [{"boxes": boxes[i, :n], "labels": labels[i, :n]} for i, n in enumerate(counts)]
        losses = torch.stack(list(model(list(seen), there).values()))
        accelerator.backward(losses.sum())
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        state["step"] += 1
        state["samples"] += len(pixels)
        state["seconds"] = base + time.monotonic() - started
        training.follow(list(average.parameters()), weights, state["step"])
        mean.lerp_(losses.detach(), 0.02 if state["step"] > 50 else 0.2)
        if state["step"] % 50 == 0:
            pace = state["samples"] / state["seconds"]
            shown = " ".join(f"{part:.3f}" for part in mean.tolist())
            print(
                f"{state['samples']:>8} pictures  losses {shown}  {pace:.1f}/s  {left / 60:.1f} min left",
                flush=True,
            )
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            checkpoint()
    checkpoint()
    save(average, out)
    print(f"saved {out}")


if __name__ == "__main__":
    typer.run(main)
