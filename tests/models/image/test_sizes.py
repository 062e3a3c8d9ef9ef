"""Any size is a good picture: painted near the network's own pixel count, and resized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from models.image.diffusers_backend import DiffusersImage
from models.image.sizes import fitted, native_side, painted_size
from models.protocols import Paint
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_image import MAKERS, SIZE


@pytest.mark.parametrize(
    ("asked", "painted"),
    [
        ((1024, 1024), (1024, 1024)),
        ((768, 768), (768, 768)),  # near enough
        ((1000, 1010), (1024, 1024)),  # rounded up, and cut
        ((256, 256), (1024, 1024)),  # an icon
        ((3840, 2160), (1376, 768)),  # a wallpaper
        ((2160, 3840), (768, 1376)),
        ((64, 64), (1024, 1024)),
        ((4096, 64), (2048, 32)),  # no longer than two native sides
        ((2048, 512), (2048, 512)),
    ],
)
def test_sizes_are_painted_near_the_native_pixel_count(
    asked: tuple[int, int], painted: tuple[int, int]
) -> None:
    assert painted_size(asked, 1024, 8) == painted


@pytest.mark.parametrize("native", [512, 1024])
def test_no_size_takes_more_memory_than_a_little_over_the_native_one(native: int) -> None:
    sides = [64, 65, 100, 256, 500, 777, 1024, 1500, 2048, 3000, 4096]
    for asked in ((w, h) for w in sides for h in sides):
        width, height = painted_size(asked, native, 16)
        assert width * height <= 1.35 * native**2
        assert max(width, height) <= 2 * native
        assert width % 32 == height % 32 == 0


def test_what_is_cut_keeps_the_ratio() -> None:
    """A circle stays one where rounding to blocks changed the ratio."""
    y, x = np.mgrid[0:768, 0:1376]
    disc = ((x - 687.5) ** 2 + (y - 383.5) ** 2 < 300**2) * np.uint8(255)
    out = np.asarray(fitted(Image.fromarray(disc), (1920, 1080))) > 127
    wide, tall = out.any(0).sum(), out.any(1).sum()
    assert abs(int(wide) - int(tall)) <= 2


def test_a_wallpaper_and_an_icon_of_a_small_network(tmp_path: Path) -> None:
    model: Any = build("sdxl", MAKERS["sdxl"](tmp_path / "m"))
    icon, wide, plain = model.paint(
        [Paint("a", 1, width=16, height=16), Paint("a", 1, width=1024, height=256), Paint("a", 1)]
    )
    assert [p.image.size for p in (icon, wide, plain)] == [(16, 16), (1024, 256), (SIZE, SIZE)]
    sizes = [p.settings["painted_size"] for p in (icon, wide, plain)]
    assert sizes == [[SIZE, SIZE], [2 * SIZE, SIZE // 2], [SIZE, SIZE]]
    assert (icon.settings["width"], icon.settings["height"]) == (16, 16)
    shrunk = plain.image.resize((16, 16), Image.Resampling.LANCZOS)
    assert icon.image.tobytes() == shrunk.tobytes()


def test_pipelines_say_their_native_side(tmp_path: Path) -> None:
    known = {
        "sd": SIZE,
        "sdxl": SIZE,
        "prx_pixel": SIZE,
        "flux": 256,
        "sana": 64,
    }  # of these tiny autoencoders
    for name, side in known.items():
        model: Any = build(name, MAKERS[name](tmp_path / name), native=None)
        assert native_side(model._pipe) == side
    model = build("z_image", MAKERS["z_image"](tmp_path / "z_image"), width=96)  # it does not say
    assert native_side(model._pipe) is None
    assert model.paint([Paint("a", 1, width=512, height=512)])[0].settings["painted_size"] == [64, 64]


def test_one_size_or_the_other() -> None:
    with pytest.raises(ValidationError, match="paint_size, for a network that paints squares"):
        DiffusersImage(kind="diffusers", model="./m", paint_size=256, native=256)


@pytest.mark.parametrize("name", ["sdxl", "flux2_klein", "qwen_image", "sana"])
def test_tiles_are_smaller_than_the_picture(name: str, tmp_path: Path) -> None:
    """An autoencoder whose tile is its training size decodes a picture of that size in one piece."""
    model: Any = build(name, MAKERS[name](tmp_path / name), vae_tiling=True, native=2 * SIZE)
    sides: list[int] = []
    model._pipe.vae.decoder.register_forward_pre_hook(lambda m, given: sides.append(max(given[0].shape[-2:])))
    model.paint([Paint("a", 1, width=2 * SIZE, height=2 * SIZE)])
    assert len(sides) > 1
