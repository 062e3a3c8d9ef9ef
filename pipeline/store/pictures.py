"""Images as files named by their content: the same picture is kept once, and a damaged file is noticed.

A picture is on the disk before the row that names it is written. Who removes pictures that no row names must therefore
leave alone those that were kept a short time ago: the time of a file is the last time its picture was kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from pipeline.files import PART, sweep, sync_folder, write
from pipeline.pixels import fingerprint

FOLDER = "easel.pictures"  # with a dot, so that no run folder has this name


class Pictures:
    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER

    def path(self, name: str) -> Path:
        """Where the picture of a fingerprint is, or would be."""
        return self.folder / name[:2] / f"{name}.png"

    def keep(self, image: Image.Image) -> str:
        """Keep a picture; returns its fingerprint. A file of it that is damaged is written again. Raises OutputError
        where the disk refuses."""
        name = fingerprint(image)
        path = self.path(name)
        try:
            os.utime(path)
        except OSError:
            there = False
        else:
            there = self.get(name) is not None
        if not there:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder)
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=1)
            write(path, buffer.getvalue(), lasting=True)
        return name

    def files(self) -> Iterator[list[Path]]:
        """The files of all pictures, a folder at a time."""
        for folder in sorted(self.folder.glob("*")):
            yield sorted(folder.glob("*.png"))

    def remove(self, path: Path, kept_before: float) -> bool:
        """Remove a picture's file unless it was kept at `kept_before` (seconds since 1970) or later. Safe while
        others keep pictures."""
        aside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        # From here on nobody can keep this file, only write it again; it may have been kept just before.
        if aside.stat().st_mtime >= kept_before:
            aside.replace(path)
            return False
        aside.unlink()
        return True

    def sweep(self) -> None:
        """Remove unfinished files of processes that ended."""
        for folder in self.folder.glob("*"):
            sweep(folder)

    def get(self, name: str) -> Image.Image | None:
        """The picture; None where it is gone or no longer the one that was kept."""
        try:
            with Image.open(self.path(name)) as file:
                file.load()
                image = file.copy()
        except (OSError, SyntaxError):
            return None
        image.info.clear()
        return image if fingerprint(image) == name else None
