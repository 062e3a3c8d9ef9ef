"""Downloads what a plan names, by the hub library: several files at once, each complete or not there at all."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.hub.cache import find
from models.hub.faults import explained, forbidden
from models.hub.need import Need
from models.hub.plan import File, Item, look_up
from models.locate import content_revision
from models.protocols import WeightsMissing

OnBytes = Callable[[int], None]


class Cancelled(Exception):
    """The download was cancelled. Files that were complete are kept."""


def download(
    item: Item, on_bytes: OnBytes | None = None, cancelled: Callable[[], bool] = lambda: False
) -> Path:
    """Download the files of an item that are not here, and compare their hashes; returns their folder. `on_bytes` gets
    the number of bytes that arrived, from several threads; negative where a file begins anew. Without it, the hub
    library prints progress bars.

    Raises WeightsMissing, which says what to do, and Cancelled."""
    from huggingface_hub import snapshot_download

    patterns = [glob.escape(file.name) for file in item.files]
    try:
        with explained(item.need):
            folder = Path(
                snapshot_download(
                    item.hub_id,
                    revision=item.need.revision or "main",
                    allow_patterns=patterns,
                    tqdm_class=_counter(on_bytes, cancelled) if on_bytes else None,
                )
            )
    except WeightsMissing:
        if cancelled():  # whatever else broke, such as a connection that was already slow
            raise Cancelled from None
        raise
    for file in item.to_get:
        _compare(folder / file.name, file, item.need)
    return folder


def snapshot(need: Need, offline: bool) -> tuple[Path, str]:
    """The folder with the files of a need, and its revision: the commit for a hub model, a content hash for a folder.

    What is in the cache is used without asking the network, also where the preset names no revision: `easel pull` gets
    a newer one. What is not is downloaded. Raises WeightsMissing where that cannot be, or where `offline` or the user
    forbids it."""
    found = find(need)
    if isinstance(need.location, Path):
        return need.location, content_revision(need.location)
    if found.complete:
        folder = found.require()
    elif error := forbidden(need, offline):
        raise error
    else:
        folder = download(look_up(need))
    return folder, folder.name  # snapshots/<commit>


def _counter(on_bytes: OnBytes, cancelled: Callable[[], bool]) -> type[Any]:
    """A class of silent progress bars for the hub library, which calls `update` in the thread that downloads."""
    from tqdm import tqdm

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # One bar counts files, one the bytes written to disk, one those that the network gave.
            self._counts = kwargs.get("unit") == "B" and not str(kwargs.get("desc")).startswith("Downloading")
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if cancelled():
                _end_xet()
                raise Cancelled
            if self._counts and n:
                on_bytes(int(n))
            return None

    return Counter


def _end_xet() -> None:
    """End the downloads of the hub's storage library, which runs in threads of its own."""
    try:
        from huggingface_hub.utils._xet import abort_xet_session
    except ImportError:
        return
    abort_xet_session()  # type: ignore[no-untyped-call]


def _compare(path: Path, file: File, need: Need) -> None:
    """Raise WeightsMissing, and remove the file, where its content has another hash than the hub says."""
    if not file.digest:
        return
    digest: Any = hashlib.sha256()
    if len(file.digest) == 40:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != file.digest:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise WeightsMissing(
            f"{file.name} of {need.name} arrived with other bytes than the hub names, so it was removed; run the "
            "command again, and if that does not help, try without a proxy or mirror",
            ". The download is: ",
            need.command,
        )
