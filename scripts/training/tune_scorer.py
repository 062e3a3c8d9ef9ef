"""Fine-tune the bundled scorer on what the judge shows it: whole pictures, and crops of single things.

    python -m scripts.training.tune_scorer --minutes 60
    python -m scripts.training.tune_scorer --minutes 0 --export models/mini/scorer

The text tower is frozen. Its vectors for statements about objects, their colours, backgrounds and styles are the
targets: the image tower learns to agree with those that are true of a view. A view is the whole picture, the crop of
one thing, or a square anywhere. An object is true of a view that shows it whole, false if at most half of it is
visible, and unlabelled in between. A part of the pictures are renders, the others noisy latents through the painter's
decoder; half of the views are degraded (dataset/degrade.py). The first stage of the tower stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
import typer
from accelerate import Accelerator
from diffusers import AutoencoderDC
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from torchvision.ops import roi_align

from models.mini.dataset.art import natural_colours, sprite
from models.mini.dataset.degrade import degrade
from models.mini.dataset.latent import encode
from models.mini.dataset.scene import Fact, Scene, held_out, render, sample
from models.mini.dataset.statements import statement
from models.mini.dataset.vocabulary import BY_NAME, GRID, STYLES
from models.palette import COLOURS
from scripts.training.muon import Muon
from scripts.training.scorer import export as write
from scripts.training.scorer_student import IMAGE, fact_loss, pool, trunk

MINI = Path(__file__).parents[2] / "models" / "mini"
PIXELS = 256
VIEWS = 4  # views of each picture
FACTS = (
    *(Fact("object", name) for name in BY_NAME),
    *(Fact("attribute", name, colour) for name in BY_NAME for colour in COLOURS),
    *(Fact("background", value=colour) for colour in COLOURS),
    *(Fact("style", value=look) for look in STYLES),
)
_AT = {fact: i for i, fact in enumerate(FACTS)}
KINDS = {
    kind: [i for i, fact in enumerate(FACTS) if fact.kind == kind]
    for kind in ("object", "attribute", "background", "style")
}
UNASKED = -1
# Held-out colours are never true in training: with labels, the scorer would learn that they are always false.
_WITHHELD = [
    _AT[fact] for fact in FACTS if fact.kind == "attribute" and held_out("colour", fact.subject, fact.value)
]
Box = tuple[float, float, float]  # left, top, side, as shares of the picture
_MARGIN = 0.06  # around a thing in its crop, as in pipeline/judging/judge.py


def truth(scene: Scene, box: Box) -> NDArray[np.int8]:
    """Labels of one view of a scene, int8 (FACTS,): 1, 0 or UNASKED."""
    row = np.zeros(len(FACTS), np.int8)
    left, top, side = (share * GRID for share in box)
    seen: dict[str, float] = {}
    for item in scene.items:
        wide = max(0.0, min(item.x + item.side, left + side) - max(item.x, left))
        high = max(0.0, min(item.y + item.side, top + side) - max(item.y, top))
        seen[item.object] = max(seen.get(item.object, 0.0), wide * high / item.side**2)
    for item in scene.items:
        share = seen[item.object]
        label = 1 if share > 0.95 else 0 if share <= 0.5 else UNASKED
        row[_AT[Fact("object", item.object)]] = label
        for colour in COLOURS:
            mine = label if item.tint == colour else 0
            if item.tint is None and label and colour in natural_colours(item.object, scene.style):
                mine = UNASKED
            row[_AT[Fact("attribute", item.object, colour)]] = mine
    row[_AT[Fact("background", value=scene.background)]] = 1
    for look in STYLES:
        row[_AT[Fact("style", value=look)]] = look == scene.style if max(seen.values()) > 0.4 else UNASKED
    row[_WITHHELD] = UNASKED
    return row


class Pictures(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless samples: a render, uint8 (3, PIXELS, PIXELS), or a latent, float (88, 8, 8); its views, float (VIEWS, 3):
    left, top and side as shares of the picture; their labels, int8 (VIEWS, FACTS). Seeded by `start` and the worker's
    number."""

    def __init__(self, start: int, latents: bool) -> None:
        self.start, self.latents = start, latents

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, self.latents, info.id if info else 0))
        while True:
            if sprite.cache_info().currsize > 4000:  # in every tint and size they would fill the memory
                sprite.cache_clear()
            scene = draw(rng)
            shown = encode(scene) if self.latents else render(scene, PIXELS).transpose(2, 0, 1)
            chosen = views(scene, rng)
            rows = np.stack([truth(scene, box) for box in chosen])
            yield torch.from_numpy(np.ascontiguousarray(shown)), torch.tensor(chosen), torch.from_numpy(rows)


def views(scene: Scene, rng: np.random.Generator) -> list[Box]:
    """VIEWS boxes: at most once the whole picture, else crops of things and, now and then, a square anywhere."""
    found: list[Box] = [(0.0, 0.0, 1.0)] if rng.random() < 0.6 else []
    while len(found) < VIEWS:
        if rng.random() < 0.2:
            side = float(rng.uniform(0.35, 0.8))
            found.append((float(rng.uniform(0, 1 - side)), float(rng.uniform(0, 1 - side)), side))
            continue
        item = scene.items[int(rng.integers(len(scene.items)))]
        side = item.side / GRID * (1 + 2 * _MARGIN + float(rng.uniform(-0.1, 0.2)))
        x, y = ((at + item.side / 2) / GRID + float(rng.normal(0, 0.015)) for at in (item.x, item.y))
        found.append((x - side / 2, y - side / 2, side))
    return found


def draw(rng: np.random.Generator) -> Scene:
    """A random scene, never a held-out combination."""
    return sample(rng, (0.25, 0.35, 0.4), tinted=0.5)


def cut(pictures: Tensor, chosen: Tensor) -> Tensor:
    """The chosen views (B, VIEWS, 3) of pictures (B, 3, PIXELS, PIXELS), as (B × VIEWS, 3, IMAGE, IMAGE). What reaches
    over the edge is cut off, as the judge does."""
    corners = torch.cat([chosen[..., :2], chosen[..., :2] + chosen[..., 2:]], -1).clamp(0, 1) * PIXELS
    parts: Tensor = roi_align(pictures, list(corners.float()), IMAGE, sampling_ratio=2, aligned=True)
    return parts


def blend(pictures: Tensor, known: Tensor, g: Generator, share: float = 0.05) -> Tensor:
    """Blend some pictures (B, 3, PIXELS, PIXELS) with others, in place; no object of a blend is true. Returns the
    labels, (B, VIEWS, FACTS), changed in place too."""
    pick = (torch.rand(len(pictures), generator=g, device=g.device) < share).nonzero().flatten()
    weight = torch.rand(len(pick), 1, 1, 1, generator=g, device=g.device) * 0.3 + 0.35
    pictures[pick] = pictures[pick] * weight + pictures[(pick + 1) % len(pictures)] * (1 - weight)
    known[pick] = known[pick].clamp(max=0)
    for column in KINDS["background"] + KINDS["style"]:
        known[pick, :, column] = UNASKED
    return known


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/judge"),
    decoder: Annotated[Path, typer.Option(help="the painter's")] = MINI / "painter" / "vae",
    batch: Annotated[int, typer.Option(help=f"pictures, {VIEWS} views each")] = 16,
    decoded: Annotated[float, typer.Option(help="share of pictures from the decoder")] = 0.5,
    rate: float = 1e-3,
    decay: Annotated[float, typer.Option(help="minutes with a falling rate at the end")] = 20.0,
    workers: Annotated[int, typer.Option(help="processes that make pictures, of each kind")] = 1,
    export: Annotated[Path | None, typer.Option(help="write the scorer here and stop")] = None,
) -> None:
    """Fine-tune for some minutes, or export the scorer."""
    accelerator = Accelerator()
    device = accelerator.device
    torch.set_float32_matmul_precision("high")
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{MINI / 'scorer'}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{MINI / 'scorer'}")
    seen = 0
    last = work / "last.safetensors"
    if last.exists():
        state = load_file(last)
        seen = int(state.pop("seen"))
        model.load_state_dict(state)
    if export is not None:
        write(model, export)
        print(f"{export}: {seen} views")
        return
    work.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        codes = F.normalize(model.encode_text(tokenize([statement(fact) for fact in FACTS])), dim=-1)
    codes = codes.to(device)
    model.to(device)
    tower = model.visual.to(memory_format=torch.channels_last).train()
    fixed = [tower.conv1, tower.bn1, tower.conv2, tower.bn2, tower.conv3, tower.bn3, tower.layer1]
    for part in fixed:
        part.requires_grad_(False).eval()
    learnt = [p for p in tower.parameters() if p.requires_grad]
    kernels = [p for p in learnt if p.ndim == 4]
    rest = [p for p in learnt if p.ndim != 4]
    rest += [model.logit_scale, model.logit_bias]
    optimizers = (Muon(kernels, rate), torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01))
    vae = AutoencoderDC.from_pretrained(decoder, torch_dtype=torch.float32).to(device).eval()
    g = Generator(device).manual_seed(seen + 1)
    few = max(1, round(batch * decoded))
    renders, latents_of = (
        iter(DataLoader(Pictures(seen + 1, latents), batch_size=size, num_workers=workers))
        for latents, size in ((False, batch - few), (True, few))
    )
    began = told = saved = time.monotonic()
    first, means = seen, torch.zeros(len(KINDS), device=device)
    while (spent := (time.monotonic() - began) / 60) < minutes:
        factor = min(1.0, (seen - first + 1) / 10_000, (minutes - spent) / decay)
        for optimizer, scale in zip(optimizers, (1.0, 0.3), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor * scale
        (pixels, *one), (latents, *other) = next(renders), next(latents_of)
        chosen, known = (torch.cat(pair).to(device) for pair in zip(one, other, strict=True))
        with torch.no_grad():
            latents = latents.to(device)
            noise = torch.rand(len(latents), 1, 1, 1, generator=g, device=device) * 0.35
            latents = latents + torch.randn(latents.shape, generator=g, device=device) * noise
            painted = (vae.decode(latents).sample.clamp(-1, 1) + 1) / 2
            pictures = torch.cat([pixels.to(device) / 255, painted])
            known = blend(pictures, known, g).flatten(0, 1)
            x = cut(pictures, chosen)
            hurt = degrade(x, g, 0.7)
            keep = torch.rand(len(x), 1, 1, 1, generator=g, device=device) < 0.5
            x = torch.where(keep, x, hurt).clamp(0, 1) * 2 - 1
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            last_map = trunk(tower, x.contiguous(memory_format=torch.channels_last))
        image = F.normalize(pool(tower.attnpool, last_map.float()), dim=-1)
        logits = model.logit_scale.exp() * image @ codes.T + model.logit_bias
        losses = torch.stack([fact_loss(logits[:, at], known[:, at].float()) for at in KINDS.values()])
        for optimizer in optimizers:
            optimizer.zero_grad()
        accelerator.backward(losses.sum())
        nn.utils.clip_grad_norm_(tower.parameters(), 10.0)
        for optimizer in optimizers:
            optimizer.step()
        means = torch.where(means == 0, losses.detach(), means.lerp(losses.detach(), 0.02))
        seen += len(x)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            shown = " ".join(f"{kind} {mean:.3f}" for kind, mean in zip(KINDS, means.tolist(), strict=True))
            print(
                f"{spent:5.1f} min {seen} views {(seen - first) / (told - began):.0f}/s | {shown}", flush=True
            )
        if time.monotonic() - saved > 180:
            saved = time.monotonic()
            save(model, seen, last)
    save(model, seen, last)


def save(model: nn.Module, seen: int, path: Path) -> None:
    """Save a checkpoint atomically. `seen`: views so far."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file({**state, "seen": torch.tensor(seen)}, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


if __name__ == "__main__":
    typer.run(main)
