"""Train the bundled painter: a pixel-space diffusion transformer on scenes of the grammar.

    python -m scripts.train_painter --minutes 120 --work work/painter

Flow matching with x-prediction, x_t = (1 - t) x_0 + t noise, the loss taken in v-space (JiT, arXiv 2511.13720)
and flattened below t = 0.4: nearly clean images teach little here. Muon on the blocks' matrices, AdamW on the
rest. Resumes from `--work`; the learning rate falls only in a run given `--decay`, the last one. Runs on CPU or
GPU through accelerate. Writes `--work`/pipeline, a stock PRXPixelPipeline folder, with each checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from accelerate import Accelerator
from diffusers import FlowMatchEulerDiscreteScheduler, PRXPixelPipeline, PRXTransformer2DModel
from PIL import Image
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset
from transformers import T5Config, T5EncoderModel

from models.mini.art import render
from models.mini.caption import MAX_TOKENS, describe, tokenizer
from models.mini.scene import sample

SIDE = 64
LOOK = (
    "a red apple on a white background, flat style",
    "three croissants on a pink background, cartoon style",
    "a cat to the left of a dog on a yellow background, cartoon style",
    "a blue bicycle on a white background, flat style",
    "a penguin above a rocket on an orange background, flat style",
    "four green frogs on a purple background, cartoon style",
    "a guitar on a blue background, cartoon style",
    "two owls on a gray background, flat style",
)


class Scenes(IterableDataset):
    """Endless (pixels in [-1, 1] as uint8, token ids, mask); `start` and the worker's number seed it."""

    def __init__(self, start: int, drop: float = 0.05) -> None:
        self.start, self.drop = start, drop

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, info.id if info else 0))
        tokens = tokenizer()
        while True:
            scene = sample(rng, weights=(0.42, 0.26, 0.32))
            text = "" if rng.random() < self.drop else describe(scene, rng)
            ids = tokens(text, padding="max_length", max_length=MAX_TOKENS, truncation=True)
            pixels = torch.from_numpy(render(scene, SIDE)).permute(2, 0, 1)
            yield (
                pixels,
                torch.tensor(ids["input_ids"]),
                torch.tensor(ids["attention_mask"], dtype=torch.bool),
            )


class Painter(nn.Module):
    """Text encoder and denoiser as one module, for training."""

    def __init__(self) -> None:
        super().__init__()
        self.text = T5EncoderModel(
            T5Config(
                vocab_size=len(tokenizer()),
                d_model=256,
                d_kv=64,
                d_ff=512,
                num_layers=2,
                num_heads=4,
                dropout_rate=0.0,
                feed_forward_proj="gated-gelu",
                is_encoder_decoder=False,
                use_cache=False,
            )  # fmt: skip
        )
        self.denoiser = PRXTransformer2DModel(
            in_channels=3, patch_size=16, context_in_dim=256, hidden_size=320, mlp_ratio=4.0, num_heads=5, depth=8,
            axes_dim=[32, 32], bottleneck_size=128,
        )  # fmt: skip
        # Unit-scale text: at 0.02 the image tokens never learn to listen.
        nn.init.normal_(self.text.shared.weight)

    def forward(
        self, noisy: torch.Tensor, t: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        words = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.denoiser(noisy, t, words, attention_mask=mask, return_dict=False)[0]


def optimisers(model: Painter, rate: float) -> list[torch.optim.Optimizer]:
    """Muon where memories are kept (feed-forward and attention matrices), AdamW elsewhere."""
    names = ("gate_proj", "up_proj", "down_proj", "to_out.0", "img_qkv_proj", "txt_kv_proj")
    muon, rest = [], []
    for name, weight in model.named_parameters():
        (muon if weight.ndim == 2 and any(f"{part}.weight" in name for part in names) else rest).append(
            weight
        )
    return [
        torch.optim.Muon(muon, lr=rate, momentum=0.95, weight_decay=0.01, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]  # fmt: skip


def pipeline(model: Painter) -> PRXPixelPipeline:
    return PRXPixelPipeline(
        model.denoiser, FlowMatchEulerDiscreteScheduler(shift=2.0), model.text, tokenizer(),
        default_sample_size=SIDE, prompt_max_tokens=MAX_TOKENS, noise_scale=1.0,
    )  # fmt: skip


@torch.no_grad()
def look(pipe: PRXPixelPipeline, path: Path, steps: int = 8) -> None:
    """A contact sheet of fixed prompts, two seeds each."""
    pipe.set_progress_bar_config(disable=True)
    rows = []
    for seed in (0, 1):
        noise = [torch.Generator().manual_seed(seed * 100 + i) for i in range(len(LOOK))]
        images = pipe(
            list(LOOK),
            num_inference_steps=steps,
            guidance_scale=1.0,
            generator=noise,
            use_resolution_binning=False,
        ).images
        rows.append(
            np.concatenate(
                [np.asarray(image.resize((128, 128), Image.Resampling.BICUBIC)) for image in images], 1
            )
        )
    Image.fromarray(np.concatenate(rows, 0)).save(path)


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/painter"),
    batch: int = 96,
    rate: float = 1.5e-3,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    workers: int = 1,
    compiled: bool = True,
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision="bf16")
    torch.manual_seed(0)
    model = Painter().to(accelerator.device)
    average = Painter().to(accelerator.device).requires_grad_(False)
    opts = optimisers(model, rate)
    state = {"step": 0, "samples": 0, "seconds": 0.0}
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        for opt, values in zip(opts, held["opts"], strict=True):
            opt.load_state_dict(values)
        state = held["state"]
    else:
        average.load_state_dict(model.state_dict())
    torch.manual_seed(state["step"])
    forward = torch.compile(model) if compiled else model
    data = DataLoader(
        Scenes(state["step"]), batch_size=batch, num_workers=workers, prefetch_factor=4 if workers else None
    )
    started = last = time.monotonic()
    base = state["seconds"]
    mean_loss = 1.0

    def save() -> None:
        values = {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "opts": [o.state_dict() for o in opts],
        }
        torch.save(values | {"state": state}, saved.with_suffix(".new"))
        saved.with_suffix(".new").rename(saved)
        pipe = pipeline(average)
        pipe.save_pretrained(work / "pipeline", safe_serialization=True)
        look(pipe, work / f"look-{state['samples'] // 1000:05d}k.png")
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": round(mean_loss, 5)}) + "\n")

    for pixels, ids, mask in data:
        spent = time.monotonic() - started
        left = minutes * 60 - spent
        if left <= 0:
            break
        factor = min(1.0, (state["step"] + 1) / 150) * (min(1.0, left / (decay * 60)) if decay else 1.0)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = rate * factor
        clean = pixels.to(accelerator.device).float() / 127.5 - 1
        t = torch.sigmoid(torch.randn(len(clean), device=clean.device) * 1.3 + 0.6)
        t = torch.where(torch.rand_like(t) < 0.12, 1.0, t)
        at = t.view(-1, 1, 1, 1)
        noisy = (1 - at) * clean + at * torch.randn_like(clean)
        with accelerator.autocast(), sdpa_kernel(SDPBackend.MATH):
            guess = forward(noisy, t, ids.to(clean.device), mask.to(clean.device)).float()
        loss = ((guess - clean).square().mean((1, 2, 3)) / t.clamp(min=0.4).square()).mean()
        accelerator.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        state["step"] += 1
        state["samples"] += len(clean)
        state["seconds"] = base + time.monotonic() - started
        hold = min(0.999, 1 - 1 / (1 + state["step"] / 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - hold)
        mean_loss += (loss.item() - mean_loss) * (0.02 if state["step"] > 50 else 0.2)
        if not math.isfinite(mean_loss):
            raise SystemExit(
                "the loss is no longer finite; lower --rate and start again from the last checkpoint"
            )
        if state["step"] % 20 == 0:
            pace = (state["seconds"] - base) and state["samples"] / state["seconds"]
            print(
                f"{state['samples']:>8} samples  loss {mean_loss:.4f}  |g| {norm:.2f}  {pace:.0f}/s  {left / 60:.0f} min left",
                flush=True,
            )
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            save()
    save()


if __name__ == "__main__":
    typer.run(main)
