"""The size and the number of steps that a model itself takes where a preset names none: from the configs of its parts,
and from the source of its pipeline class, which is not imported for that."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.backend import Own
from models.hub.need import Need, Read
from models.image.pipeline_files import INDEX, NETWORKS

_LARGEST = 4096  # pixels a side that a preset may name


def own_settings(need: Need, read: Read, pipeline: str | None = None) -> dict[str, Own]:
    """`width`, `height` and `steps` of a pipeline's repository, as far as it says them. `pipeline`: the class that the
    preset names instead of the model's."""
    index = _json(read(need, INDEX))
    name = pipeline or str(index.get("_class_name", ""))
    found: dict[str, Own] = {}
    if (size := _size(need, read, index, name)) and 16 <= size[0] <= _LARGEST:
        found["width"] = found["height"] = Own(*size)
    steps = next((n for one in _classes(name) if (n := _default(one, "num_inference_steps"))), None)
    if steps is not None:
        found["steps"] = Own(steps, f"the default of {name}")
    return found


def _size(need: Need, read: Read, index: dict[str, Any], name: str) -> tuple[int, str] | None:
    """Side in pixels, and what says it. As diffusers: the pipeline's own argument in pixels, else latents of the
    network, or as many as the class names."""
    if isinstance(pixels := index.get("default_sample_size"), int):
        return pixels, INDEX
    network = next((folder for folder in NETWORKS if folder in index), None)
    said = _json(read(need, f"{network}/config.json")).get("sample_size") if network else None
    side = max(said) if isinstance(said, list) and said else said
    latent = _latent(index, _json(read(need, "vae/config.json")))
    if isinstance(side, int) and side > 0 and latent:
        return side * latent, f"{network}/config.json" + (" × vae/config.json" if latent > 1 else "")
    for one in _classes(name):
        source = ast.unparse(one)
        if (named := re.search(r"self\.default_sample_size = (\d+)$", source, re.MULTILINE)) and latent:
            return int(named[1]) * latent, f"the default of {name}"
        if pixels := re.search(r"\bheight = height or (\d+)$", source, re.MULTILINE):
            return int(pixels[1]), f"the default of {name}"
    return None


def _latent(index: dict[str, Any], vae: dict[str, Any]) -> int:
    """Pixels a side of one latent: 1 without an autoencoder; 0 where its config is not here or does not say it."""
    if not (isinstance(kind := index.get("vae"), list) and any(kind)):
        return 1
    for key, less in (
        ("block_out_channels", 1),
        ("encoder_block_out_channels", 1),
        ("temperal_downsample", 0),
    ):
        if isinstance(levels := vae.get(key), list):
            return int(2 ** (len(levels) - less))
    return 0


def _classes(name: str) -> Iterator[ast.ClassDef]:
    """The class of a pipeline in diffusers, and then the classes that it is made from."""
    waiting, seen = [name], set[str]()
    while waiting:
        one = waiting.pop(0)
        if one in seen or (found := _class(one)) is None:
            continue
        seen.add(one)
        yield found
        waiting += [base.id for base in found.bases if isinstance(base, ast.Name)]


@cache
def _class(name: str) -> ast.ClassDef | None:
    package = find_spec("diffusers")
    if package is None or not package.submodule_search_locations or not name.isidentifier():
        return None
    head = re.compile(rf"^class {name}\b", re.MULTILINE)
    for file in sorted(Path(package.submodule_search_locations[0], "pipelines").rglob("pipeline_*.py")):
        source = file.read_text(encoding="utf-8")
        if head.search(source):
            parsed = ast.parse(source).body
            return next((one for one in parsed if isinstance(one, ast.ClassDef) and one.name == name), None)
    return None


def _default(pipeline: ast.ClassDef, argument: str) -> int | None:
    """The whole number that an argument of `__call__` has by default."""
    for method in pipeline.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__call__":
            given = method.args
            values = dict(zip(given.args[::-1], given.defaults[::-1], strict=False))
            for taken, value in values.items():
                if taken.arg == argument and isinstance(value, ast.Constant) and isinstance(value.value, int):
                    return value.value
    return None


def _json(text: str | None) -> dict[str, Any]:
    try:
        said = json.loads(text or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
