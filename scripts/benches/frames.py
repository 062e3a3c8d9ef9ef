"""How far a call travels: frames of Easel between the loop and a backend, and modules between `play` and a PNG.

    python -m scripts.benches.frames

One brief goes through the bundled preset. Where the image model is asked, and where a PNG is encoded, the stack is
read; frames of libraries are left out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from PIL import Image

import models.load
from models.protocols import ImageModel, OnStep, Paint, Painted
from pipeline.brief import Brief
from pipeline.config import load_preset
from pipeline.store import Store
from pipeline.work.play import play
from pipeline.work.row import Row

ROOT = Path(__file__).parents[2]


def ours(frame: FrameType | None) -> list[tuple[str, str]]:
    """Module and function of each of our frames from this one outwards, the outermost first."""
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.append((module, frame.f_code.co_name))
        frame = frame.f_back
    return found[::-1]


class Watched:
    """An image model that notes the stack of each call."""

    def __init__(self, model: ImageModel, stacks: list[list[tuple[str, str]]]) -> None:
        self._model, self._stacks, self.identity = model, stacks, model.identity

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        self._stacks.append(ours(sys._getframe().f_back))
        return self._model.paint(requests, on_step)


def main() -> None:
    at_backend: list[list[tuple[str, str]]] = []
    at_png: list[list[tuple[str, str]]] = []
    load_image, save = models.load.load_image, Image.Image.save

    def watched_load(*arguments: Any, **more: Any) -> Watched:
        return Watched(load_image(*arguments, **more), at_backend)

    def watched_save(*arguments: Any, **more: Any) -> None:
        at_png.append(ours(sys._getframe().f_back))
        save(*arguments, **more)

    with (
        tempfile.TemporaryDirectory() as out,
        patch.object(models.load, "load_image", watched_load),
        patch.object(Image.Image, "save", watched_save),
    ):
        row = Row(1, Brief(text="a red apple on a white background, flat style"), load_preset("mini"))
        list(play([row], Store(Path(out))))
    stack = at_backend[0]
    loop = max(i for i, (module, _) in enumerate(stack) if module == "pipeline.loop")
    between = stack[loop + 1 :]
    backend = "models.image.diffusers_image"
    print(f"{len(between)} frames between loop and backend:")
    for module, function in between:
        print(f"    {module}.{function}")
    start = next(i for i, (module, _) in enumerate(stack) if module == "pipeline.work.play")
    png = next(s for s in at_png if any(module == "pipeline.results.run_folder" for module, _ in s))
    first = next(i for i, (module, _) in enumerate(png) if module == "pipeline.work.play")
    modules = dict.fromkeys([m for m, _ in stack[start:]] + [backend] + [m for m, _ in png[first:]])
    print(f"{len(modules)} modules from play to a PNG: {', '.join(modules)}")


if __name__ == "__main__":
    main()
