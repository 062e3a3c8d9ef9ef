"""How much of a prompt is read, on tiny checkpoints of each architecture."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

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


@pytest.mark.parametrize("name", ["sd_tiny_vae", "flux", "flux2_klein", "z_image", "qwen_image"])
def test_the_last_token_that_is_said_to_be_read_is_read(name: str, tmp_path: Path) -> None:
    """And none behind it: by the embeddings of CLIP, T5 and Qwen encoders, with and without a chat template."""
    model: Any = painter(tmp_path, name, prompt_cache=0)
    lengths, pipe = model._prompts, model._pipe
    head = "a"
    while lengths.cut(head + "ab") is None:
        head += "ab"
    while lengths.cut(head + "a") is None:
        head += "a"
    at = {"max_sequence_length": model._spec.call_options.get("max_sequence_length", 0)}
    more = {key: value for key, value in model._spec.call_options.items() if key == "text_encoder_out_layers"}

    def embedded(prompt: str) -> torch.Tensor:
        asked = inspect.signature(pipe.encode_prompt).parameters
        given: dict[str, Any] = {
            "prompt": [prompt],
            "prompt_2": None,
            "device": "cpu",
            "num_images_per_prompt": 1,
        }
        given |= {"do_classifier_free_guidance": False, **at, **more}
        found = pipe.encode_prompt(**{key: value for key, value in given.items() if key in asked})[0]
        return found[0] if isinstance(found, list) else found

    with torch.no_grad():
        assert not torch.equal(embedded(head), embedded(head[:-1] + "z"))
        assert torch.equal(embedded(head + "yy"), embedded(head + "zz"))
