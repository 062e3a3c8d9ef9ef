"""Small pictures inside a page that stands alone."""

from __future__ import annotations

import base64
import io

from PIL import Image

from pipeline.store import Store

SIDE = 240  # pixels, at most


def thumbnail(store: Store, name: str) -> str | None:
    """A picture of the store at most SIDE pixels wide and high, as a data URL; None if its file is missing."""
    image = store.pictures.get(name)
    if image is None:
        return None
    return as_url(image)


def as_url(image: Image.Image) -> str:
    """The picture at most SIDE pixels wide and high, as a data URL."""
    image = image.convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
