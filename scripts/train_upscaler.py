"""Trains the bundled upscaler, 64 → 256 px, on renders whose truth is exact at both sizes.

    python -m scripts.train_upscaler --minutes 15
    python -m scripts.train_upscaler --minutes 0 --measure    # PSNR against bicubic enlargement

What comes in has a painter's small faults (blur, grain, blotches, edges half a pixel off); what must come out
has none. Where a fault is not small (colours shifted, shapes bent), both sides have it: the upscaler is not
asked to guess.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.mini.art import render, sprite
from models.mini.degrade import blur, noise, recolour, wobble
from models.mini.scene import sample
from models.upscale import Upscaler, load

FOLDER = Path(__file__).parents[1] / "models" / "mini" / "upscaler"
SMALL, LARGE = 64, 256
POOL = 256  # scenes held ready; one is replaced at each step


def pair(rng: np.random.Generator, withhold: bool = True) -> tuple[Tensor, Tensor]:
    """A fresh scene as (3, 64, 64) and (3, 256, 256) in [0, 1]."""
    scene = sample(rng, (0.34, 0.33, 0.33), tinted=0.5, withhold=withhold)
    return (
        torch.from_numpy(render(scene, SMALL)).permute(2, 0, 1) / 255,
        torch.from_numpy(render(scene, LARGE)).permute(2, 0, 1) / 255,
    )


def faults(small: Tensor, g: torch.Generator) -> Tensor:
    """A painter's small errors, (B, 3, 64, 64)."""
    x = wobble(small, g, shift=0, zoom=0, wave=0.004) if torch.rand((), generator=g) < 0.5 else small
    soft = blur(x, float(torch.rand((), generator=g)) * 0.6 + 0.3)
    x = torch.lerp(x, soft, torch.rand(len(x), 1, 1, 1, generator=g))
    return noise(x, g, grain=0.03, mush=0.03).clamp(0, 1)


def crops(small: Tensor, large: Tensor, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The busiest of three random windows of each picture: flat ground has nothing to teach."""
    ins, outs = [], []
    for a, b in zip(small, large, strict=True):
        spots = rng.integers(0, SMALL - side + 1, (3, 2))
        y, x = max(spots, key=lambda s: float(a[:, s[0] : s[0] + side, s[1] : s[1] + side].std((1, 2)).sum()))
        ins.append(a[:, y : y + side, x : x + side])
        outs.append(b[:, 4 * y : 4 * (y + side), 4 * x : 4 * (x + side)])
    return torch.stack(ins), torch.stack(outs)


def loss_of(made: Tensor, true: Tensor) -> Tensor:
    """L1 on pixels and on their steps to the right and down, which is where a soft edge shows."""
    across = F.l1_loss(made.diff(dim=3), true.diff(dim=3))
    down = F.l1_loss(made.diff(dim=2), true.diff(dim=2))
    return F.l1_loss(made, true) + across + down


def psnr(made: Tensor, true: Tensor) -> float:
    """Decibels, mean over pictures."""
    error = (made.clamp(0, 1) - true).square().mean((1, 2, 3)).clamp(min=1e-8)
    return float((-10 * error.log10()).mean())


@torch.inference_mode()
def measure(model: Upscaler, count: int = 100) -> None:
    """Prints PSNR on held-out combinations, clean and with faults, against bicubic enlargement."""
    rng, g = np.random.default_rng(90_001), torch.Generator().manual_seed(90_001)
    small, large = (
        torch.stack(x) for x in zip(*(pair(rng, withhold=False) for _ in range(count)), strict=True)
    )
    for name, x in (("clean", small), ("with faults", faults(small, g))):
        made = torch.cat([model(part) for part in x.split(10)])
        plain = F.interpolate(x, scale_factor=4, mode="bicubic", align_corners=False)
        print(f"{name}: {psnr(made, large):.2f} dB, bicubic {psnr(plain, large):.2f} dB")


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="resumes from the weights in it, if any")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=24, help="side of a training window at the small size")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--measure", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load(args.folder) if (args.folder / "config.json").exists() else Upscaler()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.98), weight_decay=0.0)
    seed = time.time_ns() % 2**31
    rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    pool: list[tuple[Tensor, Tensor]] = []
    begun = told = time.time()
    steps, average = 0, 0.0
    while (spent := (time.time() - begun) / 60) < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1.0, (steps + 1) / 100, 2 * (1 - spent / args.minutes))
        if len(pool) < POOL:
            pool.append(pair(rng))
        else:
            pool[steps % POOL] = pair(rng)
        if steps % 200 == 199:
            sprite.cache_clear()  # at 256 px the art of every scene would fill gigabytes
        picked = [pool[i] for i in rng.integers(len(pool), size=args.batch)]
        small, large = (torch.stack(x) for x in zip(*picked, strict=True))
        if rng.random() < 0.5:
            large = wobble(large, g)
            small = F.avg_pool2d(large, 4)
        shift = int(g.initial_seed() + steps)  # the same colours on both sides
        small = recolour(small, torch.Generator().manual_seed(shift)).clamp(0, 1)
        large = recolour(large, torch.Generator().manual_seed(shift)).clamp(0, 1)
        if rng.random() < 0.85:
            small = faults(small, g)
        small, large = crops(small, large, args.crop, rng)
        with torch.autocast("cpu", torch.bfloat16):
            made = model(small.contiguous(memory_format=torch.channels_last))
        loss = loss_of(made.float(), large)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
        average = loss.item() if steps == 1 else 0.98 * average + 0.02 * loss.item()
        if time.time() - told > 20:
            told = time.time()
            print(f"{spent:5.1f} min, step {steps}, loss {average:.4f}", flush=True)
            model.save(args.folder)
    if args.minutes > 0:
        model.save(args.folder)
    if args.measure:
        measure(model.eval())


if __name__ == "__main__":
    main()
