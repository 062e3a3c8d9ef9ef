"""Previews on tiny real pipelines: they never end a run, and never move a model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.image.latents import Grid, decoded, grid_of
from models.protocols import Paint
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_image import MAKERS, SIZE


def previews(model: Any, steps: int = 3, **asked: Any) -> tuple[list[list[Any]], Any]:
    """The previews of each step, and what was painted."""
    seen: list[list[Any]] = []
    (painted,) = model.paint(
        [Paint("a red cat", seed=1, steps=steps, **asked)], lambda step: seen.append(step.preview())
    )
    return seen, painted


def offloaded(pipe: Any) -> list[str]:
    """Offload the models of a pipeline with accelerate's hooks, to the CPU itself; returns a list of those that are
    moved, which grows."""
    pipe.enable_model_cpu_offload(device="cpu")
    moved: list[str] = []
    for name, module in pipe.components.items():
        if isinstance(module, torch.nn.Module) and hasattr(module, "_hf_hook"):
            _count(name, module._hf_hook, moved)
    pipe.maybe_free_model_hooks = lambda: None  # it would replace the hooks that count
    return moved


def _count(name: str, hook: Any, moved: list[str]) -> None:
    real: Callable[..., Any] = hook.pre_forward

    def counting(module: Any, *args: Any, **kwargs: Any) -> Any:
        if not moved or moved[-1] != name:
            moved.append(name)
        return real(module, *args, **kwargs)

    hook.pre_forward = counting


@pytest.mark.parametrize("name", ["sdxl", "flux", "flux2_klein", "qwen_image"])
def test_no_preview_moves_an_offloaded_model(name: str, tmp_path: Path) -> None:
    model: Any = build(name, MAKERS[name](tmp_path / name))
    alone = model.paint([Paint("a red cat", seed=1, steps=3)])[0]
    moved = offloaded(model._pipe)
    first, _ = previews(model)
    assert [m for m in moved if m in ("unet", "transformer", "vae")][-2:] in (
        ["unet", "vae"],
        ["transformer", "vae"],
    )
    assert moved.count("vae") == 1  # for the finished image
    assert first == [[], [], []]  # nothing is known yet of what the latents look like
    moved.clear()
    second, painted = previews(model)
    assert moved.count("vae") == 1
    assert all(len(images) == 1 and images[0].size == (SIZE, SIZE) for images in second)
    assert np.abs(np.asarray(painted.image).astype(int) - np.asarray(alone.image)).max() <= 1


def test_colours_of_an_offloaded_model_come_near_the_image(tmp_path: Path) -> None:
    model: Any = build("sd_tiny_vae", MAKERS["sd_tiny_vae"](tmp_path / "m"))
    offloaded(model._pipe)
    previews(model)
    seen, painted = previews(model, width=2 * SIZE, height=SIZE)
    last = np.asarray(seen[-1][0].convert("RGB").resize((8, 4)), dtype=float)
    there = np.asarray(painted.image.resize((8, 4)), dtype=float)
    other = there[::-1, ::-1]
    assert seen[-1][0].width > seen[-1][0].height
    assert np.abs(last - there).mean() < 0.5 * np.abs(last - other).mean() + 4


def test_latents_with_frames_give_pictures(tmp_path: Path) -> None:
    seen, painted = previews(build("qwen_image", MAKERS["qwen_image"](tmp_path / "m")))
    assert all(len(images) == 1 and images[0].size == (SIZE, SIZE) for images in seen)
    last = np.asarray(seen[-1][0]).astype(int)
    assert np.abs(last - np.asarray(painted.image)).max() <= 2


@pytest.mark.parametrize("fault", ["decoder", "layout", "estimate"])
def test_a_fault_in_a_preview_is_noted_once_and_painting_goes_on(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = build("flux", MAKERS["flux"](tmp_path / "m"))
    alone = model.paint([Paint("a red cat", seed=1, steps=3)])[0]
    pipe = model._pipe
    if fault == "decoder":  # no memory left beside the model that paints
        real, left = pipe.vae.decode, [torch.OutOfMemoryError("CUDA out of memory")] * 3

        def decode(*args: Any, **kwargs: Any) -> Any:
            if left:
                raise left.pop()
            return real(*args, **kwargs)

        pipe.vae.decode = decode
    elif fault == "layout":  # packed for another size than the picture's
        monkeypatch.setattr("models.image.preview.grid_of", lambda p, x, w, h: grid_of(p, x, w, h + SIZE))
    else:  # a scheduler of another family than its class says
        monkeypatch.setattr("models.image.preview.FlowMatchEulerDiscreteScheduler", int)
        monkeypatch.setattr("models.image.preview.DDIMScheduler", type(pipe.scheduler))
    with caplog.at_level(logging.WARNING, "models.image.preview"):
        seen, painted = previews(model)
    assert seen == [[], [], []]
    assert painted.image.tobytes() == alone.image.tobytes()
    (note,) = [record.getMessage() for record in caplog.records if record.name == "models.image.preview"]
    assert note.startswith("FluxPipeline has no previews: ")


def test_an_autoencoder_that_overflows_in_float16_decodes_previews_in_float32(tmp_path: Path) -> None:
    model: Any = build("sdxl", MAKERS["sdxl"](tmp_path / "m"))
    vae = model._pipe.vae
    assert vae.config.force_upcast
    vae.to(torch.float16)
    used: list[torch.dtype] = []
    vae.decoder.register_forward_pre_hook(lambda module, given: used.append(given[0].dtype))
    grid = Grid(torch.zeros(1, 4, 8, 8))
    assert torch.isfinite(decoded(model._pipe, grid, 1.0)).all()
    assert (used, vae.dtype) == ([torch.float32], torch.float16)
