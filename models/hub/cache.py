"""What is on this machine, without asking the network: the folder of a need, and which of its files are there."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from models.hub.need import Need
from models.protocols import NotCached, WeightsMissing


@dataclass(frozen=True)
class Found:
    """A need as it is on this machine. `missing`: names of needed files that are not there."""

    need: Need
    folder: Path | None  # None where nothing of it is there
    files: tuple[str, ...]  # needed and there, relative to the folder
    missing: tuple[str, ...]
    left: int | None = None  # bytes of the missing files, where a list of the repository's files is here

    @property
    def complete(self) -> bool:
        return self.folder is not None and not self.missing

    @property
    def paths(self) -> list[Path]:
        return [self.folder / name for name in self.files] if self.folder else []

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def require(self) -> Path:
        """The folder, where the files are all there. Raises NotCached or WeightsMissing where they are not."""
        need, folder = self.need, self.folder
        if folder is not None and not self.missing:
            return folder
        if isinstance(need.location, Path):
            lacks = need.weights if self.missing == (need.weights,) else ", ".join(self.missing[:3])
            raise WeightsMissing(
                f"{need.location} holds no {lacks}; restore the folder or correct the preset"
            )
        if not self.files:
            raise NotCached(need.name, need.command)
        count = len(self.missing) + len(self.files)
        raise NotCached(
            need.name,
            need.command,
            f"is only partly in the local cache: {len(self.missing)} of {count} files are missing, such as "
            f"{self.missing[0]}",
        )


def find(need: Need) -> Found:
    """What is there of a need."""
    sizes: dict[str, int] = {}
    if isinstance(need.location, Path):
        folder: Path | None = need.location
    else:
        folder = snapshot_folder(need.location, need.revision)
        sizes = _listing(need.location, folder) if folder else {}
    if folder is None or not folder.is_dir():
        return Found(need, None, (), (need.weights or "*",))
    there = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
    chosen = list(need.choose(sorted(sizes or there)))
    files = tuple(name for name in chosen if name in there and there[name] == sizes.get(name, there[name]))
    missing = [name for name in chosen if name not in files]
    if not sizes:  # without the list of all files, the indexes of weights in parts name some of them
        missing += [name for name in _parts(folder, chosen) if name not in there]
    if need.weights and not need.weight_files(files) and not need.weight_files(missing):
        missing.append(need.weights)
    left = sum(sizes.get(name, 0) for name in missing) if sizes else None
    return Found(need, folder, files, tuple(dict.fromkeys(missing)), left)


def read_cached(need: Need, name: str) -> str | None:
    """A small file of a need, where it is on this machine."""
    folder = (
        need.location if isinstance(need.location, Path) else snapshot_folder(need.location, need.revision)
    )
    try:
        return (folder / name).read_text(encoding="utf-8") if folder else None
    except (OSError, UnicodeDecodeError):
        return None


def cache_folder() -> Path:
    """The folder in which the hub library keeps what it downloads."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def free_disk() -> int:
    """Bytes that are free where the hub library keeps what it downloads."""
    folder = cache_folder()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def snapshot_folder(hub_id: str, revision: str | None) -> Path | None:
    """The folder of a hub model at a revision in the cache; None where the cache does not know the revision."""
    here = cache_folder() / f"models--{hub_id.replace('/', '--')}"
    commit = revision or "main"
    if not re.fullmatch("[0-9a-f]{40}", commit):
        try:
            commit = (here / "refs" / commit).read_text().strip()
        except OSError:
            return None
    return here / "snapshots" / commit


def _listing(hub_id: str, folder: Path) -> dict[str, int]:
    """The sizes of all files of a repository, where a download left a list of them."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return {file.path: file.size for file in get_cached_repo_tree(hub_id, revision=folder.name)}
    except (CachedRepoTreeNotFoundError, OSError, ValueError):
        return {}


def _parts(folder: Path, names: list[str]) -> list[str]:
    """The files that the indexes among `names` divide weights into."""
    found: dict[str, None] = {}
    for name in names:
        if name.endswith(".safetensors.index.json") and (folder / name).is_file():
            try:
                index = json.loads((folder / name).read_text(encoding="utf-8"))
                parts = set(index["weight_map"].values())
            except (OSError, ValueError, KeyError, AttributeError):
                continue
            parent = name.rpartition("/")[0]
            found |= dict.fromkeys(f"{parent}/{part}".lstrip("/") for part in sorted(parts))
    return list(found)
