"""Images as files named by their content: the same picture is kept once, and a damaged file is noticed."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from pipeline.files import sweep, write
from pipeline.pixels import fingerprint

FOLDER = "easel.pictures"  # with a dot, so that no run folder has this name


class Pictures:
    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER

    def path(self, name: str) -> Path:
        """Where the picture of a fingerprint is, or would be."""
        return self.folder / name[:2] / f"{name}.png"

    def keep(self, image: Image.Image) -> str:
        """Keep a picture; returns its fingerprint. Raises OutputError where the disk refuses."""
        name = fingerprint(image)
        path = self.path(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=1)
            write(path, buffer.getvalue())
        return name

    def sweep(self) -> None:
        """Remove files that were never finished."""
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
