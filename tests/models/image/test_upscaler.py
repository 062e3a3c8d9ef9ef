"""Pictures larger than a painter paints, enlarged by a tiny random ESRGAN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from models.image.diffusers_backend import DiffusersImage, Upscaler
from models.image.upscaler import MARGIN, TILE, load_upscaler
from models.load import check_loadable
from models.protocols import ModelError, Paint, WeightsMissing
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_image import MAKERS, SIZE


def make_esrgan(folder: Path, name: str = "x4.safetensors") -> Path:
    """A random ESRGAN that enlarges by 4; its last layer keeps the colours near grey."""
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    network = RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    last = max(name for name in weights if name.endswith(".bias"))
    weights[last] = weights[last] + 0.5
    save_file(weights, folder / name)
    return folder


@pytest.fixture
def esrgan(tmp_path: Path) -> Path:
    return make_esrgan(tmp_path / "esrgan")


@pytest.fixture
def sd(tmp_path: Path) -> Path:
    return MAKERS["sd_tiny_vae"](tmp_path / "sd")


def painted(model: Any, side: int) -> Any:
    return model.paint([Paint("a red cat", seed=1, width=side, height=side)])[0]


def test_larger_pictures_are_enlarged_and_both_sizes_recorded(sd: Path, esrgan: Path) -> None:
    plain = build("sd_tiny_vae", sd, native=SIZE)
    model = build("sd_tiny_vae", sd, native=SIZE, upscaler=Upscaler(model=str(esrgan)))
    for side in (SIZE * 2, SIZE * 4, SIZE * 6):
        large, resized = painted(model, side), painted(plain, side)
        assert large.image.size == (side, side)
        assert large.settings["painted_size"] == resized.settings["painted_size"] == [SIZE, SIZE]
        assert (large.settings["width"], large.settings["upscaled_by"]) == (side, "esrgan")
        assert "upscaled_by" not in resized.settings
        assert np.abs(np.asarray(large.image, int) - np.asarray(resized.image, int)).max() > 8
    json.dumps(large.settings)
    for side in (SIZE, SIZE // 2):
        assert "upscaled_by" not in painted(model, side).settings
        assert painted(model, side).image.tobytes() == painted(plain, side).image.tobytes()
    assert model.bytes > plain.bytes  # type: ignore[attr-defined]


def test_tiles_show_no_seams(esrgan: Path) -> None:
    upscaler = load_upscaler(esrgan, "*.safetensors", "esrgan", "cpu")
    side = TILE + MARGIN + 4
    pixels = np.random.default_rng(0).integers(0, 255, (40, side, 3), dtype=np.uint8)
    large = np.asarray(upscaler(Image.fromarray(pixels)), dtype=int)
    whole = upscaler._call(torch.from_numpy(pixels).float().permute(2, 0, 1)[None] / 255).clamp(0, 1)[0]
    levels = (whole * 255).round().byte().permute(1, 2, 0).numpy().astype(int)
    assert large.shape == (160, side * 4, 3)
    assert np.abs(large - levels).max() <= 1


def test_what_is_no_upscaler_is_said(sd: Path, esrgan: Path, tmp_path: Path) -> None:
    make_esrgan(esrgan, "second.safetensors")
    with pytest.raises(
        ModelError, match=r"has 2 files \*\.safetensors; name one of them by `upscaler: file`"
    ):
        build("sd_tiny_vae", sd, upscaler=Upscaler(model=str(esrgan)))
    build("sd_tiny_vae", sd, upscaler=Upscaler(model=str(esrgan), file="second.safetensors"))
    (tmp_path / "other").mkdir()
    save_file({"w": torch.zeros(3)}, tmp_path / "other" / "x.safetensors")
    with pytest.raises(ModelError, match=r"x\.safetensors is no upscaler that spandrel knows"):
        build("sd_tiny_vae", sd, upscaler=Upscaler(model=str(tmp_path / "other")))
    with pytest.raises(ValidationError, match="String should match pattern"):
        Upscaler(model="owner/name", file="RealESRGAN_x4plus.pth")
    (tmp_path / "empty").mkdir()
    spec = DiffusersImage(kind="diffusers", model=str(sd), upscaler=Upscaler(model=str(tmp_path / "empty")))
    with pytest.raises(WeightsMissing, match=r"holds no \*\.safetensors"):
        check_loadable("image", spec, tmp_path, offline=True)
