"""The presets for public models: what they say fits our specs, and their settings run on tiny checkpoints of
the same architectures (the real weights are gigabytes away)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from models.load import load_image, load_text, load_vlm, parse_judge, parse_spec, stage_of
from models.protocols import Message, Paint
from models.specs import JUDGES, Stage
from pipeline.brief import KINDS
from pipeline.config import load_preset
from tests.models.image.tiny_gguf import make_flux2_gguf, make_z_image_gguf
from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE, make_lora
from tests.models.vlm.tiny_vlm import make_qwen3_5

CONFIGS = Path(__file__).parents[2] / "configs"
# The architecture of each painter.
ARCHITECTURE = {
    "laptop": {"image": "sdxl"},
    "turbo": {"image": "flux2_klein"},
    "server": {"image": "flux2_klein"},
    "studio": {"image": "flux2_klein", "escalate": "z_image"},
}
PAINTERS = [(name, section) for name, painters in ARCHITECTURE.items() for section in painters]
ONE_MODEL = [name for name in ARCHITECTURE if name != "server"]  # reads, writes and judges
GGUF = {"flux2_klein": make_flux2_gguf, "z_image": make_z_image_gguf}
STAGES: tuple[Stage, ...] = ("text", "image")
UNPINNED = (
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
)  # its revision is not known here


def preset(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def painter(said: dict[str, Any], section: str) -> dict[str, Any]:
    """The usual painter of a preset ("image"), or its larger one ("escalate"), without the painters that follow it."""
    found: dict[str, Any] = said["image"] if section == "image" else said["image"]["escalate"][0]
    return {key: value for key, value in found.items() if key != "escalate"}


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_sections_fit_their_specs(name: str) -> None:
    said = preset(name)
    assert {"about", "needs", "offline", "judges", *STAGES} <= said.keys()
    assert "\n" not in said["about"] + said["needs"]
    assert said["offline"] is False
    parse_spec("text", said["text"])
    for section in ARCHITECTURE[name]:
        parse_spec("image", painter(said, section))
    for judge in said["judges"].values():
        parse_judge(judge)


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_hub_models_are_pinned(name: str) -> None:
    said = preset(name)
    painters = [painter(said, section) for section in ARCHITECTURE[name]]
    files = [file for one in painters for file in (*one.get("loras", []), one.get("gguf")) if file]
    hub = [said["text"], *painters, *said["judges"].values(), *files]
    for model in hub:
        if model.get("kind") in ("server", "rapidocr"):
            continue  # the server has its weights, the package of RapidOCR those of the reader
        pinned = re.fullmatch("[0-9a-f]{40}", model.get("revision", ""))
        assert pinned or model["model"] in UNPINNED, model["model"]


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_judges_of_every_stage_share_the_kinds(name: str) -> None:
    loaded = load_preset(name)
    assert {stage_of(spec) for spec in loaded.judges.values()} == set(JUDGES)
    assert loaded.checked == frozenset(KINDS) - {"other"}
    assert {judge for route in loaded.routes.values() for judge in route.ask} == set(loaded.judges)


@pytest.mark.parametrize(("name", "section"), PAINTERS)
def test_image_settings_run_on_a_tiny_checkpoint(name: str, section: str, tmp_path: Path) -> None:
    architecture = ARCHITECTURE[name][section]
    make: Callable[[Path], Path] = MAKERS[architecture]
    folder = make(tmp_path / architecture)
    said = painter(preset(name), section)
    for lora in said.get("loras", []):
        lora.pop("revision")
        lora["model"] = str(make_lora(tmp_path / "lora", folder))
    if "gguf" in said:
        file = GGUF[architecture](tmp_path / "gguf", folder)
        said["gguf"] = {"model": str(file.parent), "file": file.name}
    said.pop("variant", None)  # the tiny weights are saved in one precision only
    said.pop("revision")
    tiny = {"model": str(folder), "width": SIZE, "height": SIZE, "device": "cpu"}
    spec = parse_spec("image", {**said, **tiny, "native": SIZE, **NEEDS.get(architecture, {})})
    steps = []
    painted = load_image(spec, tmp_path, offline=True).paint(
        [Paint("a red fox", seed=1), Paint("two pears", seed=2, negative="blurry")],
        lambda step: steps.append(len(step.preview())),
    )
    assert [p.image.size for p in painted] == [(SIZE, SIZE)] * 2
    assert sum(steps) == 2 * said["steps"]
    assert not any("blank" in p.settings for p in painted)


@pytest.mark.parametrize("name", ONE_MODEL)
def test_one_model_reads_writes_and_judges(name: str, tmp_path: Path) -> None:
    tiny = {"model": str(make_qwen3_5(tmp_path)), "revision": None, "device": "cpu"}
    said = preset(name)
    writer: Any = load_text(parse_spec("text", {**said["text"], **tiny}), tmp_path, offline=True)
    viewer: Any = load_vlm(parse_judge({**said["judges"]["vlm"], **tiny}), tmp_path, offline=True)
    assert writer._read.placed is viewer._placed
    assert writer.generate([[Message("user", "a red fox")]], max_tokens=4)[0].output_tokens
    (seen,) = viewer.answer([Image.new("RGB", (SIZE, SIZE), "red")], [["Is it red?"]])
    assert 0 <= seen.probabilities[0] <= 1
    loaded = load_preset(name)
    assert loaded.text.checkpoint == loaded.judges["vlm"].checkpoint
