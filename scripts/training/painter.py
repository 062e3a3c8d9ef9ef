"""Train the bundled painter: a diffusion transformer that paints latents of scenes from captions, in one step.

    python -m scripts.training.painter --minutes 60 --work work/painter

Noise and scenes are paired by a fixed rule (dataset/chance.py), so one step from noise to picture is enough. Most
training samples are at pure noise, where that step is taken; some have less noise, so that more steps do no harm. The
network predicts the clean latent (x-prediction); the schedule is DDIM's, rescaled to zero terminal SNR
(arXiv 2305.08891).

The text encoder has a lower learning rate than the denoiser: at the same rate, the background, whose loss is largest,
dominates its output at every token. It also has a task of its own, before the painting starts and during it: to tell,
at each object's token, where that object stands and in which tint. From pictures alone it did not learn which of two
objects is on which side or has which colour: the objects came out as blends of both.

Resumes from `--work`; the learning rate falls over the last `--decay` minutes of a run. Runs on CPU or GPU through
accelerate. `--export` writes the averaged weights as a stock PRXPipeline folder; `--keep` does so at each checkpoint,
for a learning curve: python -m scripts.evaluation.loop --first --set image.model=./work/painter/at-….
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from accelerate import Accelerator
from diffusers import AutoencoderDC, DDIMScheduler, PRXPipeline, PRXTransformer2DModel
from PIL import Image
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset
from transformers import T5Config, T5EncoderModel

from models.mini.dataset.caption import describe
from models.mini.dataset.chance import settle
from models.mini.dataset.keywords import MAX_TOKENS, tokenizer
from models.mini.dataset.latent import CELLS, CHANNELS, appearance, encode
from models.mini.dataset.scene import Scene, sample
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS
from scripts.training import loop as training

SIDE = 256
TOKENS = tokenizer()
OBJECT_TOKENS = {name: TOKENS.get_vocab()[name.replace(" ", "_")] for name in BY_NAME}
WIDTH = 256  # of the text encoder
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


STANDS = ("alone", "two", "three", "four", "left", "right", "top", "bottom")
TINTS = (None, *COLOURS)
NO_OBJECT = -100  # label that cross entropy ignores
READING_RATE = 1e-3
Caption = tuple[list[int], list[int], list[int], list[int]]  # token ids, mask, places, tints


def standing(scene: Scene, ids: list[int]) -> tuple[list[int], list[int]]:
    """For each token, the place and tint of the object that it names, as indices into STANDS and TINTS; NO_OBJECT for
    other tokens."""
    first = {"row": STANDS.index("left"), "column": STANDS.index("top")}.get(scene.kind)
    said: dict[int, tuple[int, int]] = {}
    for i, item in enumerate(scene.items):
        stands = len(scene.items) - 1 if first is None else first + i
        said.setdefault(OBJECT_TOKENS[item.object], (stands, TINTS.index(item.tint)))
    labels = [said.get(i, (NO_OBJECT, NO_OBJECT)) for i in ids]
    return [stands for stands, _ in labels], [tint for _, tint in labels]


def telling(rng: np.random.Generator) -> dict[str, bool]:
    """What a caption mentions, at random; the noise decides the rest (dataset/chance.py)."""
    return {
        "background": bool(rng.random() < 0.85),
        "style": bool(rng.random() < 0.75),
        "placed": bool(rng.random() < 0.9),
    }


def caption(scene: Scene, rng: np.random.Generator, **said: bool) -> Caption:
    """Token ids, mask, places and tints for a random caption of the scene, each MAX_TOKENS long."""
    made = TOKENS(describe(scene, rng, **said), padding="max_length", max_length=MAX_TOKENS, truncation=True)
    return made["input_ids"], made["attention_mask"], *standing(scene, made["input_ids"])


class Scenes(IterableDataset[tuple[Tensor, ...]]):
    """Endless samples: latent and noise, float (CHANNELS, CELLS, CELLS); token ids, mask, places and tints, int
    (MAX_TOKENS,). Seeded by `start` and the worker's number."""

    def __init__(self, start: int, weights: tuple[float, float, float], tinted: float) -> None:
        self.start, self.weights, self.tinted = start, weights, tinted

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.start, info.id if info else 0))
        while True:
            noise = rng.standard_normal((CHANNELS, CELLS, CELLS), np.float32)
            said = telling(rng)
            scene = settle(sample(rng, self.weights, self.tinted), noise, **said)
            yield (
                torch.from_numpy(encode(scene)),
                torch.from_numpy(noise),
                *map(torch.tensor, caption(scene, rng, **said)),
            )


def scheduler() -> DDIMScheduler:
    """The schedule of training and painting: x-prediction, zero terminal SNR."""
    return DDIMScheduler(
        prediction_type="sample", timestep_spacing="trailing", rescale_betas_zero_snr=True, clip_sample=False
    )


class Painter(nn.Module):
    """Text encoder and denoiser as one module, for training."""

    def __init__(self) -> None:
        super().__init__()
        self.text = T5EncoderModel(
            T5Config(
                vocab_size=len(TOKENS),
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
        self.stands = nn.Linear(WIDTH, len(STANDS))
        self.tints = nn.Linear(WIDTH, len(TINTS))
        # Open gates: at initialisation they are zero, for training at many noise levels. Here one level matters.
        for block in self.denoiser.blocks:
            for gate in block.modulation.lin.bias.data.chunk(6)[2::3]:
                gate.fill_(0.5)
        # Embeddings of unit scale: at the usual 0.02 the image tokens never attend to the text. An object's embedding
        # starts as the codes of its drawings, so that objects that look alike have embeddings that are alike.
        nn.init.normal_(self.text.shared.weight)
        codes = appearance(100)
        for name, token in OBJECT_TOKENS.items():
            look = torch.from_numpy(np.concatenate([codes[name, style] for style in STYLES]))
            self.text.shared.weight.data[token, : len(look)] = look
        # Position biases for four heads: the token before, the token after, all before, all after. With them it learns
        # quickly which object is named first; from the default biases, which are all alike, only slowly.
        table = self.text.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.data
        later = len(table) // 2
        table.zero_()
        for head, distances in enumerate(
            (slice(1, 2), slice(later + 1, later + 2), slice(1, later), slice(later + 1, None))
        ):
            table[distances, head] = 5.0

    def read(self, words: Tensor, stands: Tensor, tints: Tensor) -> Tensor:
        """The loss of the text encoder's own task. `words`: its output (B, MAX_TOKENS, WIDTH); labels (B,
        MAX_TOKENS)."""
        losses = [
            F.cross_entropy(probe(words).flatten(0, 1), truth.flatten())
            for probe, truth in ((self.stands, stands), (self.tints, tints))
        ]
        return losses[0] + losses[1]

    def forward(self, noisy: Tensor, t: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the clean latent. `noisy`: (B, CHANNELS, CELLS, CELLS); `t`: (B,) in [0, 1). Returns it with the text
        encoder's output (B, MAX_TOKENS, WIDTH)."""
        words = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.denoiser(noisy, t, words, attention_mask=mask, return_dict=False)[0], words


def teach_reading(model: Painter, steps: int, weights: tuple[float, float, float], tinted: float) -> float:
    """Train the text encoder on its own task alone, before any painting; a minute or two. Returns the last loss."""
    rng = np.random.default_rng(0)
    opt = reading_optimiser(model)
    loss = torch.zeros(())
    for step in range(steps):
        opt.param_groups[0]["lr"] = READING_RATE * min(1.0, (step + 1) / 50, (steps - step) / 200)
        loss = reading_step(model, opt, [caption(sample(rng, weights, tinted), rng) for _ in range(64)])
    return loss.item()


def reading_optimiser(model: Painter) -> torch.optim.Optimizer:
    parts = (model.text, model.stands, model.tints)
    weights = [p for part in parts for p in part.parameters()]
    return torch.optim.AdamW(weights, lr=READING_RATE, weight_decay=0.0)


def reading_step(model: Painter, opt: torch.optim.Optimizer, captions: list[Caption]) -> Tensor:
    """One step of the text encoder's own task. Returns the loss before it."""
    device = model.stands.weight.device
    ids, mask, stands, tints = (torch.tensor(column, device=device) for column in zip(*captions, strict=True))
    loss = model.read(model.text(input_ids=ids, attention_mask=mask).last_hidden_state, stands, tints)
    opt.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.text.parameters(), 1.0)
    opt.step()
    return loss.detach()


def pipeline(model: Painter, decoder: AutoencoderDC) -> PRXPipeline:
    """The stock pipeline that the trained parts make up."""
    return PRXPipeline(model.denoiser, scheduler(), model.text, TOKENS, decoder, default_sample_size=SIDE)


@torch.no_grad()
def look(pipe: PRXPipeline, path: Path, steps: int = 1) -> None:
    """Save a contact sheet of fixed prompts, with two seeds each."""
    pipe.to(pipe.transformer.device).set_progress_bar_config(disable=True)
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
    decoder: Annotated[Path, typer.Option(help="trained by scripts.training.decoder")] = Path(
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
    reading: Annotated[float, typer.Option(help="weight of the text encoder's own task")] = 0.1,
    pure: Annotated[float, typer.Option(help="share of samples at pure noise")] = 0.85,
    export: Annotated[
        Path | None, typer.Option(help="write the averaged weights here, packed, and stop")
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="keep what each checkpoint paints with, packed, for a curve")
    ] = False,
    workers: Annotated[int, typer.Option(help="processes that make samples")] = 1,
    compiled: bool = True,
) -> None:
    """Train the painter for some minutes, or export it."""
    torch.set_float32_matmul_precision("high")
    work.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    device = accelerator.device
    torch.manual_seed(0)
    model = Painter().to(device)
    average = Painter().to(device).requires_grad_(False)
    words = list(model.text.parameters())
    rest = [*model.denoiser.parameters(), *model.stands.parameters(), *model.tints.parameters()]
    groups = [{"params": rest, "scale": 1.0}, {"params": words, "scale": slow}]
    opt = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    weights = (singles, 1 - singles - pairs, pairs)
    state = training.Progress(step=0, samples=0, seconds=0.0)
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, map_location=device, weights_only=True)
        model.load_state_dict(held["model"])
        average.load_state_dict(held["average"])
        opt.load_state_dict(held["opt"])
        state = held["state"]
    else:
        print(f"reading: loss {teach_reading(model, 600, weights, 0.5):.3f}", flush=True)
        average.load_state_dict(model.state_dict())
    if export is not None:
        pack(pipeline(average, AutoencoderDC.from_pretrained(decoder)), export)
        print(f"{export}: {state['samples']} samples, {state['seconds'] / 60:.0f} minutes")
        return
    torch.manual_seed(state["step"])
    forward = torch.compile(model) if compiled else model
    data = DataLoader(
        Scenes(state["step"], weights, tinted), batch_size=batch, num_workers=workers, prefetch_factor=4
    )
    signal = scheduler().alphas_cumprod.to(device)
    started = last = time.monotonic()
    base, means = state["seconds"], torch.ones(2, device=device)

    def save() -> None:
        values = {"model": model.state_dict(), "average": average.state_dict(), "opt": opt.state_dict()}
        training.keep(values | {"state": state}, saved)
        if decoder.exists():
            name = f"{state['samples'] // 1000:05d}k"
            pipe = pipeline(deepcopy(average), AutoencoderDC.from_pretrained(decoder))
            look(pipe, work / f"look-{name}.png")
            if keep:
                pack(pipe, work / f"at-{name}")
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(state | {"loss": round(means[0].item(), 5)}) + "\n")

    for clean, noise, ids, mask, stands, tints in data:
        spent = time.monotonic() - started
        left = minutes * 60 - spent
        if left <= 0:
            break
        factor = training.share(state["step"], 200, left, decay)
        for group in opt.param_groups:
            group["lr"] = rate * factor * group["scale"]
        clean, noise = clean.to(device), noise.to(device)
        t = torch.randint(len(signal), (len(clean),), device=device)
        t = torch.where(torch.rand(len(t), device=device) < pure, len(signal) - 1, t)
        kept = signal[t].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        with sdpa_kernel(SDPBackend.MATH):
            guess, words = forward(noisy, t / len(signal), ids.to(device), mask.to(device, torch.bool))
        loss = (guess - clean).square().mean()
        read = model.read(words, stands.to(device), tints.to(device))
        accelerator.backward(loss + reading * read)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        state["step"] += 1
        state["samples"] += len(clean)
        state["seconds"] = base + time.monotonic() - started
        training.follow(list(average.parameters()), list(model.parameters()), state["step"])
        means.lerp_(torch.stack((loss, read)).detach(), 0.02 if state["step"] > 50 else 0.2)
        if state["step"] % 50 == 0:
            mean_loss, mean_read = means.tolist()
            if not math.isfinite(mean_loss):
                raise SystemExit(
                    "the loss is not finite any more; lower --rate and resume from the last checkpoint"
                )
            pace = state["samples"] / state["seconds"]
            figures = f"loss {mean_loss:.4f}  read {mean_read:.4f}  |g| {norm:.2f}  {pace:.0f}/s"
            print(f"{state['samples']:>8} samples  {figures}  {left / 60:.0f} min left", flush=True)
        if time.monotonic() - last > every * 60:
            last = time.monotonic()
            save()
    save()


def pack(pipe: PRXPipeline, folder: Path) -> None:
    """Save in bfloat16; the weights of modulations, which are the least sensitive, in float8."""
    pipe.vae.register_to_config(_name_or_path="work/decoder/vae")  # not a path of this machine
    for module in (pipe.transformer, pipe.text_encoder, pipe.vae):
        module.to(torch.bfloat16)
    for block in pipe.transformer.blocks:
        block.modulation.lin.to(torch.float8_e4m3fn)
    pipe.save_pretrained(folder, safe_serialization=True)


if __name__ == "__main__":
    typer.run(main)
