"""The colours of a page, taken from its picture: paper, ink that can be read on it, and an accent."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pipeline.brief import Record

READABLE = 4.5  # contrast of text (WCAG 2.2, level AA)
_CLEAR = 7.0  # contrast that ink has where it can (level AAA)
_DARK, _LIGHT = (23, 23, 33), (255, 255, 255)

Colour = tuple[int, int, int]


class Palette(Record):
    """CSS colours. `soft`: an area that differs a little from the paper; `accent`: of the thing, where it stands out
    from the paper; `quiet`: ink for what matters less."""

    paper: str
    soft: str
    ink: str
    quiet: str
    accent: str
    on_accent: str


def palette(image: Image.Image, ground: Sequence[int] | None) -> Palette:
    """The palette of a picture. `ground`: the colour that the paper has; None: a pale tint of the picture's accent."""
    strong = _strong(image)
    paper = _colour(ground) if ground is not None else _mixed(_LIGHT, strong, 0.12)
    ink = _ink(paper, strong)
    light = luminance(paper) > 0.55
    soft = _mixed(paper, _LIGHT, 0.55) if luminance(paper) < 0.85 else _mixed(paper, strong, 0.14)
    accent = strong if contrast(strong, paper) >= 1.8 else (_mixed(ink, paper, 0.15) if light else _LIGHT)
    on_accent = max((_DARK, _LIGHT), key=lambda colour: contrast(colour, accent))
    quiet = next(
        (
            mixed
            for share in (0.25, 0.15, 0.05)
            if contrast(mixed := _mixed(ink, paper, share), paper) >= _CLEAR
        ),
        ink,
    )
    return Palette(
        paper=_css(paper), soft=_css(soft), ink=_css(ink), quiet=_css(quiet), accent=_css(accent),
        on_accent=_css(on_accent),
    )  # fmt: skip


def luminance(colour: Sequence[float]) -> float:
    """Relative luminance, in [0, 1] (WCAG 2.2)."""
    shares = [channel / 255 for channel in colour[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _strong(image: Image.Image) -> Colour:
    """The colour that a picture shows most of, weighed by how saturated it is, without what is transparent."""
    small = image.convert("RGBA").resize((96, 96))
    pixels = np.asarray(small).reshape(-1, 4)
    shown = pixels[pixels[:, 3] > 200][:, :3].astype(np.float32)
    if not len(shown):
        return _DARK
    bins = (shown // 32).astype(int) @ np.array([64, 8, 1])
    spread = shown.max(1) - shown.min(1)
    weights = np.bincount(bins, weights=0.02 + (spread / 255) ** 1.5, minlength=512)
    best = shown[bins == weights.argmax()].mean(0)
    return _colour(best)


def _ink(paper: Colour, strong: Colour) -> Colour:
    """Ink for a paper: a dark or light shade of the strong colour's hue, dark where both can be read as well."""
    hue, _, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in strong))
    shades = [_of_hls(hue, level, min(saturation, 0.45)) for level in (0.16, 0.12, 0.08)]
    for shade in (*shades, _DARK, _LIGHT):
        if contrast(shade, paper) >= _CLEAR:
            return shade
    return max((_DARK, _LIGHT, (0, 0, 0)), key=lambda colour: contrast(colour, paper))


def _of_hls(hue: float, level: float, saturation: float) -> Colour:
    return _colour([channel * 255 for channel in colorsys.hls_to_rgb(hue, level, saturation)])


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    return _colour([a * (1 - share) + b * share for a, b in zip(one, other, strict=True)])


def _colour(channels: Sequence[float] | np.ndarray) -> Colour:
    red, green, blue = (round(float(channel)) for channel in channels)
    return red, green, blue


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
