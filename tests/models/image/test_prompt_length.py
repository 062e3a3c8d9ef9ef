"""How much of a prompt is read, on tiny checkpoints of each architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.load import load_image, parse_spec
from models.protocols import ImageModel, Paint
from pipeline.config import load_preset
from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE

LONG = "a very long prompt of many words " * 120


def painter(folder: Path, name: str, **settings: object) -> ImageModel:
    size = {"width": SIZE, "height": SIZE, "steps": 1, "device": "cpu", "dtype": "float32"}
    spec = {
        "kind": "diffusers",
        "model": str(MAKERS[name](folder / name)),
        **size,
        **NEEDS.get(name, {}),
        **settings,
    }
    return load_image(parse_spec("image", spec), folder, offline=True)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_pipeline_says_how_much_of_a_prompt_it_reads(name: str, tmp_path: Path) -> None:
    model = painter(tmp_path, name)
    assert model.prompt_tokens is not None
    short, long = model.paint([Paint("a cat", 0), Paint(LONG, 0)])
    assert "prompt_cut" not in short.settings
    told = long.settings["prompt_cut"]
    assert told["read"] == model.prompt_tokens < told["of"]


def test_the_words_behind_the_limit_change_nothing(tmp_path: Path) -> None:
    """The limit is the one that the pipeline cuts at."""
    model = painter(tmp_path, "sd_tiny_vae")
    one, other = model.paint([Paint(LONG + "in red", 0), Paint(LONG + "in blue", 0)])
    assert one.image.tobytes() == other.image.tobytes()


def test_the_bundled_painter_reads_18_tokens() -> None:
    preset = load_preset("mini")
    assert load_image(preset.image, preset.base, offline=True).prompt_tokens == 18
