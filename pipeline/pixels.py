"""Checks that need no model, only pixels: size, palette, contrast, and whether the image shows anything at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFilter
from PIL.Image import Image, fromarray

from models.palette import COLOURS, nearest
from pipeline.size import parse

_PROBE = 96  # side in pixels of the reduced image that colour statistics are computed on
_STANDS_OUT = 60.0  # RGB distance from the ground (0 to 255 scale) at which a pixel stands out


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
    if subject == "palette" and COLOURS.keys() >= (wanted := set(value.split(" and "))):
        return _palette(image, wanted)
    if subject == "contrast" and value in ("high", "low"):
        rms = contrast(image)
        return (rms >= 0.2) if value == "high" else (rms <= 0.15), f"RMS contrast is {rms:.2f}"
    return None


def _palette(image: Image, wanted: set[str]) -> tuple[bool, str]:
    """Whether the wanted colours cover more of the image than any others, and why in words."""
    share = shares(image)
    main = sorted(share, key=lambda name: -share[name])[: len(wanted)]

    def told(names: Iterable[str]) -> str:
        return " and ".join(f"{name} ({share[name]:.0%})" for name in names)

    missing = f", {told(sorted(wanted - set(main)))} less" if wanted - set(main) else ""
    return not missing, f"{told(main)} {'cover' if len(main) > 1 else 'covers'} most of it{missing}"


def fingerprint(image: Image) -> str:
    """SHA-256, in hexadecimal, of the image's mode, size and pixels."""
    digest = hashlib.sha256(f"{image.mode}:{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def left_over(image: Image, boxes: Sequence[tuple[float, float, float, float]]) -> float:
    """The share of a picture that stands out from the ground and lies in no box, thin lines and specks left out.

    `boxes`: left, top, right, bottom as shares of the sides. The ground is the median of the border; a soft change of
    its tone does not stand out."""
    pixels = _small(image)
    border = np.concatenate(
        [pixels[:4], pixels[-4:], pixels[:, :4].swapaxes(0, 1), pixels[:, -4:].swapaxes(0, 1)]
    )
    ground = np.median(border.reshape(-1, 3), axis=0)
    stands_out = np.linalg.norm(pixels - ground, axis=-1) > _STANDS_OUT
    for left, top, right, bottom in boxes:
        air = 0.04
        rows = slice(max(0, int((top - air) * _PROBE)), int(np.ceil((bottom + air) * _PROBE)))
        columns = slice(max(0, int((left - air) * _PROBE)), int(np.ceil((right + air) * _PROBE)))
        stands_out[rows, columns] = False
    thick = fromarray(stands_out.astype(np.uint8) * 255).filter(ImageFilter.MinFilter(5))
    return float((np.asarray(thick) > 0).mean())
