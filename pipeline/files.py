"""Files that appear whole or not at all, and names that are safe to give them."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import psutil

from pipeline.errors import OutputError

PART = ".part"


def slug(text: str) -> str:
    """A folder name from words: "Three croissants!" → "three-croissants"."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:60].strip("-") or "brief"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OutputError when the disk refuses."""
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
        raise OutputError(
            f"cannot write {path} ({error.strerror}); what was accepted before is kept"
        ) from None


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while it wrote a file left beside it."""
    for part in folder.glob(f".*{PART}"):
        owner = part.name.removesuffix(PART).rpartition(".")[2]
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            part.unlink(missing_ok=True)
