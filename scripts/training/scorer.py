"""Train the bundled scorer on scenes with exact labels. Resumes from the last checkpoint.

    python -m scripts.training.scorer --minutes 30
    python -m scripts.training.scorer --export models/mini/scorer --minutes 0

The model and its losses are in scripts/training/scorer_student.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.mini.dataset import lessons
from models.mini.dataset.caption import tokenizer
from models.mini.dataset.degrade import degrade
from scripts.training import loop as training
from scripts.training.scorer_student import CONFIG, IMAGE, Student

MEAN = STD = (0.5, 0.5, 0.5)


# Lower weights for the losses over long lists of rare facts: they are noise until the objects are learnt.
WEIGHTS = {"count": 0.5, "attribute": 0.5, "place": 0.5, "sentences": 0.5}


def pictures(batch: list[NDArray[np.uint8]], g: torch.Generator, strength: float) -> Tensor:
    """Pictures, uint8 (px, px, 3) of 64 or 128 px, as one degraded batch, float (B, 3, 128, 128) in [-1, 1]."""
    out = torch.empty(len(batch), 3, IMAGE, IMAGE)
    for px in {len(one) for one in batch}:
        where = [i for i, one in enumerate(batch) if len(one) == px]
        x = torch.from_numpy(np.stack([batch[i] for i in where])).permute(0, 3, 1, 2) / 255
        out[where] = (
            x
            if px == IMAGE
            else F.interpolate(x, size=IMAGE, mode="bicubic", antialias=px > IMAGE, align_corners=False)
        )
    return degrade(out, g, strength) * 2 - 1


def export(model: nn.Module, folder: Path) -> None:
    """Write a folder that open_clip loads without our code: config, float16 weights, tokenizer."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    small = {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(small, folder / "open_clip_model.safetensors")
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"}
    text = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    tokenizer().save_pretrained(folder)


class Flat:
    """torch's Muon, which takes matrices only, for convolution kernels: each kernel (out, in, h, w) is seen as a matrix
    (out, h w in) that shares its memory."""

    def __init__(self, kernels: list[nn.Parameter], rate: float) -> None:
        self.kernels = kernels
        self.views = [nn.Parameter(_rows(kernel.data)) for kernel in kernels]
        self.optimizer = torch.optim.Muon(
            self.views, lr=rate, momentum=0.95, weight_decay=0.01, ns_steps=4, adjust_lr_fn="match_rms_adamw"
        )

    def step(self) -> None:
        for kernel, view in zip(self.kernels, self.views, strict=True):
            view.grad = None if kernel.grad is None else _rows(kernel.grad)
        self.optimizer.step()  # type: ignore[no-untyped-call]  # torch leaves it untyped


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(1)  # channels last: a view, not a copy


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--work", type=Path, default=Path("work/scorer"), help="checkpoints")
    parser.add_argument("--export", type=Path, help="write the open_clip folder when done")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--statements", type=int, default=48, help="sentences a batch")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--decay", type=float, default=0.35, help="share of the run with a falling rate")
    parser.add_argument("--collages", type=int, default=50_000, help="pictures while most are collages")
    parser.add_argument("--alone", type=int, default=80_000, help="pictures until sentences teach all")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()

    from accelerate import Accelerator

    accelerator = Accelerator()
    device = accelerator.device
    args.work.mkdir(parents=True, exist_ok=True)
    last = args.work / "last.pt"
    student = Student(args.compile).to(device)
    student.model.visual.to(memory_format=torch.channels_last)
    kernels = [p for p in student.model.visual.parameters() if p.ndim == 4 and p.shape[1] > 3]
    flat = Flat(kernels, args.rate)
    assert all(v.data_ptr() == k.data_ptr() for v, k in zip(flat.views, kernels, strict=True))
    codes = list(student.codes.parameters())
    apart = {id(p) for p in (*kernels, *codes)}
    rest = [p for p in student.parameters() if id(p) not in apart]
    # Codes have entries of about one, a hundred times a weight's: they need longer steps to move at all.
    groups = [{"params": rest, "times": 1.0}, {"params": codes, "times": 3.0}]
    adam = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.98), weight_decay=0.01)
    optimizers: tuple[torch.optim.Optimizer, ...] = (flat.optimizer, adam)
    seen = 0
    if last.exists():
        state = torch.load(last, map_location=device, weights_only=True)
        student.load_state_dict(state["student"])
        for optimizer, kept in zip(optimizers, state["optimizers"] or (), strict=False):
            optimizer.load_state_dict(kept)
        seen = state["seen"]
        print(f"resumed at {seen} pictures", flush=True)
    rng, g = np.random.default_rng(seen + 1), torch.Generator().manual_seed(seen + 1)

    def save() -> None:
        kept = [optimizer.state_dict() for optimizer in optimizers]
        training.keep({"student": student.state_dict(), "optimizers": kept, "seen": seen}, last)

    begun = saved = told = time.time()
    first, averages = seen, dict[str, float]()
    student.train()
    while (spent := (time.time() - begun) / 60) < args.minutes:
        rate = args.rate * min(1.0, (seen - first + 1) / 3000, (1 - spent / args.minutes) / args.decay)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate * group.get("times", 1.0)
        sizes = [64 if rng.random() < 0.5 else 128 for _ in range(args.batch)]
        low = torch.autocast(
            device.type, torch.bfloat16
        )  # round the network only, not the making of pictures
        if rng.random() < (0.75 if seen < args.collages else 0.25):
            pixels, cells, spots = zip(*(lessons.collage(rng, px) for px in sizes), strict=True)
            x = pictures(list(pixels), g, 0.3).to(device, memory_format=torch.channels_last)
            with low:
                losses = student.collage_losses(x, torch.from_numpy(np.stack(cells)).to(device), list(spots))
        else:
            batch = [lessons.lesson(rng, px, spoil=0.08) for px in sizes]
            x = pictures([one.pixels for one in batch], g, 1.0)
            x = x.to(device, memory_format=torch.channels_last)
            joint = min(1.0, max(0.0, seen - args.collages) / max(1, args.alone - args.collages))
            with low:
                losses = student.scene_losses(x, batch, rng, args.statements, joint)
        student.zero_grad()
        accelerator.backward(torch.stack([WEIGHTS.get(k, 1.0) * v for k, v in losses.items()]).sum())
        nn.utils.clip_grad_norm_(student.parameters(), 10.0)
        flat.step()
        adam.step()
        with torch.no_grad():
            student.model.logit_scale.clamp_(max=float(np.log(100)))
        seen += len(sizes)

        for kind, value in losses.items():
            averages[kind] = 0.95 * averages.get(kind, value.item()) + 0.05 * value.item()
        if time.time() - told > 20:
            told = time.time()
            speed = (seen - first) / (told - begun)
            shown = " ".join(f"{k} {v:.2f}" for k, v in averages.items())
            scale, bias = student.model.logit_scale.exp().item(), student.model.logit_bias.item()
            print(f"{spent:5.1f} min {seen} {speed:.0f}/s, {scale:.1f} {bias:.1f} | {shown}", flush=True)
        if time.time() - saved > 120:
            saved = time.time()
            save()
    if args.minutes > 0:
        save()
    if args.export:
        export(student.model, args.export)


if __name__ == "__main__":
    main()
