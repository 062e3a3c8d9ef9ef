"""The bundled drawings at any size, in their own or another colour.

They are SVG (models/mini/dataset/sprites/*.json, see NOTICE), so labels are exact at every resolution.
"""

from __future__ import annotations

import io
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.palette import COLOURS, PALETTE, Floats

_FOLDER = Path(__file__).parent / "sprites"
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_PROBE = 48  # pixels of a side at which colours are measured
_MARGIN = 0.05  # empty margin around a drawing, as a share of its side, so that neighbours never touch


@cache
def _set(style: str) -> dict[str, dict[str, Any]]:
    art: dict[str, dict[str, Any]] = json.loads((_FOLDER / f"{style}.json").read_text())["art"]
    return art


@lru_cache(maxsize=4096)
def raster(name: str, style: str, px: int) -> Floats:
    """Straight-alpha RGBA in [0, 1], shape (px, px, 4)."""
    import resvg_py

    entry = _set(style)[name]
    left, top, side = entry["box"]
    air, width = side * _MARGIN, side * (1 + 2 * _MARGIN)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left - air} {top - air} {width} {width}">'
    png = bytes(resvg_py.svg_to_bytes(svg_string=f"{head}{entry['body']}</svg>", width=px, height=px))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(np.float32) / np.float32(255)


def recoloured(rgb: Floats, alpha: Floats, colour: Floats) -> Floats:
    """Replace the colour and keep the shading: the median brightness of the drawing becomes `colour`, darker parts a
    shade of it, lighter parts a tint. RGB in [0, 1]; shapes (px, px, 3), (px, px) and (3,)."""
    luma = rgb @ _LUMA
    ink = luma[alpha > 0.5]
    middle = float(np.clip(np.median(ink), 0.05, 0.95)) if ink.size else 0.5
    darkest = 0.3 + 0.35 * float(colour.min())  # white keeps more of its light than red
    shade = (darkest + (1 - darkest) * np.minimum(luma / middle, 1))[..., None]
    # Black has no darker shades, so its lighter ones must tell the parts of a drawing apart.
    lift = 0.55 if float(colour.max()) > 0.2 else 0.3
    light = (np.clip((luma - middle) / (1 - middle), 0, 1) * lift)[..., None]
    made: Floats = (colour * shade + (1 - colour) * light).astype(np.float32)
    return made


@lru_cache(maxsize=20_000)
def sprite(name: str, style: str, tint: str | None, px: int) -> Floats:
    """Premultiplied RGBA in [0, 1], shape (px, px, 4)."""
    straight = raster(name, style, px)
    rgb, alpha = straight[..., :3], straight[..., 3]
    if tint is not None:
        rgb = recoloured(rgb, alpha, np.array(COLOURS[tint], np.float32) / np.float32(255))
    return np.concatenate([rgb * alpha[..., None], alpha[..., None]], -1)


def _distance(name: str, style: str, tint: str | None) -> Floats:
    """RGB distance (0 to 255 scale) of every opaque pixel from every palette colour, shape (pixels, colours)."""
    art = sprite(name, style, tint, _PROBE)
    ink = art[art[..., 3] > 0.9]
    rgb = ink[:, :3] / ink[:, 3:] * 255
    distance: Floats = np.linalg.norm(rgb[:, None] - PALETTE, axis=-1)
    return distance


@cache
def natural_colours(name: str, style: str) -> frozenset[str]:
    """Palette colours that a person might name for the drawing: those nearest to at least 12 % of its pixels."""
    nearest = _distance(name, style, None).argmin(1)
    share = np.bincount(nearest, minlength=len(COLOURS)) / len(nearest)
    return frozenset(colour for colour, part in zip(COLOURS, share, strict=True) if part >= 0.12)


@cache
def _near(name: str, style: str, tint: str | None) -> dict[str, float]:
    """The share of the drawing's pixels that are close to each palette colour."""
    shares = (_distance(name, style, tint) < 70).mean(0)
    return dict(zip(COLOURS, shares.tolist(), strict=True))


def readable_on(name: str, style: str, tint: str | None, background: str) -> bool:
    """Whether less than 45 % of the drawing's pixels are close to the background's colour."""
    return tint != background and _near(name, style, tint)[background] < 0.45
