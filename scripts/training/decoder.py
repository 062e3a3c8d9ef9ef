"""Train the painter's decoder: latents of scenes (models/mini/dataset/latent.py) to crisp pictures of 256 px.

    python -m scripts.training.decoder --minutes 60 --work work/decoder

It memorises every drawing at three sizes, and learns recolouring and backgrounds for all of them. Noise is added to the
latents, because those of the transformer are never exact. Resumes from `--work`; the learning rate falls over the last
`--decay` minutes of a run. Runs on CPU or GPU through accelerate. Writes `--work`/vae, a stock AutoencoderDC whose
encoder is a stub of a few thousand weights: latents are computed from scenes (dataset/latent.py), not by a network.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from accelerate import Accelerator
from diffusers import AutoencoderDC
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from models.mini.dataset.art import sprite
from models.mini.dataset.latent import CHANNELS, encode
from models.mini.dataset.scene import Item, Scene, held_out, render, sample
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS
from scripts.training import loop as training
from scripts.training.muon import Muon

SIDE = 256
_NAMES, _COLOURS = tuple(BY_NAME), tuple(COLOURS)


def build() -> AutoencoderDC:
    """An untrained decoder of 4.6 M parameters: latents (B, CHANNELS, 8, 8) to pixels (B, 3, 256, 256) in [-1, 1]."""
    levels = 6
    return AutoencoderDC(
        latent_channels=CHANNELS,
        encoder_block_types="ResBlock",
        encoder_block_out_channels=(4,) * levels,
        encoder_layers_per_block=(0,) * levels,
        encoder_out_shortcut=False,
        encoder_qkv_multiscales=((),) * levels,
        decoder_block_types="ResBlock",
        decoder_block_out_channels=(16, 16, 32, 64, 128, 256),
        decoder_layers_per_block=(0, 1, 1, 1, 1, 2),
        decoder_qkv_multiscales=((),) * levels,
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        decoder_in_shortcut=False,
        scaling_factor=1.0,
    )


def collage(rng: np.random.Generator, tinted: float = 0.35) -> Scene:
    """A random scene of two to four different objects, so that one picture teaches several. Never a held-out
    combination."""
    while True:
        names = [str(name) for name in rng.choice(_NAMES, int(rng.integers(3, 5)), replace=False)]
        if any(held_out("pair", *pair) for pair in combinations(names, 2)):
            continue
        tints = [str(rng.choice(_COLOURS)) if rng.random() < tinted else None for _ in names]
        if any(tint and held_out("colour", name, tint) for name, tint in zip(names, tints, strict=True)):
            continue
        corners = rng.permutation([(0, 0), (2, 0), (0, 2), (2, 2)]).tolist()
        if rng.random() < 0.4:  # rows and columns stand in the middle
            corners = [[0, 1], [2, 1]] if rng.random() < 0.5 else [[1, 0], [1, 2]]
        items = tuple(
            Item(name, tint, int(x), int(y), 2)
            for name, tint, (x, y) in zip(names, tints, corners, strict=False)
        )
        return Scene("group", items, str(rng.choice(_COLOURS)), str(rng.choice(STYLES)))


class Pictures(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless samples: latent, float (CHANNELS, 8, 8), and pixels, uint8 (3, 256, 256). Seeded by `start` and the
    worker's number."""

    def __init__(self, start: int, singles: float, tinted: float) -> None:
        self.start, self.singles, self.tinted = start, singles, tinted

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, info.id if info else 0))
        while True:
            if sprite.cache_info().currsize > 1500:  # large sprites in every tint would fill the memory
                sprite.cache_clear()
            single = rng.random() < self.singles
            scene = sample(rng, (1, 0, 0), self.tinted) if single else collage(rng, self.tinted)
            yield torch.from_numpy(encode(scene)), torch.from_numpy(render(scene, SIDE)).permute(2, 0, 1)


def loss_of(guess: Tensor, truth: Tensor) -> Tensor:
    """Loss between pictures (B, 3, H, W) in [-1, 1]: of pixels, and of the differences between neighbours, for
    edges."""
    flat = F.l1_loss(guess, truth) + F.mse_loss(guess, truth)
    across = F.l1_loss(guess.diff(dim=3), truth.diff(dim=3)) + F.l1_loss(guess.diff(dim=2), truth.diff(dim=2))
    return flat + 0.5 * across


@torch.no_grad()
def look(model: AutoencoderDC, path: Path) -> None:
    """Save a contact sheet of fixed scenes: decoded pictures above the true ones."""
    rng = np.random.default_rng(5)
    scenes = [sample(rng, (1, 0, 0), 0.3) for _ in range(10)] + [collage(rng) for _ in range(4)]
    latents = torch.from_numpy(np.stack([encode(scene) for scene in scenes]))
    pixels = model.decode(latents.to(model.device), return_dict=False)[0].float().cpu()
    made = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    true = np.stack([render(scene, SIDE) for scene in scenes])
    rows = [
        np.concatenate(list(part), 1)
        for half in (slice(0, 7), slice(7, 14))
        for part in (made[half], true[half])
    ]
    Image.fromarray(np.concatenate(rows)).resize((7 * 192, 4 * 192)).save(path)


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/decoder"),
    batch: int = 8,
    rate: float = 3e-3,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    singles: Annotated[float, typer.Option(help="share of pictures with one large object")] = 0.5,
    tinted: Annotated[float, typer.Option(help="share of recoloured objects")] = 0.35,
    start: Annotated[Path | None, typer.Option(help="a folder with a trained decoder to go on from")] = None,
    blur: Annotated[float, typer.Option(help="most noise on latents, standard deviation")] = 0.2,
    workers: Annotated[int, typer.Option(help="processes that make pictures")] = 1,
    compiled: bool = True,
) -> None:
    """Train the decoder for some minutes."""
    torch.set_float32_matmul_precision("high")
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    torch.manual_seed(0)
    model = build().to(accelerator.device, memory_format=torch.channels_last)
    average = build().to(accelerator.device, memory_format=torch.channels_last).requires_grad_(False)
    params = list(model.decoder.parameters())
    ends = [*model.decoder.conv_in.parameters(), *model.decoder.conv_out.parameters()]
    kernels = [p for p in params if p.ndim == 4 and all(p is not end for end in ends)]
    rest = [p for p in params if all(p is not kernel for kernel in kernels)]
    opts = [
        Muon(kernels, rate),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    ]
    state = training.Progress(step=0, samples=0, seconds=0.0)
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        for opt, values in zip(opts, held["opts"], strict=True):
            opt.load_state_dict(values)
        state = held["state"]
    else:
        if start is not None:
            model.load_state_dict(
                AutoencoderDC.from_pretrained(start, torch_dtype=torch.float32).state_dict()
            )
        average.load_state_dict(model.state_dict())
    decode = torch.compile(model.decoder) if compiled else model.decoder
    pictures = Pictures(state["step"], singles, tinted)
    data = DataLoader(pictures, batch_size=batch, num_workers=workers, prefetch_factor=8)
    started = last = time.monotonic()
    base, mean_loss = state["seconds"], 1.0

    def save() -> None:
        values = {"model": model.state_dict(), "average": average.state_dict(), "state": state}
        training.keep(values | {"opts": [opt.state_dict() for opt in opts]}, saved)
        average.save_pretrained(work / "vae", safe_serialization=True)
        look(average, work / f"look-{state['samples'] // 1000:04d}k.png")
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": round(mean_loss, 5)}) + "\n")

    for latents, pixels in data:
        spent = time.monotonic() - started
        left = minutes * 60 - spent
        if left <= 0:
            break
        factor = training.share(state["step"], 100, left, decay)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = rate * factor
        truth = pixels.to(accelerator.device).float() / 127.5 - 1
        latents = latents.to(accelerator.device)
        latents = (
            latents
            + torch.randn_like(latents) * torch.rand(len(latents), 1, 1, 1, device=latents.device) * blur
        )
        guess = decode(latents.contiguous(memory_format=torch.channels_last))
        loss = loss_of(guess, truth)
        accelerator.backward(loss)
        nn.utils.clip_grad_norm_(params, 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        state["step"] += 1
        state["samples"] += len(latents)
        state["seconds"] = base + time.monotonic() - started
        training.follow(list(average.decoder.parameters()), params, state["step"])
        mean_loss += (loss.item() - mean_loss) * (0.02 if state["step"] > 50 else 0.2)
        if state["step"] % 20 == 0:
            pace = state["samples"] / state["seconds"]
            figures = f"loss {mean_loss:.4f}  {pace:.1f}/s  {left / 60:.0f} min left"
            print(f"{state['samples']:>8} pictures  {figures}", flush=True)
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            save()
    save()


if __name__ == "__main__":
    typer.run(main)
