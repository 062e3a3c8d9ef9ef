"""The presets for public models: what they say fits our specs, and their settings run on tiny checkpoints of
the same architectures (the real weights are gigabytes away)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.load import load_image, parse_judge, parse_spec, stage_of
from models.protocols import Paint
from models.specs import JUDGES, Stage
from pipeline.brief import KINDS
from pipeline.config import load_preset
from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE, make_lora

CONFIGS = Path(__file__).parents[2] / "configs"
ARCHITECTURE = {"turbo": "sdxl", "server": "sdxl", "studio": "flux2_klein"}
STAGES: tuple[Stage, ...] = ("text", "image")
UNPINNED = (
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
)  # its revision is not known here


def preset(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_sections_fit_their_specs(name: str) -> None:
    said = preset(name)
    assert {"about", "needs", "offline", "judges", *STAGES} <= said.keys()
    assert "\n" not in said["about"] + said["needs"]
    assert said["offline"] is False
    for stage in STAGES:
        parse_spec(stage, said[stage])
    for judge in said["judges"].values():
        parse_judge(judge)


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_hub_models_are_pinned(name: str) -> None:
    said = preset(name)
    hub = [said["text"], said["image"], *said["judges"].values(), *said["image"].get("loras", [])]
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


@pytest.mark.parametrize("name", ["turbo", "studio"])
def test_image_settings_run_on_a_tiny_checkpoint(name: str, tmp_path: Path) -> None:
    architecture = ARCHITECTURE[name]
    make: Callable[[Path], Path] = MAKERS[architecture]
    folder = make(tmp_path / architecture)
    said = preset(name)["image"]
    for lora in said.get("loras", []):
        lora.pop("revision")
        lora["model"] = str(make_lora(tmp_path / "lora", folder))
    said.pop("variant", None)  # the tiny weights are saved in one precision only
    said.pop("revision")
    tiny = {"model": str(folder), "width": SIZE, "height": SIZE, "device": "cpu"}
    spec = parse_spec("image", {**said, **tiny, **NEEDS.get(architecture, {})})
    steps = []
    painted = load_image(spec, tmp_path, offline=True).paint(
        [Paint("a red fox", seed=1), Paint("two pears", seed=2, negative="blurry")],
        lambda step: steps.append(len(step.preview())),
    )
    assert [p.image.size for p in painted] == [(SIZE, SIZE)] * 2
    assert sum(steps) == 2 * said["steps"]
    assert not any("blank" in p.settings for p in painted)
