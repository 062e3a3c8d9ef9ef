"""Editing a picture on tiny real pipelines: what lies outside the mask stays, to the pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.image.sizes import fitted, on_canvas
from models.protocols import ModelError, Paint, Step
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_image import MAKERS, SIZE

INPAINTS = {
    "sd": "StableDiffusionInpaintPipeline",
    "sd_tiny_vae": "StableDiffusionInpaintPipeline",
    "sdxl": "StableDiffusionXLInpaintPipeline",
    "flux": "FluxInpaintPipeline",
    "z_image": "ZImageInpaintPipeline",
    "qwen_image": "QwenImageInpaintPipeline",
}
EDITORS = {**INPAINTS, "flux2_klein": "Flux2KleinPipeline"}


def gradient(width: int = SIZE, height: int = SIZE) -> Image.Image:
    """A picture in which no two rows or columns are alike."""
    across, down = np.meshgrid(np.linspace(20, 230, width), np.linspace(20, 230, height))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=2).astype(np.uint8))


def left_half(width: int = SIZE, height: int = SIZE) -> Image.Image:
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    return Image.fromarray(mask)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("name", sorted(EDITORS))
def test_only_what_the_mask_shows_is_painted_anew(name: str, tmp_path: Path) -> None:
    model: Any = build(name, MAKERS[name](tmp_path / "m"), steps=3)
    assert model.edits == ("mask" if name in INPAINTS else "instruction")
    before, steps = gradient(), list[Step]()
    request = Paint("a red cat", seed=1, reference=before, mask=left_half())
    (painted,) = model.paint([request], steps.append)
    change = np.abs(pixels(painted.image) - pixels(before)).max(axis=2)
    assert change[:, : SIZE // 2].mean() > 5
    assert change[:, SIZE // 2 :].max() == 0
    assert painted.settings["edited_by"] == EDITORS[name]
    assert painted.settings["steps"] == 3
    assert len({step.index for step in steps}) in (3, 4)  # PNDM takes one more
    (again,) = model.paint([request])
    assert painted.image.tobytes() == again.image.tobytes()
    assert model.paint([Paint("a red cat", seed=1)])[0].settings.keys().isdisjoint({"edited_by"})


@pytest.mark.parametrize("name", ["sd", "flux2_klein"])
def test_without_a_mask_the_whole_picture_depends_on_the_reference(name: str, tmp_path: Path) -> None:
    model: Any = build(name, MAKERS[name](tmp_path / "m"))
    one, other = gradient(), gradient().transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    first, second = model.paint([Paint("a red cat", seed=1, reference=image) for image in (one, other)])
    new = model.paint([Paint("a red cat", seed=1)])[0]
    assert (pixels(first.image) != pixels(second.image)).any()
    assert (pixels(first.image) != pixels(new.image)).any()


def test_edits_and_new_pictures_in_one_call_do_not_touch_each_other(tmp_path: Path) -> None:
    model: Any = build("flux2_klein", MAKERS["flux2_klein"](tmp_path / "m"))
    requests = [
        Paint("a red cat", seed=1),
        Paint("make it blue", seed=1, reference=gradient()),
        Paint("make it blue", seed=1, reference=gradient(), mask=left_half()),
        Paint("a red cat", seed=2),
    ]
    together = [painted.image.tobytes() for painted in model.paint(requests)]
    assert together == [model.paint([request])[0].image.tobytes() for request in requests]


@pytest.mark.parametrize("name", ["prx_pixel", "sana"])
def test_a_painter_that_cannot_edit_says_so(name: str, tmp_path: Path) -> None:
    model: Any = build(name, MAKERS[name](tmp_path / "m"))
    assert model.edits is None
    with pytest.raises(ModelError, match="cannot edit a picture"):
        model.paint([Paint("a red cat", seed=1, reference=gradient())])


def test_no_second_copy_of_the_weights_is_loaded(tmp_path: Path) -> None:
    model: Any = build("sd", MAKERS["sd"](tmp_path / "m"))
    model.paint([Paint("a red cat", seed=1, reference=gradient(), mask=left_half())])
    assert model._editor.unet is model._pipe.unet
    assert model._editor.vae is model._pipe.vae
    model.place(model._spec.model_copy(update={"vae_tiling": True}))
    (painted,) = model.paint([Paint("a red cat", seed=1, reference=gradient(), mask=left_half())])
    assert painted.settings["edited_by"] == INPAINTS["sd"]


@pytest.mark.parametrize("asked", [(64, 64), (100, 100), (60, 90), (40, 200), (256, 256)])
def test_a_picture_lies_on_the_canvas_where_it_is_cut_out_again(asked: tuple[int, int]) -> None:
    picture = gradient(*asked)
    canvas = on_canvas(picture, (128, 128))
    assert canvas.size == (128, 128)
    back = pixels(fitted(canvas, asked))
    assert np.abs(back - pixels(picture)).mean() < 4


def test_an_edit_of_another_size_than_the_network_paints_keeps_the_rest(tmp_path: Path) -> None:
    model: Any = build("sd", MAKERS["sd"](tmp_path / "m"), width=100, height=70)
    before = gradient(100, 70)
    (painted,) = model.paint([Paint("a cat", seed=1, reference=before, mask=left_half(100, 70))])
    assert painted.image.size == (100, 70)
    assert np.abs(pixels(painted.image) - pixels(before))[:, 50:].max() == 0
