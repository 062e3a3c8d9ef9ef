"""Train the judge's detector (models/detector) on pictures made here.

    python -m scripts.training.detector --bank 6000 --work work/detector     # pictures by the painter's decoder, once
    python -m scripts.training.detector --minutes 80 --decay 40 --work work/detector
    python -m scripts.training.detector --export models/mini/detector --work work/detector

Half of the pictures are collages: one to four drawings at any place and size or in the painter's layouts, in any
colour, alike or not, one in five of them spoilt. The others come out of the painter's decoder, from latents with noise;
in some of them two latents are blended, as the painter blends what it cannot tell apart. What is spoilt or blended gets
the label "unclear". Held-out combinations never occur. The backbone begins as that of the trained scorer, and its first
stage stays as it is.

It shares with the examiner's training (examiner.py) only how a drawing is drawn and spoilt: network, loss, seeds,
layouts and colours are others. Resumes from `--work`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from accelerate import Accelerator
from diffusers import AutoencoderDC
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from models.detector.grid_detector import Config, Detector
from models.detector.grid_network import CELL, SIDE, Grid, GridNetwork, centres
from models.mini.dataset.art import natural_colours
from models.mini.dataset.degrade import wear
from models.mini.dataset.latent import encode
from models.mini.dataset.scene import Item, Scene, fair, places
from models.mini.dataset.vocabulary import BY_NAME, GRID, STYLES
from models.palette import COLOURS, PALETTE
from models.protocols import Identity
from scripts.evaluation.bands import correction
from scripts.training import loop as training
from scripts.training.examiner import allowed, drawn, hidden, spoil, squares, turned
from scripts.training.muon import Muon

MINI = Path(__file__).parents[2] / "models/mini"
Floats = NDArray[np.float32]
_NAMES, _COLOURS = tuple(BY_NAME), tuple(COLOURS)
UNCLEAR = "unclear"
LABELS = (*_NAMES, UNCLEAR)
MOST = 4  # most drawings in a picture
_SPOILT = 0.2  # share of spoilt drawings
_JITTER = 0.05  # standard deviation of colours around those of the palette
_CENTRE = 0.25  # a cell whose centre is so near the middle of a box, in sides of the box, is about that box
_AROUND = 0.4  # up to here it is asked nothing


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
    styles, colours = torch.full((MOST,), -1), torch.full((MOST, len(_COLOURS)), -1.0)
    for i, p in enumerate(put):
        boxes[i] = torch.tensor((p.left, p.top, p.left + p.side, p.top + p.side))
        labels[i] = LABELS.index(p.object or UNCLEAR)
        if p.object is None:
            continue
        styles[i] = STYLES.index(p.style)
        if p.tint != "":
            own = natural_colours(p.object, p.style) if p.tint is None else {p.tint}
            colours[i] = torch.tensor([float(colour in own) for colour in _COLOURS])
    return boxes.clamp(0, SIDE), labels, styles, colours


def near(rng: np.random.Generator, tint: str) -> Floats:
    """An RGB colour (3,) in [0, 1] that everybody would call by that name."""
    exact = PALETTE[_COLOURS.index(tint)] / 255
    shade: Floats = (exact + rng.normal(0, _JITTER, 3)).clip(0, 1).astype(np.float32)
    return shade


def cast(rng: np.random.Generator) -> tuple[list[str], list[tuple[str | None, Floats | None]]]:
    """Names and colours of one to four drawings: all different or all the same, those also in different colours. A
    colour is its name ("" for one without) and its RGB value."""
    while True:
        count = int(rng.choice(MOST, p=(0.35, 0.3, 0.2, 0.15))) + 1
        names = [str(name) for name in rng.choice(_NAMES, count, replace=False)]
        colours: list[tuple[str | None, Floats | None]] = []
        for _ in names:
            roll = rng.random()
            if roll < 0.45:
                colours.append((None, None))
            elif roll < 0.9:
                tint = str(rng.choice(_COLOURS))
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
    canvas[:] = near(rng, str(rng.choice(_COLOURS))) if rng.random() < 0.8 else rng.random(3)
    if rng.random() < 0.15:
        spots = Image.fromarray((rng.random((5, 5)) * 255).astype(np.uint8))
        share = np.asarray(spots.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
        other = near(rng, str(rng.choice(_COLOURS)))
        canvas += share[..., None] * (other - canvas) * np.float32(rng.random() * 0.6)
    return canvas


def layout(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Left, top and side of each of `count` squares, in pixels."""
    if rng.random() < 0.5:
        return squares(rng, count)
    cell = SIDE // GRID
    kind = "single" if count == 1 else str(rng.choice(("row", "column", "group"))) if count == 2 else "group"
    spots = places(kind, count, *rng.random(2))  # type: ignore[arg-type]
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
        window = canvas[max(0, top) : top + side, max(0, left) : left + side]
        art = art[max(0, -top) :, max(0, -left) :][: len(window), : window.shape[1]]
        if hidden(art, window):
            continue
        window[:] = window * (1 - art[..., 3:]) + art[..., :3]
        put.append(Put(None if spoilt else name, style, tint, left, top, side))
    return (canvas.clip(0, 1) * 255 + 0.5).astype(np.uint8), put


def free_scene(rng: np.random.Generator) -> Scene:
    """A scene of one to four drawings in the painter's layouts, alike or not."""
    while True:
        names, colours = cast(rng)
        tints = [tint if tint in _COLOURS else None for tint, _ in colours]
        count = len(names)
        kind = (
            "single" if count == 1 else str(rng.choice(("row", "column", "group"))) if count == 2 else "group"
        )
        spots = places(kind, count, *rng.random(2))  # type: ignore[arg-type]
        items = tuple(Item(n, t, *spot) for n, t, spot in zip(names, tints, spots, strict=True))
        scene = Scene(kind, items, str(rng.choice(_COLOURS)), str(rng.choice(STYLES)))  # type: ignore[arg-type]
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


def loss_of(grid: Grid, boxes: Tensor, labels: Tensor, styles: Tensor, colours: Tensor) -> Tensor:
    """Losses of a batch: of things (focal), boxes (GIoU), colours and styles, shape (4,)."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2  # (B, MOST, 2)
    side = (boxes[..., 2:] - boxes[..., :2]).amax(-1).clamp(min=1)  # (B, MOST)
    off = (centres(boxes.device)[None, None] - middle[..., None, None]).abs().amax(2) / side[..., None, None]
    off = off.masked_fill((labels < 0)[..., None, None], 9.0)  # (B, MOST, H, W)
    # The cell that holds the centre is always about its box, however small.
    near_by = off * side[..., None, None] < CELL / 2 + 0.01
    mine = (off < _CENTRE) | near_by
    distance, owner = off.masked_fill(~mine, 9.0).min(1)  # (B, H, W)
    positive = distance < 9
    asked = positive | ((off >= _AROUND).all(1))
    b, y, x = positive.nonzero(as_tuple=True)
    which = owner[b, y, x]
    goal = torch.zeros_like(grid.things)
    goal[b, labels[b, which], y, x] = 1
    things = sigmoid_focal_loss(grid.things, goal, alpha=0.5, gamma=2.0).sum(1)
    count = max(1, len(b))
    of_boxes = generalized_box_iou_loss(grid.boxes[b, :, y, x], boxes[b, which], reduction="sum") / count
    truth = colours[b, which]
    said = F.binary_cross_entropy_with_logits(grid.colours[b, :, y, x], truth.clamp(min=0), reduction="none")
    of_colours = (said * (truth >= 0)).sum() / (truth >= 0).sum().clamp(min=1)
    look = styles[b, which]
    of_styles = F.cross_entropy(grid.styles[b, :, y, x], look, ignore_index=-1, reduction="sum") / count
    return torch.stack([(things * asked).sum() / count, of_boxes, of_colours, of_styles])


def build() -> GridNetwork:
    """A detector whose backbone is that of the bundled scorer."""
    network = GridNetwork(len(LABELS), len(_COLOURS), len(STYLES))
    scorer = load_file(MINI / "scorer/open_clip_model.safetensors")
    body = {
        name.removeprefix("visual."): value.float()
        for name, value in scorer.items()
        if name.startswith("visual.") and not name.startswith(("visual.layer4", "visual.attnpool"))
    }
    network.body.load_state_dict(body, strict=True)
    for name, weight in network.whole.named_parameters():
        if name.endswith("bn3.weight"):
            nn.init.constant_(weight, 0.3)
    return network


def frozen(network: GridNetwork) -> list[nn.Module]:
    """The parts that stay as the scorer has them."""
    body = network.body
    stem = [body.conv1, body.bn1, body.conv2, body.bn2, body.conv3, body.bn3]
    return [*stem, body.layer1]


def optimisers_of(network: GridNetwork, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner kernels; AdamW for the output layers and vectors."""
    learnt = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    ends = ("things", "sides", "colours", "styles")
    inner = [p for name, p in learnt if p.ndim == 4 and not name.startswith(ends)]
    rest = [p for _, p in learnt if all(p is not kernel for kernel in inner)]
    return [Muon(inner, rate), torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)]


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/detector"),
    bank: Annotated[int, typer.Option(help="only decode so many pictures into the bank")] = 0,
    export: Annotated[
        Path | None, typer.Option(help="only write the trained detector to this folder")
    ] = None,
    batch: int = 16,
    rate: float = 2e-3,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    share: Annotated[float, typer.Option(help="share of pictures from the bank")] = 0.35,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    workers: Annotated[int, typer.Option(help="processes that draw pictures")] = 1,
) -> None:
    """Train the detector for some minutes."""
    torch.set_float32_matmul_precision("high")
    work.mkdir(parents=True, exist_ok=True)
    kept, saved = work / "bank.safetensors", work / "state.pt"
    if bank:
        make_bank(bank, kept, seed=bank)
        return
    accelerator = Accelerator()
    torch.manual_seed(17)
    network, average = build().to(accelerator.device), build().to(accelerator.device).requires_grad_(False)
    for part in frozen(network):
        part.requires_grad_(False)
    optimisers = optimisers_of(network, rate)
    state = training.Progress(step=0, samples=0, seconds=0.0)
    if saved.exists():
        held = torch.load(saved, map_location=accelerator.device, weights_only=True)
        network.load_state_dict(held["network"])
        average.load_state_dict(held["average"])
        for optimiser, values in zip(optimisers, held["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        state = held["state"]
    if export is not None:
        write(average, export)
        return
    network.train()
    for part in frozen(network):
        part.eval()
    noise = torch.Generator(accelerator.device).manual_seed(5_000_000 + state["step"])
    pictures = Pictures(state["step"], kept if kept.exists() else None, share)
    data = DataLoader(pictures, batch_size=batch, num_workers=workers, prefetch_factor=8)
    started = last = time.monotonic()
    base, mean = state["seconds"], torch.zeros(4, device=accelerator.device)
    weights = [p for p in network.parameters() if p.requires_grad]
    followed = [dict(average.named_parameters())[n] for n, p in network.named_parameters() if p.requires_grad]
    scale = torch.tensor((1.0, 1.0, 1.0, 0.2), device=accelerator.device)

    def checkpoint() -> None:
        for (_, mine), (_, seen) in zip(average.named_buffers(), network.named_buffers(), strict=True):
            mine.copy_(seen)
        values = {"network": network.state_dict(), "average": average.state_dict(), "state": state}
        training.keep(values | {"optimisers": [optimiser.state_dict() for optimiser in optimisers]}, saved)
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": [round(part, 4) for part in mean.tolist()]}) + "\n")

    for pixels, *truth in data:
        left = minutes * 60 - (time.monotonic() - started)
        if left <= 0:
            break
        factor = training.share(state["step"], 200, left, decay)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        x = pixels.to(accelerator.device).float() / 255
        worn = torch.rand(len(x), generator=noise, device=x.device) < 0.5
        if worn.any():
            x[worn] = wear(x[worn], noise)
        losses = loss_of(network(x * 2 - 1), *(part.to(accelerator.device) for part in truth))
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        accelerator.backward((losses * scale).sum())
        nn.utils.clip_grad_norm_(weights, 5.0)
        for optimiser in optimisers:
            optimiser.step()
        training.follow(followed, weights, state["step"])
        state["step"] += 1
        state["samples"] += len(x)
        state["seconds"] = base + time.monotonic() - started
        mean = losses.detach() if state["step"] == 1 else mean.lerp(losses.detach(), 0.02)
        if state["step"] % 50 == 0:
            parts = " ".join(f"{part:.3f}" for part in mean.tolist())
            pace = state["samples"] / state["seconds"]
            print(
                f"{state['samples']:>8} pictures  {parts}  {pace:.1f}/s  {left / 60:.0f} min left", flush=True
            )
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            checkpoint()
    checkpoint()


def write(network: GridNetwork, folder: Path) -> None:
    """Write the detector as a folder: weights in half precision, and what its outputs mean."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        name: value.to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(values, folder / "model.safetensors")
    config = Config(labels=list(LABELS), unclear=UNCLEAR, colours=list(_COLOURS), styles=list(STYLES))
    said, true = scored(network, config)
    print(f"{len(said)} boxes of fresh pictures, {np.mean(true):.0%} right; calibrating on them")
    config.odds = correction(said, true)
    (folder / "config.json").write_text(config.model_dump_json(indent=1) + "\n")


def scored(
    network: GridNetwork, config: Config, count: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of the detector's boxes on `count` fresh collages, and whether each is right: it has the label of a
    drawing there."""
    rng, g = np.random.default_rng(4_000_001), torch.Generator().manual_seed(3)
    detector = Detector(network.eval(), config, Identity("grid", "new", "", "cpu", "float32"), 1)
    said, true = [], []
    for i in range(count):
        pixels, put = collage(rng)
        if i % 2:
            clean = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
            pixels = (wear(clean, g)[0] * 255).round().byte().permute(1, 2, 0).numpy()
        (found,) = detector.detect([Image.fromarray(pixels)])
        for one in found:
            left, top, right, bottom = (side * SIDE for side in one.box)
            x, y = (left + right) / 2, (top + bottom) / 2
            said.append(one.score)
            true.append(
                any(
                    one.label == (p.object or UNCLEAR)
                    and abs(x - p.left - p.side / 2) < 0.3 * p.side
                    and abs(y - p.top - p.side / 2) < 0.3 * p.side
                    for p in put
                )
            )
    return np.array(said), np.array(true)


if __name__ == "__main__":
    typer.run(main)
