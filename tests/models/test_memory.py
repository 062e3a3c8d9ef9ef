"""The memory of weights, from the headers of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.hub.cache import Found, find
from models.hub.need import matching
from models.memory import footprint, tensors
from models.protocols import ModelError


@pytest.fixture
def pipeline(tmp_path: Path) -> Found:
    """A small part of 1000 numbers and a large one of 4000, in half precision, with 10 whole numbers."""
    for name, count in (("vae", 1000), ("unet", 4000)):
        (tmp_path / name).mkdir()
        weights = {"w": torch.zeros(count, dtype=torch.float16), "n": torch.zeros(10, dtype=torch.int64)}
        save_file(weights, tmp_path / name / "model.safetensors", metadata={"format": "pt"})
    return find(matching("model", tmp_path, None, "*.safetensors", weights="*.safetensors"))


def test_the_number_format_decides_and_whole_numbers_stay(pipeline: Found) -> None:
    half, full = (footprint([pipeline], "cuda", dtype).gpu for dtype in ("float16", "float32"))
    assert half == 5000 * 2 + 20 * 8
    assert full == 5000 * 4 + 20 * 8
    assert footprint([pipeline], "cpu", "float32").widened
    assert not footprint([pipeline], "cpu", "float16").widened


def test_offloading_leaves_one_part_at_a_time_on_the_gpu(pipeline: Found) -> None:
    model = footprint([pipeline], "cuda", "float16", "model")
    assert (model.gpu, model.main) == (4000 * 2 + 80, 5000 * 2 + 160)
    assert footprint([pipeline], "cuda", "float16", "sequential").gpu == 0
    on_cpu = footprint([pipeline], "cpu", "float16", "model")
    assert (on_cpu.gpu, on_cpu.main) == (0, 5000 * 2 + 160)


def test_a_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes((10_000).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelError, match=r"model\.safetensors is no complete safetensors file"):
        tensors(file)
