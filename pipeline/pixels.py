"""Checks that need no model, only pixels: size, palette, contrast, and whether the image shows anything at all."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.palette import COLOURS, nearest
from pipeline.size import parse

_PROBE = 96  # side in pixels of the reduced image that colour statistics are computed on


def _small(image: Image) -> NDArray[np.float32]:
    """The image reduced to (96, 96, 3), values 0 to 255."""
    return np.asarray(image.convert("RGB").resize((_PROBE, _PROBE)), np.float32)


def flat(image: Image) -> bool:
    """Whether the image is one flat colour, as a broken model may paint it."""
    pixels = _small(image)
    return not np.isfinite(pixels).all() or bool(pixels.std(axis=(0, 1)).max() < 2.0)


def blank(image: Image) -> str | None:
    """Why the image shows nothing: one flat colour, or noise. None if it may show something."""
    if flat(image):
        return "the image is one flat colour"
    full = np.asarray(image.convert("L"), np.float32)
    steps = np.abs(np.diff(full, axis=1)).mean() + np.abs(np.diff(full, axis=0)).mean()
    # In white noise neighbouring pixels differ as much as any two pixels do; in pictures they differ far less.
    if full.std() > 8 and steps > 1.5 * full.std():
        return "the image is noise"
    return None


def shares(image: Image) -> dict[str, float]:
    """For each palette colour, the share of pixels in [0, 1] that are nearest to it."""
    pixels = _small(image).reshape(-1, 3)
    counts = np.bincount(nearest(pixels), minlength=len(COLOURS)) / len(pixels)
    return dict(zip(COLOURS, counts.tolist(), strict=True))


def contrast(image: Image) -> float:
    """RMS contrast: standard deviation of luminance in [0, 1]."""
    return float(np.asarray(image.convert("L"), np.float32).std() / 255)


def meets(image: Image, subject: str, value: str) -> tuple[bool, str] | None:
    """Whether a technical requirement is met, and why in words; None if pixels cannot decide it."""
    value = value.lower().strip()
    if subject == "size":
        size = parse(value)
        reason = f"the image is {image.width} × {image.height} pixels"
        return (size.fits(*image.size), reason) if size else None
    if subject == "palette" and value in COLOURS:
        share = shares(image)
        main = max(share, key=lambda name: share[name])
        return main == value, f"{main} covers most of it ({share[main]:.0%}), {value} {share[value]:.0%}"
    if subject == "contrast" and value in ("high", "low"):
        rms = contrast(image)
        return (rms >= 0.2) if value == "high" else (rms <= 0.15), f"RMS contrast is {rms:.2f}"
    return None


def fingerprint(image: Image) -> str:
    """SHA-256, in hexadecimal, of the image's mode, size and pixels."""
    digest = hashlib.sha256(f"{image.mode}:{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()
