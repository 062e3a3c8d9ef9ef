"""Train the judge's detector (models/detector) on pictures made here.

    python -m scripts.training.detector --bank 6000 --work work/detector     # pictures by the painter's decoder, once
    python -m scripts.training.detector --minutes 80 --decay 40 --work work/detector
    python -m scripts.training.detector --export models/mini/detector --work work/detector

The pictures are those of detector_pictures.py. The backbone begins as that of the trained scorer, and its first stage
stays as it is. Resumes from `--work`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from accelerate import Accelerator
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from models.detector.grid_detector import Config, Detector
from models.detector.grid_network import CELL, SIDE, Grid, GridNetwork, centres
from models.mini.dataset.degrade import wear
from models.mini.dataset.vocabulary import STYLES
from models.protocols import UNCLEAR, Identity
from scripts.evaluation.bands import correction
from scripts.training import loop as training
from scripts.training.detector_pictures import LABELS, MINI, TINTS, Pictures, collage, make_bank
from scripts.training.muon import Muon

_CENTRE = 0.25  # a cell whose centre is so near the middle of a box, in sides of the box, is about that box
_AROUND = 0.4  # up to here it is asked nothing


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
    network = GridNetwork(len(LABELS), len(TINTS), len(STYLES))
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
    config = Config(labels=list(LABELS), colours=list(TINTS), styles=list(STYLES))
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
