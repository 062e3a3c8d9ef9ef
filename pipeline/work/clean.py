"""Free room in an output folder: kept results past their time, pictures that nothing names, files left behind.

Run folders are not touched, nor any picture that a run shows. A review names a candidate of a run, so the pictures
that people decided on are among these. It is safe while a worker runs: see `Pictures.remove`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.brief import Record
from pipeline.errors import BriefError, StoreError
from pipeline.files import leftovers
from pipeline.store import Store
from pipeline.store.jobs import OPEN
from pipeline.work.worker import PREVIEWS

GRACE = timedelta(hours=1)  # files younger than this are left alone: a row may be about to name them
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Freed(Record):
    """Files or rows of one kind, and their bytes."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(count=self.count + other.count, bytes=self.bytes + other.bytes)


class Cleaned(Record):
    """What `clean` freed, or would free. The database reuses the room of its rows; its file does not shrink."""

    results: Freed  # kept results
    pictures: Freed
    leftovers: Freed  # unfinished files of processes that ended
    previews: Freed  # of jobs that ended
    removed: bool  # else only counted

    @property
    def total(self) -> Freed:
        return self.results + self.pictures + self.leftovers + self.previews


def age(text: str) -> timedelta:
    """ "12h", "30d" or "6w" → how long. Raises BriefError."""
    found = re.fullmatch(r"(\d{1,5})([hdw])", text.strip().lower())
    if not found:
        raise BriefError(f"{text!r} is no age; write a number of hours, days or weeks: 12h, 30d, 6w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def clean(store: Store, older_than: timedelta, remove: bool, now: datetime | None = None) -> Cleaned:
    """Count what can be freed, and with `remove` free it. Kept results older than `older_than` go, then the pictures
    that no candidate and none of the other results names. Raises StoreError where the folder has runs of another
    store, whose pictures this one does not know."""
    _check_that_the_store_knows_the_folder(store)
    now = now or datetime.now(UTC)
    before, settled = now - older_than, (now - GRACE).timestamp()
    count, size = store.results.older(before)
    if remove:
        count = store.results.forget(before)
    return Cleaned(
        results=Freed(count=count, bytes=size),
        pictures=_pictures(store, before, settled, remove),
        leftovers=_files(_leftovers(store), settled, remove),
        previews=_files(_previews(store), settled, remove),
        removed=remove,
    )


def _check_that_the_store_knows_the_folder(store: Store) -> None:
    known = store.runs.folders()
    strange = sorted(
        path.parent.name for path in store.out.glob("*/run.json") if path.parent.name not in known
    )
    if strange:
        raise StoreError(
            f"{store.out / strange[0]} is not a run of this store ({len(strange)} such folders): name the store that "
            "its pictures belong to with --store, or move the folder away"
        )


def _pictures(store: Store, before: datetime, settled: float, remove: bool) -> Freed:
    freed = Freed()
    for files in store.pictures.files():
        names = [path.stem for path in files]
        named = store.runs.naming(names) | store.results.naming(names, before)
        for path in files:
            one = None if path.stem in named else _size(path, settled)
            if one and (not remove or store.pictures.remove(path, settled)):
                freed += one
    return freed


def _files(paths: Iterator[Path], settled: float, remove: bool) -> Freed:
    freed = Freed()
    for path in paths:
        if one := _size(path, settled):
            freed += one
            if remove:
                path.unlink(missing_ok=True)
    return freed


def _size(path: Path, settled: float) -> Freed | None:
    """What a file takes; None where it is too young, or gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Freed(count=1, bytes=found.st_size) if found.st_mtime < settled else None


def _leftovers(store: Store) -> Iterator[Path]:
    for folder in (store.out, store.out / PREVIEWS, *store.pictures.folder.glob("*")):
        yield from leftovers(folder)


def _previews(store: Store) -> Iterator[Path]:
    files = sorted((store.out / PREVIEWS).glob("*.png"))
    states = store.jobs.states([path.stem for path in files])
    return (path for path in files if states.get(path.stem) not in OPEN)
