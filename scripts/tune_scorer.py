"""Trains the bundled scorer on, on parts of pictures: what the judge looks at when it counts or compares.

    python -m scripts.tune_scorer --minutes 60
    python -m scripts.tune_scorer --minutes 0 --export models/mini/scorer

The text tower stays as scripts/train_scorer.py left it; its statements of objects, colours of objects, backgrounds and
styles are codes that the image tower learns to agree with wherever they are true, and with no other. A view is the
whole picture or one of nine half-sized windows (models/windows.py). What stands whole in a view is true of it, what
is seen to a half or less is not, and in between nothing is asked. Pictures are renders, some of them spoilt as painters
spoil them, and with `--decoded` latents with noise through the painter's decoder.
"""

from __future__ import annotations

import time
from collections import deque
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
from torch import Tensor, nn

from models.mini.art import natural_colours, render
from models.mini.degrade import degrade
from models.mini.latent import encode
from models.mini.scene import Fact, Scene, sample
from models.mini.statements import statement
from models.mini.vocabulary import BY_NAME, COLOURS, GRID, STYLES
from models.windows import SIDE, WINDOWS
from scripts.muon import Muon
from scripts.scorer_student import IMAGE, fact_loss, pool
from scripts.train_scorer import export as write

SCORER = Path(__file__).parents[1] / "models" / "mini" / "scorer"
PIXELS = 256
VIEWS = 4  # of each picture
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
UNASKED = -1.0
Box = tuple[float, float, float]  # left, top, side, as shares of the picture
WHOLE: Box = (0.0, 0.0, 1.0)


def truth(scene: Scene, box: Box) -> NDArray[np.float32]:
    """For each of FACTS 1, 0 or UNASKED, of one view of a scene."""
    row = np.zeros(len(FACTS), np.float32)
    left, top, side = (share * GRID for share in box)
    seen: dict[str, float] = {}
    for item in scene.items:
        wide = max(0.0, min(item.x + item.side, left + side) - max(item.x, left))
        high = max(0.0, min(item.y + item.side, top + side) - max(item.y, top))
        seen[item.object] = max(seen.get(item.object, 0.0), wide * high / item.side**2)
    for item in scene.items:
        share = seen[item.object]
        label = 1.0 if share > 0.99 else 0.0 if share <= 0.5 else UNASKED
        row[_AT[Fact("object", item.object)]] = label
        for colour in COLOURS:
            mine = label if item.tint == colour else 0.0
            if item.tint is None and label and colour in natural_colours(item.object, scene.style):
                mine = UNASKED
            row[_AT[Fact("attribute", item.object, colour)]] = mine
    row[_AT[Fact("background", value=scene.background)]] = 1.0
    for look in STYLES:
        row[_AT[Fact("style", value=look)]] = (
            float(look == scene.style) if max(seen.values()) > 0.4 else UNASKED
        )
    return row


class Views:
    """Endless batches of (views, truth)."""

    def __init__(self, seed: int, decoded: list[tuple[NDArray[np.uint8], Scene]]) -> None:
        self.rng, self.g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self.decoded = decoded

    def picture(self) -> tuple[Tensor, Scene]:
        if self.decoded and self.rng.random() < 0.4:
            pixels, scene = self.decoded[int(self.rng.integers(len(self.decoded)))]
        else:
            scene = sample(self.rng, (0.25, 0.35, 0.4), tinted=0.5)
            pixels = render(scene, PIXELS)
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255, scene

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Views (count, 3, IMAGE, IMAGE) in [-1, 1], and their truth (count, FACTS)."""
        views, rows = [], []
        while len(views) < count:
            picture, scene = self.picture()
            if self.rng.random() < 0.05:  # half of this and half of another: neither is there
                other, _ = self.picture()
                share = float(self.rng.uniform(0.35, 0.65))
                views.append(
                    F.interpolate((picture * share + other * (1 - share))[None], size=IMAGE, mode="area")[0]
                )
                row = np.zeros(len(FACTS), np.float32)
                row[KINDS["background"] + KINDS["style"]] = UNASKED
                rows.append(row)
                continue
            whole = [WHOLE] if self.rng.random() < 0.6 else []
            chosen = self.rng.choice(len(WINDOWS), VIEWS - len(whole), replace=False)
            for box in (*whole, *((*WINDOWS[i], SIDE) for i in chosen)):
                left, top, wide = (round(share * PIXELS) for share in box)
                part = picture[None, :, top : top + wide, left : left + wide]
                views.append(F.interpolate(part, size=IMAGE, mode="area")[0] if wide != IMAGE else part[0])
                rows.append(truth(scene, box))
        x = torch.stack(views[:count])
        hurt = degrade(x, self.g, 0.7)
        keep = torch.rand(count, 1, 1, 1, generator=self.g) < 0.5
        return torch.where(keep, x, hurt).clamp(0, 1) * 2 - 1, torch.from_numpy(np.stack(rows[:count]))


@torch.no_grad()
def decode(folder: Path, count: int, kept: Path) -> list[tuple[NDArray[np.uint8], Scene]]:
    """Pictures as the painter's decoder makes them of latents that are not quite right; kept in a file."""
    rng = np.random.default_rng(0)
    scenes = [sample(rng, (0.25, 0.35, 0.4), tinted=0.5) for _ in range(count)]
    if not kept.exists():
        decoder = AutoencoderDC.from_pretrained(folder, torch_dtype=torch.float32).eval()
        made = np.empty((count, PIXELS, PIXELS, 3), np.uint8)
        for start in range(0, count, 8):
            latents = torch.from_numpy(np.stack([encode(scene) for scene in scenes[start : start + 8]]))
            latents += torch.from_numpy(rng.standard_normal(latents.shape, np.float32)) * rng.uniform(0, 0.35)
            pixels = (decoder.decode(latents.float()).sample.clamp(-1, 1) + 1) * 127.5
            made[start : start + 8] = pixels.permute(0, 2, 3, 1).round().byte().numpy()
        np.save(kept, made)
    return list(zip(np.load(kept), scenes, strict=True))


def halves(visual: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The image tower's first layers, which know edges and colours and stay as they are, and the rest."""
    front = nn.Sequential(
        visual.conv1, visual.bn1, visual.act1, visual.conv2, visual.bn2, visual.act2, visual.conv3, visual.bn3,
        visual.act3, visual.avgpool, visual.layer1, visual.layer2,
    )  # fmt: skip
    return front.requires_grad_(False).eval(), nn.ModuleList([visual.layer3, visual.layer4, visual.attnpool])


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/judge"),
    decoded: Annotated[Path | None, typer.Option(help="the painter's decoder, a folder")] = None,
    pictures: Annotated[int, typer.Option(help="how many of its pictures")] = 2000,
    batch: int = 48,
    again: Annotated[
        float, typer.Option(help="share of batches seen before: making them is most of the work")
    ] = 0.6,
    rate: float = 1e-3,
    decay: Annotated[float, typer.Option(help="minutes with a falling rate at the end")] = 20.0,
    export: Annotated[Path | None, typer.Option(help="write the scorer here and stop")] = None,
) -> None:
    accelerator = Accelerator()
    device = accelerator.device
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{SCORER}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{SCORER}")
    with torch.no_grad():
        codes = F.normalize(model.encode_text(tokenize([statement(fact) for fact in FACTS])), dim=-1).to(
            device
        )
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
    model.to(device)
    front, back = halves(model.visual)
    back.train()
    kernels = [p for p in back.parameters() if p.ndim == 4]
    rest = [p for p in back.parameters() if p.ndim != 4] + [model.logit_scale, model.logit_bias]
    optimizers = (Muon(kernels, rate), torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01))
    views = Views(seen + 1, decode(decoded, pictures, work / "decoded.npy") if decoded else [])
    began = told = saved = time.monotonic()
    learnt, rng = deque[tuple[Tensor, Tensor]](maxlen=150), np.random.default_rng(seen)
    first, mean = seen, dict.fromkeys(KINDS, 0.0)
    while (spent := (time.monotonic() - began) / 60) < minutes:
        factor = min(1.0, (seen - first + 1) / 3000, (minutes - spent) / decay)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor * (1.0 if optimizer is optimizers[0] else 0.3)
        if len(learnt) > 20 and rng.random() < again:
            half, known = learnt[int(rng.integers(len(learnt)))]
        else:
            x, known = views.batch(batch)
            with torch.no_grad():
                half = front(x.to(device)).half()
            learnt.append((half, known))
        layer3, layer4, attention = back
        image = F.normalize(pool(attention, layer4(layer3(half.float()))), dim=-1)
        logits = model.logit_scale.exp() * image @ codes.T + model.logit_bias
        known = known.to(device)
        losses = {kind: fact_loss(logits[:, columns], known[:, columns]) for kind, columns in KINDS.items()}
        for optimizer in optimizers:
            optimizer.zero_grad()
        accelerator.backward(torch.stack(list(losses.values())).sum())
        nn.utils.clip_grad_norm_(back.parameters(), 10.0)
        for optimizer in optimizers:
            optimizer.step()
        seen += batch
        for kind, value in losses.items():
            mean[kind] += (value.item() - mean[kind]) * (0.02 if mean[kind] else 1.0)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            shown = " ".join(f"{kind} {value:.3f}" for kind, value in mean.items())
            print(
                f"{spent:5.1f} min {seen} views {(seen - first) / (told - began):.0f}/s | {shown}", flush=True
            )
        if time.monotonic() - saved > 180 or spent > minutes - 0.1:
            saved = time.monotonic()
            save_file(
                {**{k: v.contiguous() for k, v in model.state_dict().items()}, "seen": torch.tensor(seen)},
                last,
            )


if __name__ == "__main__":
    typer.run(main)
