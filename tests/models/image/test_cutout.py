"""Things cut out of a plain ground: the outline is soft, and holds nothing of the ground's colour."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.image.cutout import cut_out, ground

BLUE, RED, WHITE = (40, 80, 220), (220, 40, 40), (255, 255, 255)


def ring(colour: tuple[int, int, int], hole: bool = True) -> Image.Image:
    """A smooth red ring, or disc, on a ground."""
    image = Image.new("RGB", (1024, 1024), colour)
    pen = ImageDraw.Draw(image)
    pen.ellipse((200, 200, 824, 824), RED)
    if hole:
        pen.ellipse((400, 400, 624, 624), colour)
    return image.resize((256, 256), Image.Resampling.LANCZOS)


def test_the_outline_is_soft_and_has_no_halo() -> None:
    cut = cut_out(ring(BLUE))
    assert cut is not None
    pixels = np.asarray(cut).astype(int)
    opacity = pixels[..., 3]
    assert ((opacity > 20) & (opacity < 235)).sum() > 100
    assert np.abs(pixels[opacity > 20][:, :3] - RED).max() < 30


def test_a_speck_beside_a_thing_has_no_halo_either() -> None:
    image = Image.new("RGB", (2048, 2048), BLUE)
    pen = ImageDraw.Draw(image)
    pen.ellipse((400, 400, 1600, 1600), RED)
    pen.ellipse((1700, 300, 1740, 340), RED)
    cut = cut_out(image.resize((512, 512), Image.Resampling.LANCZOS))
    assert cut is not None
    speck = np.asarray(cut).astype(int)[70:90, 420:440]
    shown = speck[speck[..., 3] > 60][:, :3]
    assert len(shown) > 30
    assert np.abs(shown - RED).max() < 40


def test_a_stray_pixel_is_no_thing() -> None:
    image = ring(BLUE)
    image.putpixel((255, 0), WHITE)
    cut = cut_out(image)
    assert cut is not None
    assert np.asarray(cut)[0, 255, 3] == 0
    assert cut.getbbox() == cut_out(ring(BLUE)).getbbox()  # type: ignore[union-attr]


@pytest.mark.parametrize(("colour", "opacity"), [(BLUE, 0), (WHITE, 255)])
def test_a_hole_is_cut_unless_the_ground_is_white(colour: tuple[int, int, int], opacity: int) -> None:
    cut = cut_out(ring(colour))
    assert cut is not None
    assert np.asarray(cut)[128, 128, 3] == opacity
    assert np.asarray(cut)[0, 0, 3] == 0
    assert np.asarray(cut)[128, 70, 3] == 255


def test_what_stands_on_no_plain_ground_is_not_cut_out() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    assert cut_out(Image.fromarray(noise)) is None
    assert ground(noise) is None
    assert cut_out(Image.new("RGB", (128, 128), BLUE)) is None
