"""Files that appear whole or not at all, and names that are safe to give them."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from pipeline.errors import OutputError


def slug(text: str) -> str:
    """A folder name from words: "Three croissants!" → "three-croissants"."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:60].strip("-") or "brief"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OutputError when the disk refuses."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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
