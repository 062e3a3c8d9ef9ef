"""Write files atomically, and make safe names for them."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import psutil

from pipeline.errors import OutputError

PART = ".part"
_LONGEST, _MOST_BYTES = 60, 180


def slug(text: str) -> str:
    """A name for a folder, made from text in any script: "Three crème brûlées!" → "three-creme-brulees", "三只猫" →
    "三只猫". Text of signs only is named by them: "🐼" → "panda-face"."""
    words = _words(text) or _words(
        " ".join(unicodedata.name(char, "") for char in text[:_LONGEST] if ord(char) > 0x2FFF)
    )
    return _cut("-".join(words)) or "brief"


def _words(text: str) -> list[str]:
    """Runs of letters, marks and digits, in lower case. Latin letters lose their accents."""
    plain = re.sub(r"([a-z])[\u0300-\u036f]+", r"\1", unicodedata.normalize("NFKD", text.lower()))
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in unicodedata.normalize("NFC", plain))
    return "".join(kept).split()


def _cut(name: str) -> str:
    """At most _LONGEST characters and _MOST_BYTES bytes: a file system takes 255 for the name and its endings."""
    return name[:_LONGEST].encode()[:_MOST_BYTES].decode(errors="ignore").strip("-")


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
