"""The size and steps that a model itself takes, found without loading it, as the loaded pipeline has them."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest

from models.hub.cache import read_cached
from models.image.diffusers_backend import BACKEND, DiffusersImage
from models.image.diffusers_image import load
from models.image.sizes import native_side
from models.load import parse_spec, with_own_settings
from tests.models.image.tiny_image import MAKERS

UNSAID = {"z_image": 1024}  # by its source; native_side has it from nowhere


@pytest.mark.parametrize("name", MAKERS)
def test_they_are_those_of_the_loaded_pipeline(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / "model")
    given: dict[str, Any] = {"kind": "diffusers", "model": str(folder), "device": "cpu", "dtype": "float32"}
    if name == "prx_pixel":
        given["pipeline"] = "PRXPixelPipeline"
    spec = DiffusersImage(**given)
    own = BACKEND.own(spec, tmp_path, read_cached)
    pipe = load(spec, tmp_path, offline=True)._pipe
    assert (
        own["steps"].value == inspect.signature(type(pipe).__call__).parameters["num_inference_steps"].default
    )
    assert own["width"].value == own["height"].value == UNSAID.get(name, native_side(pipe))


def test_what_a_preset_names_stays(tmp_path: Path) -> None:
    MAKERS["sd"](tmp_path / "model")
    given = {"kind": "diffusers", "model": str(tmp_path / "model"), "width": 96, "fallback": [{"steps": 2}]}
    made, said = with_own_settings(parse_spec("image", given), tmp_path)
    (rung,) = made.fallback
    assert isinstance(made, DiffusersImage)
    assert isinstance(rung, DiffusersImage)
    assert (rung.width, rung.height, rung.steps) == (96, 64, 2)
    assert (made.width, made.height, made.steps) == (96, 64, 50)
    assert said == {
        "height": "unet/config.json × vae/config.json",
        "steps": "the default of StableDiffusionPipeline",
    }


def test_a_preset_that_names_the_networks_size_paints_that(tmp_path: Path) -> None:
    MAKERS["sd"](tmp_path / "model")
    made, said = with_own_settings(
        DiffusersImage(kind="diffusers", model=str(tmp_path / "model"), native=128), tmp_path
    )
    assert isinstance(made, DiffusersImage)
    assert (made.width, made.height, said["width"]) == (128, 128, "native")


def test_where_files_are_missing_or_damaged_the_defaults_stay(tmp_path: Path) -> None:
    spec = DiffusersImage(kind="diffusers", model=str(tmp_path / "model"))
    MAKERS["sd"](tmp_path / "model")
    (tmp_path / "model/model_index.json").write_text("[")
    assert with_own_settings(spec, tmp_path) == (spec, {})
    shutil.rmtree(tmp_path / "model")
    assert with_own_settings(spec, tmp_path) == (spec, {})
