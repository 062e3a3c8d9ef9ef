"""Checks by pixels: what needs no model. Size, palette, contrast, and whether there is a picture at all."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.palette import COLOURS, nearest
from pipeline.size import parse

_PROBE = 96  # pixels; colour statistics need no more


def _small(image: Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("RGB").resize((_PROBE, _PROBE)), np.float32)


def flat(image: Image) -> bool:
    """Whether the image is one flat colour, as a broken model paints it."""
    pixels = _small(image)
    return not np.isfinite(pixels).all() or bool(pixels.std(axis=(0, 1)).max() < 2.0)


def blank(image: Image) -> str | None:
    """Why the image shows nothing (one flat colour, or noise); None if it may show something."""
    if flat(image):
        return "the image is one flat colour"
    full = np.asarray(image.convert("L"), np.float32)
    steps = np.abs(np.diff(full, axis=1)).mean() + np.abs(np.diff(full, axis=0)).mean()
    # White noise differs from its neighbour about as much as from any pixel; pictures differ far less.
    if full.std() > 8 and steps > 1.5 * full.std():
        return "the image is noise"
    return None


def shares(image: Image) -> dict[str, float]:
    """Share of the image nearest to each palette colour."""
    pixels = _small(image).reshape(-1, 3)
    counts = np.bincount(nearest(pixels), minlength=len(COLOURS)) / len(pixels)
    return dict(zip(COLOURS, counts.tolist(), strict=True))


def contrast(image: Image) -> float:
    """RMS contrast: standard deviation of luminance in [0, 1]."""
    return float(np.asarray(image.convert("L"), np.float32).std() / 255)


def meets(image: Image, subject: str, value: str) -> tuple[bool, str] | None:
    """Whether a technical want holds, and why in words; None for a want that pixels cannot settle."""
    value = value.lower().strip()
    if subject == "size":
        size = parse(value)
        told = f"the image is {image.width} × {image.height} pixels"
        return (size.fits(*image.size), told) if size else None
    if subject == "palette" and value in COLOURS:
        share = shares(image)
        first = max(share, key=lambda name: share[name])
        return first == value, f"{first} covers most of it ({share[first]:.0%}), {value} {share[value]:.0%}"
    if subject == "contrast" and value in ("high", "low"):
        found = contrast(image)
        return (found >= 0.2) if value == "high" else (found <= 0.15), f"RMS contrast is {found:.2f}"
    return None


def fingerprint(image: Image) -> str:
    """SHA-256 over mode, size and pixels."""
    digest = hashlib.sha256(f"{image.mode}:{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()
