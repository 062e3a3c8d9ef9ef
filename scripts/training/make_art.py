"""Collect the bundled art: SVG bodies of two open emoji sets, with the square around their visible pixels.

    npm install --prefix NODE @iconify-json/fluent-emoji-flat @iconify-json/noto
    python -m scripts.training.make_art NODE/node_modules/@iconify-json

Writes models/mini/dataset/sprites/{flat,cartoon}.json. Needed only when the vocabulary changes.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from models.mini.dataset.vocabulary import OBJECTS

SETS = {"flat": "fluent-emoji-flat", "cartoon": "noto"}
PROBE = 512  # pixels of the rendering that is measured


def ink_box(body: str, size: float) -> tuple[float, float, float]:
    """The smallest square (x, y, side), in the icon's units, that holds every visible pixel."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">{body}</svg>'
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=PROBE, height=PROBE))
    alpha = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3]
    rows, columns = np.where(alpha.max(1) > 8)[0], np.where(alpha.max(0) > 8)[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    unit = size / PROBE
    return round(x * unit, 3), round(y * unit, 3), round(side * unit, 3)


def main(folder: Path) -> None:
    """Write one JSON file per style. `folder`: node_modules/@iconify-json."""
    out = Path(__file__).parents[2] / "models/mini/dataset/sprites"
    out.mkdir(parents=True, exist_ok=True)
    for style, package in SETS.items():
        icons = json.loads((folder / package / "icons.json").read_text())
        version = json.loads((folder / package / "package.json").read_text())["version"]
        art = {}
        for thing in OBJECTS:
            icon = icons["aliases"].get(thing.icon, {}).get("parent", thing.icon)
            body = icons["icons"][icon]["body"]
            art[thing.name] = {"box": ink_box(body, icons["height"]), "body": body}
        record = {"package": f"@iconify-json/{package}", "version": version, "art": art}
        (out / f"{style}.json").write_text(json.dumps(record, indent=0) + "\n")
        print(f"{style}: {len(art)} objects from {package} {version}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
