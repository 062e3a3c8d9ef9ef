"""Which number format `auto` stands for. Neither a Mac nor an old GPU is here, so what torch says of them is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.device import empty_caches, pick_dtype
from models.image.diffusers_backend import DiffusersImage
from models.image.pipeline_files import narrow
from models.load import footprint_of
from tests.models.image.tiny_image import make_sd, make_z_image


@pytest.mark.parametrize(
    ("device", "native_bfloat16", "float16", "dtype"),
    [
        ("cuda", True, True, torch.bfloat16),
        ("cuda", True, False, torch.bfloat16),
        ("cuda:1", False, True, torch.float16),
        ("cuda", False, False, torch.float32),
        ("mps", True, True, torch.bfloat16),
        ("mps", False, True, torch.float32),
        ("mps", False, False, torch.float32),
    ],
)
def test_no_model_gets_a_format_that_gives_nan(
    device: str, native_bfloat16: bool, float16: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native_bfloat16)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: native_bfloat16)
    assert pick_dtype("auto", device, float16) is dtype
    assert pick_dtype("float16", device, float16) is torch.float16  # the owner's word


def test_pipelines_that_were_trained_in_float16() -> None:
    assert narrow("StableDiffusionPipeline")
    assert narrow("StableDiffusionXLPipeline")
    assert not any(
        map(narrow, ("StableDiffusion3Pipeline", "FluxPipeline", "SanaPipeline", "ZImagePipeline", ""))
    )


def test_caches_of_every_kind_of_gpu_are_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    empty_caches()
    assert emptied == ["mps"]


@pytest.mark.parametrize(("make", "dtype"), [(make_sd, "float16"), (make_z_image, "float32")])
def test_memory_is_claimed_for_the_format_of_an_old_gpu(
    make: Callable[[Path], Path], dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    spec = DiffusersImage(kind="diffusers", model=str(make(tmp_path / "m")), device="cuda")
    claimed = footprint_of("image", spec, tmp_path)
    assert claimed is not None
    assert claimed.dtype == dtype
