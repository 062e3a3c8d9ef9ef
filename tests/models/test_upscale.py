"""The upscaler: sizes, its start as bicubic enlargement, learning, saving and loading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.protocols import ModelError, WeightsMissing
from models.upscale import Upscaler, load


def disc(side: int) -> Image.Image:
    """A red disc on white, anti-aliased: the kind of edge that enlargement blurs."""
    y, x = np.mgrid[0 : side * 4, 0 : side * 4] / (side * 4) - 0.5
    inside = (x**2 + y**2 < 0.1)[..., None]
    large = Image.fromarray(np.where(inside, [220, 30, 30], 255).astype(np.uint8))
    return large.resize((side, side), Image.Resampling.BOX)


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def test_is_small_and_enlarges_fourfold() -> None:
    model = Upscaler()
    assert 150_000 < sum(weight.numel() for weight in model.parameters()) < 400_000
    small, wide = Image.new("RGB", (64, 64), "teal"), Image.new("RGB", (16, 8), "teal")
    assert [image.size for image in model.upscale([small, wide])] == [(256, 256), (64, 32)]
    assert model.upscale([]) == []


def test_untrained_it_is_bicubic_and_keeps_flat_colours() -> None:
    model = Upscaler(channels=8, blocks=1)
    (flat,) = model.upscale([Image.new("RGB", (16, 16), (12, 200, 99))])
    assert flat.getcolors() == [(64 * 64, (12, 200, 99))]
    wanted = disc(32).resize((128, 128), Image.Resampling.BICUBIC)
    (got,) = model.upscale([disc(32)])
    assert np.abs(np.asarray(got).astype(int) - np.asarray(wanted)).mean() < 2


def test_learns_an_edge_and_survives_the_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Upscaler(channels=16, blocks=2)
    small, large = tensor(disc(16)), tensor(disc(64))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = (model(small) - large).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    model.save(tmp_path / "up")
    again = load(tmp_path / "up")
    assert not again.training
    assert again.upscale([disc(16)])[0].tobytes() == model.upscale([disc(16)])[0].tobytes()


def test_company_does_not_change_an_image() -> None:
    torch.manual_seed(0)
    model = Upscaler(channels=8, blocks=1)
    torch.nn.init.normal_(model.leave.weight, std=0.1)
    images = [disc(24), Image.new("RGB", (24, 24), "navy"), disc(24)]
    first, _, third = model.upscale(images)
    assert first.tobytes() == third.tobytes() == model.upscale(images[:1])[0].tobytes()


def test_half_precision_files_are_read(tmp_path: Path) -> None:
    Upscaler(channels=8, blocks=1).half().save(tmp_path)
    assert load(tmp_path).enter.weight.dtype == torch.float32


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no config\.json"):
        load(tmp_path)
    Upscaler(channels=8, blocks=1).save(tmp_path)
    (tmp_path / "config.json").write_text('{"channels": 8, "blocks": 2}')
    with pytest.raises(ModelError, match="holds no upscaler of this kind"):
        load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="holds no upscaler of this kind"):
        load(tmp_path)
