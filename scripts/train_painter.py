"""Train the bundled painter: a diffusion transformer that paints latents of scenes from captions, in one step.

    python -m scripts.train_painter --minutes 60 --work work/painter

Noise and scenes are paired by rule (models/mini/chance.py), so the path from noise to picture is straight; most samples
are at pure noise, where the one step of a finished picture is taken, and some along the way, so that more steps do no
harm. The network answers with the clean latent (x-prediction); the schedule is DDIM's with zero terminal signal
(arXiv 2305.08891), which makes pure noise pure.

The text encoder learns more slowly than the denoiser: at the same rate it fills every token with the background, whose
loss is the largest, and the objects drown in its output norm.

Resumes from `--work`; the learning rate falls over the last `--decay` minutes of a run. Runs on CPU or GPU through
accelerate. Writes `--work`/pipeline, a stock PRXPipeline folder, with each checkpoint; `--export` packs it.
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
from diffusers import AutoencoderDC, DDIMScheduler, PRXPipeline, PRXTransformer2DModel
from PIL import Image
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset
from transformers import T5Config, T5EncoderModel

from models.mini.caption import describe
from models.mini.chance import settle
from models.mini.keywords import MAX_TOKENS, tokenizer
from models.mini.latent import CELLS, CHANNELS, appearance, encode
from models.mini.scene import sample
from models.mini.vocabulary import BY_NAME, STYLES

SIDE = 256
WIDTH = 256  # of the text
LOOK = (
    "a red apple on a white background, flat style",
    "three croissants on a pink background, cartoon style",
    "a cat to the left of a dog on a yellow background, cartoon style",
    "a blue bicycle on a white background, flat style",
    "a penguin above a rocket on an orange background, flat style",
    "four green frogs on a purple background, cartoon style",
    "a guitar on a blue background, cartoon style",
    "two owls on a gray background, flat style",
    "a red fox to the right of a blue key on a white background",
    "a pizza and a lemon",
)


class Scenes(IterableDataset):
    """Endless (latent, its noise, token ids, mask); `start` and the worker's number seed it."""

    def __init__(self, start: int, weights: tuple[float, float, float], tinted: float) -> None:
        self.start, self.weights, self.tinted = start, weights, tinted

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, info.id if info else 0))
        tokens = tokenizer()
        while True:
            noise = rng.standard_normal((CHANNELS, CELLS, CELLS), np.float32)
            said = {
                "background": bool(rng.random() < 0.85),
                "style": bool(rng.random() < 0.75),
                "placed": bool(rng.random() < 0.9),
            }
            scene = settle(sample(rng, self.weights, self.tinted), noise, **said)
            ids = tokens(
                describe(scene, rng, **said), padding="max_length", max_length=MAX_TOKENS, truncation=True
            )
            yield (
                torch.from_numpy(encode(scene)),
                torch.from_numpy(noise),
                torch.tensor(ids["input_ids"]),
                torch.tensor(ids["attention_mask"], dtype=torch.bool),
            )


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        prediction_type="sample", timestep_spacing="trailing", rescale_betas_zero_snr=True, clip_sample=False
    )


class Painter(nn.Module):
    """Text encoder and denoiser as one module, for training."""

    def __init__(self) -> None:
        super().__init__()
        self.text = T5EncoderModel(
            T5Config(
                vocab_size=len(tokenizer()),
                d_model=WIDTH,
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
            in_channels=CHANNELS, patch_size=2, context_in_dim=WIDTH, hidden_size=256, mlp_ratio=4.0, num_heads=4,
            depth=5, axes_dim=[32, 32],
        )  # fmt: skip
        # Gates open from the start: there is one level of noise that matters.
        for block in self.denoiser.blocks:
            for gate in block.modulation.lin.bias.data.chunk(6)[2::3]:
                gate.fill_(0.5)
        # Unit-scale text: at 0.02 the image tokens never learn to listen. An object begins as how it looks in each
        # style, so that like names mean like pictures.
        nn.init.normal_(self.text.shared.weight)
        words, codes = tokenizer().get_vocab(), appearance(100)
        for name in BY_NAME:
            look = torch.from_numpy(np.concatenate([codes[name, style] for style in STYLES]))
            self.text.shared.weight.data[words[name.replace(" ", "_")], : len(look)] = look

    def forward(self, noisy: Tensor, t: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        words = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.denoiser(noisy, t, words, attention_mask=mask, return_dict=False)[0]


def pipeline(model: Painter, decoder: AutoencoderDC) -> PRXPipeline:
    return PRXPipeline(
        model.denoiser, scheduler(), model.text, tokenizer(), decoder, default_sample_size=SIDE
    )


@torch.no_grad()
def look(pipe: PRXPipeline, path: Path, steps: int = 1) -> None:
    """A contact sheet of fixed prompts, two seeds each."""
    pipe.set_progress_bar_config(disable=True)
    rows = []
    for seed in (0, 1):
        noise = [torch.Generator().manual_seed(seed * 100 + i) for i in range(len(LOOK))]
        images = pipe(
            list(LOOK), num_inference_steps=steps, guidance_scale=1.0, generator=noise, use_resolution_binning=False,
            tokenizer_max_length=MAX_TOKENS,
        ).images  # fmt: skip
        rows.append(np.concatenate([np.asarray(image.resize((160, 160))) for image in images], 1))
    Image.fromarray(np.concatenate(rows, 0)).save(path)


def main(
    minutes: Annotated[float, typer.Option(help="time budget of this run")] = 60.0,
    work: Annotated[Path, typer.Option(help="checkpoint folder")] = Path("work/painter"),
    decoder: Annotated[Path, typer.Option(help="trained by scripts.train_decoder")] = Path(
        "work/decoder/vae"
    ),
    batch: int = 16,
    rate: float = 1e-3,
    slow: Annotated[
        float, typer.Option(help="learning rate of the text encoder against the denoiser's")
    ] = 0.3,
    decay: Annotated[float, typer.Option(help="fall to zero over the last MINUTES of this run")] = 0.0,
    every: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    singles: Annotated[float, typer.Option(help="share of scenes with one object; begin high")] = 0.35,
    pairs: Annotated[float, typer.Option(help="share of scenes with two objects; the rest are groups")] = 0.4,
    tinted: Annotated[float, typer.Option(help="share of recoloured objects")] = 0.35,
    pure: Annotated[float, typer.Option(help="share of samples at pure noise")] = 0.85,
    export: Annotated[
        Path | None, typer.Option(help="write the averaged weights here, packed, and stop")
    ] = None,
    compiled: bool = True,
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    device = accelerator.device
    torch.manual_seed(0)
    model = Painter().to(device)
    average = Painter().to(device).requires_grad_(False)
    groups = [
        {"params": list(model.denoiser.parameters()), "scale": 1.0},
        {"params": list(model.text.parameters()), "scale": slow},
    ]
    opt = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    state = {"step": 0, "samples": 0, "seconds": 0.0}
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        opt.load_state_dict(held["opt"])
        state = held["state"]
    else:
        average.load_state_dict(model.state_dict())
    if export is not None:
        pack(pipeline(average, AutoencoderDC.from_pretrained(decoder)), export)
        print(f"{export}: {state['samples']} samples, {state['seconds'] / 60:.0f} minutes")
        return
    torch.manual_seed(state["step"])
    forward = torch.compile(model) if compiled else model
    weights = (singles, 1 - singles - pairs, pairs)
    data = DataLoader(
        Scenes(state["step"], weights, tinted), batch_size=batch, num_workers=1, prefetch_factor=4
    )
    signal = scheduler().alphas_cumprod.to(device)
    started = last = time.monotonic()
    base, mean_loss = state["seconds"], 1.0

    def save() -> None:
        values = {"model": model.state_dict(), "average": average.state_dict(), "opt": opt.state_dict()}
        torch.save(values | {"state": state}, saved.with_suffix(".new"))
        saved.with_suffix(".new").rename(saved)
        if decoder.exists():
            pipe = pipeline(average, AutoencoderDC.from_pretrained(decoder))
            look(pipe, work / f"look-{state['samples'] // 1000:05d}k.png")
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": round(mean_loss, 5)}) + "\n")

    for clean, noise, ids, mask in data:
        spent = time.monotonic() - started
        left = minutes * 60 - spent
        if left <= 0:
            break
        factor = min(1.0, (state["step"] + 1) / 200) * (min(1.0, left / (decay * 60)) if decay else 1.0)
        for group in opt.param_groups:
            group["lr"] = rate * factor * group["scale"]
        clean, noise = clean.to(device), noise.to(device)
        t = torch.randint(len(signal), (len(clean),), device=device)
        t = torch.where(torch.rand(len(t), device=device) < pure, len(signal) - 1, t)
        kept = signal[t].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        with sdpa_kernel(SDPBackend.MATH):
            guess = forward(noisy, t / len(signal), ids.to(device), mask.to(device))
        loss = (guess - clean).square().mean()
        accelerator.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        state["step"] += 1
        state["samples"] += len(clean)
        state["seconds"] = base + time.monotonic() - started
        hold = min(0.998, 1 - 1 / (1 + state["step"] / 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - hold)
        mean_loss += (loss.item() - mean_loss) * (0.02 if state["step"] > 50 else 0.2)
        if not math.isfinite(mean_loss):
            raise SystemExit("the loss is no longer finite; lower --rate and go on from the last checkpoint")
        if state["step"] % 50 == 0:
            pace = (state["seconds"] - base) and state["samples"] / state["seconds"]
            figures = f"loss {mean_loss:.4f}  |g| {norm:.2f}  {pace:.0f}/s  {left / 60:.0f} min left"
            print(f"{state['samples']:>8} samples  {figures}", flush=True)
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            save()
    save()


def pack(pipe: PRXPipeline, folder: Path) -> None:
    """Save in bfloat16; a modulation's weights, the least sensitive, in eight bits."""
    for module in (pipe.transformer, pipe.text_encoder, pipe.vae):
        module.to(torch.bfloat16)
    for block in pipe.transformer.blocks:
        block.modulation.lin.to(torch.float8_e4m3fn)
    pipe.save_pretrained(folder, safe_serialization=True)


if __name__ == "__main__":
    typer.run(main)
