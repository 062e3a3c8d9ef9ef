"""Train the bundled painter: a pixel-space diffusion transformer on scenes of the grammar.

    python -m scripts.train_painter --minutes 120 --work work/painter

Flow matching with x-prediction, x_t = (1 - t) x_0 + t noise, the loss taken in v-space (JiT, arXiv 2511.13720)
and flattened below t = 0.4. Noise levels lean hard towards pure noise: a 64-pixel drawing is recognisable far
above t = 0.8, and where the picture tells, the text is never learnt (with a median t of 0.65, objects were at
chance after 150,000 samples). The text encoder learns ten times slower than the denoiser: at the same rate it
fills every token with the background, whose loss is the largest, and the objects drown in its output norm.
Begin with single objects, then go on with scenes.

Resumes from `--work`; the learning rate falls only in a run given `--decay`, the last one. Runs on CPU or GPU
through accelerate. Writes `--work`/pipeline, a stock PRXPixelPipeline folder, with each checkpoint.
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
from safetensors.torch import load_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset
from transformers import T5Config, T5EncoderModel

from models.mini.art import render, sprite
from models.mini.caption import describe
from models.mini.keywords import MAX_TOKENS, tokenizer
from models.mini.scene import sample
from models.mini.vocabulary import BY_NAME, STYLES

SIDE = 64
SHIFT = 4.0  # sampling spends its steps where the text decides: near pure noise
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
    """Endless (pixels as uint8, token ids, mask); `start` and the worker's number seed it."""

    def __init__(self, start: int, singles: float, tinted: float, drop: float = 0.03) -> None:
        self.start, self.singles, self.tinted, self.drop = start, singles, tinted, drop

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, info.id if info else 0))
        tokens = tokenizer()
        while True:
            rest = 1 - self.singles
            scene = sample(rng, (self.singles, 0.4 * rest, 0.6 * rest), self.tinted)
            text = "" if rng.random() < self.drop else describe(scene, rng)
            ids = tokens(text, padding="max_length", max_length=MAX_TOKENS, truncation=True)
            pixels = torch.from_numpy(render(scene, SIDE)).permute(2, 0, 1)
            yield (
                pixels,
                torch.tensor(ids["input_ids"]),
                torch.tensor(ids["attention_mask"], dtype=torch.bool),
            )


def looks(width: int) -> dict[str, torch.Tensor]:
    """An embedding for each object from how it looks, so that like names mean like pictures and one decoder serves
    all: principal components of its drawing in each style, half of `width` for each, at unit scale."""
    codes = []
    for style in STYLES:
        art = np.stack([sprite(name, style, None, SIDE // 2).ravel() for name in BY_NAME])
        left, strength, _ = np.linalg.svd(art - art.mean(0), full_matrices=False)
        code = (left * strength**0.5)[:, : width // len(STYLES)]
        code = np.pad(code, ((0, 0), (0, width // len(STYLES) - code.shape[1])))
        codes.append(code / np.sqrt((code**2).mean(1, keepdims=True)))
    return {
        name: torch.from_numpy(code).float()
        for name, code in zip(BY_NAME, np.concatenate(codes, 1), strict=True)
    }


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
            )
        )
        self.denoiser = PRXTransformer2DModel(
            in_channels=3, patch_size=16, context_in_dim=256, hidden_size=320, mlp_ratio=4.0, num_heads=5, depth=8,
            axes_dim=[32, 32], bottleneck_size=128,
        )  # fmt: skip
        # Unit-scale text: at 0.02 the image tokens never learn to listen.
        nn.init.normal_(self.text.shared.weight)
        words = tokenizer().get_vocab()
        for name, code in looks(self.text.config.d_model).items():
            self.text.shared.weight.data[words[name.replace(" ", "_")]] = code

    def forward(
        self, noisy: torch.Tensor, t: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        words = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.denoiser(noisy, t, words, attention_mask=mask, return_dict=False)[0]


def fitting(module: nn.Module, file: Path) -> None:
    """Load the tensors that still have their place and shape; the rest begin anew."""
    mine = module.state_dict()
    kept = {k: v for k, v in load_file(file).items() if k in mine and v.shape == mine[k].shape}
    module.load_state_dict(kept, strict=False)
    print(f"{file}: {len(kept)} of {len(mine)} tensors taken")


def pipeline(model: Painter) -> PRXPixelPipeline:
    return PRXPixelPipeline(
        model.denoiser, FlowMatchEulerDiscreteScheduler(shift=SHIFT), model.text, tokenizer(),
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
    batch: int = 48,
    rate: float = 1e-3,
    init: Annotated[Path | None, typer.Option(help="pipeline folder whose denoiser to start from")] = None,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    singles: Annotated[float, typer.Option(help="share of scenes with one object; begin high")] = 0.4,
    tinted: Annotated[float, typer.Option(help="share of recoloured objects; begin low")] = 0.35,
    noise: Annotated[
        float, typer.Option(help="mean of the logit of t; above 2, only the text tells objects apart")
    ] = 2.0,
    pure: Annotated[float, typer.Option(help="share of samples at t = 1")] = 0.25,
    export: Annotated[
        Path | None, typer.Option(help="write the averaged weights here, packed, and stop")
    ] = None,
    workers: int = 1,
    compiled: bool = True,
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision="bf16")
    torch.manual_seed(0)
    model = Painter().to(accelerator.device)
    average = Painter().to(accelerator.device).requires_grad_(False)
    groups = [
        {"params": list(model.denoiser.parameters()), "scale": 1.0},
        {"params": list(model.text.parameters()), "scale": 0.1},
    ]
    opt = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    state = {"step": 0, "samples": 0, "seconds": 0.0}
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        opt.load_state_dict(held["opt"])
        state = held["state"]
    else:
        if init is not None:
            fitting(model.denoiser, init / "transformer/diffusion_pytorch_model.safetensors")
        average.load_state_dict(model.state_dict())
    if export is not None:
        average.to(torch.bfloat16)
        for block in average.denoiser.blocks:  # a quarter of the weights, and the least sensitive
            block.modulation.lin.to(torch.float8_e4m3fn)
        pipeline(average).save_pretrained(export, safe_serialization=True)
        print(f"{export}: {state['samples']} samples, {state['seconds'] / 60:.0f} minutes")
        return
    torch.manual_seed(state["step"])
    forward = torch.compile(model) if compiled else model
    data = DataLoader(
        Scenes(state["step"], singles, tinted),
        batch_size=batch,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    started = last = time.monotonic()
    base = state["seconds"]
    mean_loss = 1.0

    def save() -> None:
        values = {"model": model.state_dict(), "average": average.state_dict(), "opt": opt.state_dict()}
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
        for group in opt.param_groups:
            group["lr"] = rate * factor * group["scale"]
        clean = pixels.to(accelerator.device).float() / 127.5 - 1
        t = torch.sigmoid(torch.randn(len(clean), device=clean.device) * 1.4 + noise)
        t = torch.where(torch.rand_like(t) < pure, 1.0, t)
        at = t.view(-1, 1, 1, 1)
        noisy = (1 - at) * clean + at * torch.randn_like(clean)
        with accelerator.autocast(), sdpa_kernel(SDPBackend.MATH):
            guess = forward(noisy, t, ids.to(clean.device), mask.to(clean.device)).float()
        loss = ((guess - clean).square().mean((1, 2, 3)) / t.clamp(min=0.4).square()).mean()
        accelerator.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 2.0)
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
            figures = f"loss {mean_loss:.4f}  |g| {norm:.2f}  {pace:.0f}/s  {left / 60:.0f} min left"
            print(f"{state['samples']:>8} samples  {figures}", flush=True)
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            save()
    save()


if __name__ == "__main__":
    typer.run(main)
