"""Settings for speed on tiny real pipelines: the images stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.image.diffusers_backend import Lora
from models.protocols import Paint
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_image import MAKERS, make_lora

SEEDS = [Paint("a red cat", seed=n, negative="dark") for n in range(3)]
OTHER = [Paint("a blue dog", seed=0), Paint("a red cat", seed=0, negative="pale")]


def arrays(model: Any, requests: list[Paint]) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(p.image).astype(int) for p in model.paint(requests)]


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_prompt_is_encoded_once_for_all_its_seeds(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    plain, kept = build(name, folder, prompt_cache=0), build(name, folder, prompt_cache=2)
    encoder: Any = kept._pipe.text_encoder  # type: ignore[attr-defined]
    calls: list[int] = []
    (encoder.model if hasattr(encoder, "lm_head") else encoder).register_forward_pre_hook(
        lambda *_: calls.append(1)
    )
    alike = arrays(kept, SEEDS[:1])
    once = len(calls)
    assert once
    alike += arrays(kept, SEEDS[1:])
    assert len(calls) == once
    mixed = [*SEEDS, *OTHER, *SEEDS]  # also what was dropped, and encoded again
    for one, other in zip(arrays(plain, SEEDS), alike, strict=True):
        assert np.abs(one - other).max() <= 1
    for one, other in zip(arrays(plain, mixed), arrays(kept, mixed), strict=True):
        assert np.abs(one - other).max() <= 1
    assert len(calls) > once


def test_the_cache_ends_when_the_model_moves(tmp_path: Path) -> None:
    model: Any = build("sdxl", MAKERS["sdxl"](tmp_path / "m"))
    arrays(model, SEEDS[:1])
    calls: list[int] = []
    model._pipe.text_encoder.register_forward_pre_hook(lambda *_: calls.append(1))
    model.place(model._spec.model_copy(update={"vae_tiling": True}))
    arrays(model, SEEDS[:1])
    assert calls


def test_fused_loras_and_channels_last_paint_the_same(tmp_path: Path) -> None:
    folder = MAKERS["sd"](tmp_path / "m")
    loras = (Lora(model=str(make_lora(tmp_path / "lora", folder)), scale=0.5),)
    plain = build("sd", folder, loras=loras)
    fast: Any = build("sd", folder, loras=loras, fuse_loras=True, channels_last=True)
    assert not any("lora" in key for key, _ in fast._pipe.unet.named_parameters())
    assert fast._pipe.unet.conv_in.weight.stride()[1] == 1
    without = build("sd", folder)
    for one, other, none in zip(
        arrays(plain, SEEDS), arrays(fast, SEEDS), arrays(without, SEEDS), strict=True
    ):
        assert np.abs(one - other).max() <= 2
        assert np.abs(one - none).mean() > 0.2
    assert fast.paint(SEEDS[:1])[0].settings["loras"][0]["scale"] == 0.5


def test_compile_asks_torch_for_the_repeated_blocks(tmp_path: Path) -> None:
    """Compiling itself needs a C++ compiler and a minute, so no image is painted here."""
    model: Any = build("flux", MAKERS["flux"](tmp_path / "m"), compile=True)
    blocks = [*model._pipe.transformer.transformer_blocks, *model._pipe.transformer.single_transformer_blocks]
    assert all(block._compiled_call_impl is not None for block in blocks)
