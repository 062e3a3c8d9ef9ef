"""What a download will take, asked of the hub before it begins: repositories, revisions, licences, sizes, free disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.hub.cache import cache_folder, find, free_disk, read_cached
from models.hub.faults import downloads_off, explained, forbidden
from models.hub.need import Need, Read


@dataclass(frozen=True)
class File:
    """A file of a repository. `digest`: its SHA-256, or as git computes it for a file that git itself stores."""

    name: str
    size: int
    digest: str
    here: bool


@dataclass(frozen=True)
class Item:
    """The files that are needed of one repository. `uses`: what for, such as "image: LoRA"."""

    need: Need
    commit: str
    licence: str  # empty where the owner names none
    gated: bool
    files: tuple[File, ...]
    uses: tuple[str, ...]

    @property
    def hub_id(self) -> str:
        return self.need.name

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def to_get(self) -> tuple[File, ...]:
        return tuple(file for file in self.files if not file.here)

    @property
    def left(self) -> int:
        """Bytes that are not here."""
        return sum(file.size for file in self.to_get)


@dataclass(frozen=True)
class Plan:
    """`folder`: where the files go; `free`: bytes that are free there."""

    items: tuple[Item, ...]
    folder: Path
    free: int

    @property
    def left(self) -> int:
        return sum(item.left for item in self.items)

    @property
    def fits(self) -> bool:
        return self.left <= self.free


def make_plan(needs: Sequence[tuple[str, Need]]) -> Plan:
    """The plan for needs, each with its use. Local folders are left out; needs of one repository become one item.
    Raises WeightsMissing, which says what to do, where the hub does not tell."""
    items: dict[tuple[str, str | None], Item] = {}
    for use, need in needs:
        if isinstance(need.location, Path):
            continue
        item = look_up(need, use)
        key = (item.hub_id, need.revision)
        if key in items:
            known = items[key]
            files = {file.name: file for file in (*known.files, *item.files)}
            uses = tuple(dict.fromkeys((*known.uses, use)))
            item = replace(known, files=tuple(files.values()), uses=uses)
        items[key] = item
    return Plan(tuple(items.values()), cache_folder(), free_disk())


def look_up(need: Need, use: str = "") -> Item:
    """The item of a need of the hub. Raises WeightsMissing where the hub does not tell."""
    if error := forbidden(need, offline=False):
        raise error
    from huggingface_hub import HfApi

    with explained(need):
        about = HfApi().model_info(need.name, revision=need.revision, files_metadata=True, timeout=30)
    there = {file.rfilename: file for file in about.siblings or ()}
    commit = str(about.sha)
    here = set(find(replace(need, revision=commit)).files)
    files = []
    for name in need.choose(sorted(there)):
        file = there.get(name)
        digest = str((file.lfs.sha256 if file.lfs else file.blob_id) or "") if file else ""
        files.append(File(name, int(file.size or 0) if file else 0, digest, name in here))
    card = about.card_data
    licence = getattr(card, "license_name", None) or getattr(card, "license", None) or ""
    return Item(need, commit, str(licence), bool(about.gated), tuple(files), (use,))


def read_online(need: Need, name: str) -> str | None:
    """A small file of a need, downloaded if it is not here; None where the repository lacks it. Raises WeightsMissing
    where the hub does not give it."""
    if (content := read_cached(need, name)) is not None or isinstance(need.location, Path):
        return content
    if error := forbidden(need, offline=False):
        raise error
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with explained(need):
        try:
            return Path(hf_hub_download(need.name, name, revision=need.revision)).read_text(encoding="utf-8")
        except RemoteEntryNotFoundError:
            return None


def reader(offline: bool) -> Read:
    """What reads small files while a model loads: from the network too, unless that is forbidden."""
    return read_cached if downloads_off(offline) else read_online
