"""Write files atomically, and make safe names for them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from pipeline.errors import OutputError

PART = ".part"


def slug(text: str) -> str:
    """A name for a folder, made from text: "Three croissants!" → "three-croissants"."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:60].strip("-") or "brief"


def write(path: Path, data: bytes) -> None:
    """Write a file atomically: it appears complete or not at all. Raises OutputError if it cannot be written."""
    try:
        handle, temporary = tempfile.mkstemp(f".{os.getpid()}{PART}", f".{path.name}.", path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); files written before are kept") from None


def leftovers(folder: Path) -> Iterator[Path]:
    """Temporary files of `write` in a folder whose process no longer runs."""
    for part in folder.glob(f".*{PART}"):
        owner = part.name.removesuffix(PART).rpartition(".")[2]
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            yield part


def sweep(folder: Path) -> None:
    """Remove the leftovers in a folder."""
    for part in leftovers(folder):
        part.unlink(missing_ok=True)
