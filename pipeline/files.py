"""Write files atomically, and make safe names for them."""

from __future__ import annotations

import os
import re
import secrets
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


def write(path: Path, data: bytes, lasting: bool = False, mode: int = 0o666) -> None:
    """Write a file atomically: it appears complete or not at all. With `lasting` it is on the disk afterwards, also
    after a power failure. `mode`: without the bits of the umask. Raises OutputError if it cannot be written."""
    temporary = path.with_name(f".{secrets.token_hex(6)}.{os.getpid()}{PART}")
    try:
        try:
            with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
                file.write(data)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if lasting:
            sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); files written before are kept") from None


def link(path: Path, to: Path) -> None:
    """Give the file `to` another name, atomically: both names are one file on the disk, or `path` is a copy where the
    disk has no such links. Raises OutputError."""
    temporary = path.with_name(f".{secrets.token_hex(6)}.{os.getpid()}{PART}")
    try:
        os.link(to, temporary)
    except OSError:
        write(path, to.read_bytes())
        return
    try:
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); files written before are kept") from None
    finally:
        temporary.unlink(missing_ok=True)  # it stays where both names were one file before


def sync_folder(folder: Path) -> None:
    """Write a folder's list of names to the disk. Does nothing on systems that cannot open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


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
