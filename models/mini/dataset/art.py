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


def recoloured(rgb: Floats, alpha: Floats, shade: Floats, colour: Floats, light: Floats) -> Floats:
    """Replace the colour and keep the shading: brightness is mapped from `shade` over `colour` to `light`. RGB in [0,
    1], shapes (px, px, 3) and, of the three colours, (3,)."""
    luma = rgb @ _LUMA
    ink = luma[alpha > 0.5]
    low, high = np.percentile(ink, (2, 98)) if ink.size else (0.0, 1.0)
    level = (
        np.clip((luma - low) / max(high - low, 1e-3), 0, 1)[..., None]
        if high - low > 0.08
        else np.full_like(luma, 0.6)[..., None]
    )
    dark, bright = level / 0.6, (level - 0.6) / 0.4
    out: Floats = np.where(level < 0.6, shade + (colour - shade) * dark, colour + (light - colour) * bright)
    return out.astype(np.float32)


def _recolour(rgb: Floats, alpha: Floats, tint: str) -> Floats:
    colour: Floats = np.array(COLOURS[tint], np.float32) / np.float32(255)
    shade, light = colour * np.float32(0.4), colour + (1 - colour) * np.float32(0.45)
    if tint == "black":
        light = np.full(3, 0.33, np.float32)
    elif tint == "white":
        shade = np.full(3, 0.66, np.float32)
    return recoloured(rgb, alpha, shade, colour, light)


@lru_cache(maxsize=20_000)
def sprite(name: str, style: str, tint: str | None, px: int) -> Floats:
    """Premultiplied RGBA in [0, 1], shape (px, px, 4)."""
    straight = raster(name, style, px)
    rgb, alpha = straight[..., :3], straight[..., 3]
    if tint is not None:
        rgb = _recolour(rgb, alpha, tint)
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
