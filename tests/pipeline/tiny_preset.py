"""A preset on tiny random checkpoints: the whole loop in well under a second, with real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE
from tests.models.scorer.tiny_scorer import make_clip, make_siglip


def write_preset(
    folder: Path,
    image: str = "sd_tiny_vae",
    scorer: str = "siglip",
    settings: dict[str, Any] | None = None,
    range: str | None = None,
    **sections: dict[str, Any],
) -> Path:
    """A preset file in `folder` beside the checkpoints it names; `sections` update image, judges, judge and loop.

    The default painter is the one whose random weights give smooth pictures, not noise: noise never passes.
    """
    painter = folder / image
    if not painter.exists():
        MAKERS[image](painter)
    judge = folder / scorer
    if not judge.exists():
        {"siglip": make_siglip, "clip": make_clip}[scorer](judge)
    data: dict[str, Any] = {
        "about": "tiny random checkpoints",
        "text": {"kind": "transformers", "model": "./text"},
        "image": {
            "kind": "diffusers", "model": f"./{image}", "device": "cpu", "dtype": "float32",
            "width": SIZE, "height": SIZE, "steps": 2, "guidance": 3.0, **NEEDS.get(image, {}),
        },
        "judges": {
            "scorer": {"kind": "open_clip", "model": f"./{scorer}", "device": "cpu", "dtype": "float32"}
        },
        "judge": {},
        # Tests of edits turn them on.
        "loop": {"images": 3, "reader": "rules", "writer": "template", "edit": False},
    }  # fmt: skip
    if range is not None:
        data["range"] = range
    for section, values in sections.items():
        data[section] = {**data.get(section, {}), **values}
    data["image"] |= settings or {}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False))
    return path
