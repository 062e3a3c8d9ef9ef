"""Offline belongs to a load: in one process an offline preset never asks the network, an online one always may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub import Hub
from tests.models.image.tiny_image import make_lora
from tests.models.text.tiny_text import save_lora, save_tiny
from tests.pipeline.tiny_preset import write_preset

ROOT = Path(__file__).parents[2]
# What each stage of a preset may fetch from the hub.
FETCHED: dict[str, tuple[str, dict[str, Any]]] = {
    "owner/text": ("text", {"model": "owner/text"}),
    "owner/gguf": ("text", {"model": "owner/gguf", "gguf_file": "x.gguf"}),
    "owner/adapter": ("text", {"adapter": "owner/adapter"}),
    "owner/painter": ("image", {"model": "owner/painter"}),
    "owner/lora": ("image", {"loras": [{"model": "owner/lora"}]}),
    "owner/scorer": ("scorer", {"model": "hf-hub:owner/scorer"}),
    "owner/detector": ("detector", {"kind": "object_detection", "model": "owner/detector"}),
    "owner/zero-shot": ("detector", {"kind": "zero_shot_object_detection", "model": "owner/zero-shot"}),
    "owner/vlm": ("vlm", {"kind": "image_text", "model": "owner/vlm"}),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": (
        "scorer",
        {"model": "ViT-B-32", "pretrained": "laion2b_s34b_b79k"},
    ),
}
# Runs in a process of its own: the hub library reads its address when it is imported.
PROGRAM = """
import json, sys
from pathlib import Path

connections = []

def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        connections.append(str(args[1][0]))

sys.addaudithook(watch)

from models.load import load_detector, load_image, load_scorer, load_text, load_vlm
from models.protocols import ModelError
from pipeline.calls.load import check, load
from pipeline.config import load_preset

LOADERS = {"text": load_text, "image": load_image, "scorer": load_scorer, "detector": load_detector, "vlm": load_vlm}
report = []

def spec(preset, stage):
    return preset.models[stage if stage in ("text", "image") else "judges." + stage]

def attempt(name, act):
    before = len(connections)
    try:
        act()
        said = "loaded"
    except ModelError as error:
        said = str(error)
    report.append({"name": name, "said": said, "connections": len(connections) - before})

for step in json.loads(Path(sys.argv[1]).read_text()):
    preset = load_preset(step["preset"], step["set"])
    if stage := step["stage"]:
        attempt(step["name"], lambda: LOADERS[stage](spec(preset, stage), preset.base, preset.offline))
    else:
        attempt(step["name"], lambda: (check(preset), load(preset)))
print("REPORT", json.dumps(report))
"""


@pytest.fixture
def presets(tmp_path: Path) -> dict[bool, str]:
    """The same tiny models in a preset that is offline and in one that is not."""
    path = write_preset(tmp_path, loop={"reader": "model"})
    save_tiny(tmp_path / "text", max_position_embeddings=2048)
    make_lora(tmp_path / "lora", tmp_path / "sd_tiny_vae")
    save_lora(tmp_path / "text", tmp_path / "adapter")
    data = yaml.safe_load(path.read_text())
    data["text"]["adapter"] = "./adapter"
    data["image"]["loras"] = [{"model": "./lora"}]
    found = {}
    for offline in (True, False):
        made = tmp_path / f"offline-{offline}.yaml"
        made.write_text(yaml.safe_dump(data | {"offline": offline}))
        found[offline] = str(made)
    return found


def run(tmp_path: Path, steps: list[dict[str, Any]], address: str, **more: str) -> list[dict[str, Any]]:
    plan = tmp_path / "steps.json"
    plan.write_text(json.dumps(steps))
    environment = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    environment |= {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(plan)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("REPORT "))
    report: list[dict[str, Any]] = json.loads(line.removeprefix("REPORT "))
    return report


def step(name: str, preset: str, stage: str | None = None, **settings: Any) -> dict[str, Any]:
    place = stage if stage in ("text", "image") else f"judges.{stage}"
    changes = [f"{place}.{key}={json.dumps(value)}" for key, value in settings.items()]
    return {"name": name, "preset": preset, "stage": stage, "set": changes}


def test_one_process_is_offline_and_online_by_turns(
    tmp_path: Path, presets: dict[bool, str], hub: Hub
) -> None:
    address, asked = hub.address, hub.requests

    def stages(offline: bool) -> list[dict[str, Any]]:
        return [step(name, presets[offline], stage, **said) for name, (stage, said) in FETCHED.items()]

    report = run(
        tmp_path,
        [
            step("offline", presets[True]),
            *stages(offline=False),
            step("online", presets[False], "image", model="owner/painter") | {"stage": None},
            *stages(offline=True),
            step("offline again", presets[True]),
            step("offline, missing", presets[True], "image", model="owner/painter") | {"stage": None},
        ],
        address,
    )
    kinds = len(FETCHED)
    offline, online, whole, forbidden = (
        report[0],
        report[1 : kinds + 1],
        report[kinds + 1],
        report[kinds + 2 :],
    )
    assert (offline["said"], offline["connections"]) == ("loaded", 0)
    for said in online:
        assert said["connections"] > 0, said
        assert f"The weights of {said['name']} are not in the local cache" in said["said"]
        assert "the hub has no model of that name" in said["said"]
        assert "offline" not in said["said"]
        assert any(said["name"] in path for path in asked), said["name"]
    assert whole["connections"] > 0
    for said in forbidden:
        assert said["connections"] == 0, said
    for said in forbidden[:kinds]:
        assert f"The weights of {said['name']} are not in the local cache" in said["said"]
        assert "the preset forbids downloads (`offline: true`)" in said["said"]
        assert "HF_HUB_OFFLINE" not in said["said"]
    assert forbidden[kinds]["said"] == "loaded"
    assert "set `offline: false` in it" in forbidden[kinds + 1]["said"]


def test_a_users_own_switch_is_obeyed_and_named(tmp_path: Path, presets: dict[bool, str], hub: Hub) -> None:
    address, asked = hub.address, hub.requests
    steps = [
        step("online", presets[False], "image", model="owner/painter") | {"stage": None},
        step("offline", presets[True], "image", model="owner/painter") | {"stage": None},
    ]
    online, both = run(tmp_path, steps, address, HF_HUB_OFFLINE="1")
    assert (online["connections"], both["connections"], asked) == (0, 0, [])
    assert "the environment forbids downloads (HF_HUB_OFFLINE); unset HF_HUB_OFFLINE" in online["said"]
    assert "offline: false" not in online["said"]
    assert "set `offline: false` in it and unset HF_HUB_OFFLINE" in both["said"]
