"""A sheet of stickers: each with a white border and a cut line around it, in a grid, ready to print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage

_MM = 25.4  # of an inch
_LINE = 0.3  # millimetres
_LINE_COLOUR = (150, 150, 160)
_GAP = 2.0  # millimetres between cut lines, at least

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet, in millimetres. `border`: the white around each sticker; `paper`: the colour between stickers."""

    width: float
    height: float
    columns: int
    rows: int
    margin: float
    border: float
    dpi: int
    paper: str

    @property
    def size(self) -> tuple[int, int]:
        """In pixels."""
        return self.pixels(self.width), self.pixels(self.height)

    def pixels(self, millimetres: float) -> int:
        return round(millimetres / _MM * self.dpi)

    @property
    def cells(self) -> list[tuple[int, int, int, int]]:
        """Left, top, right and bottom of each cell in pixels, row by row, with the gap between cells left out."""
        wide = (self.width - 2 * self.margin) / self.columns
        high = (self.height - 2 * self.margin) / self.rows
        return [
            (
                self.pixels(self.margin + x * wide + _GAP / 2),
                self.pixels(self.margin + y * high + _GAP / 2),
                self.pixels(self.margin + (x + 1) * wide - _GAP / 2),
                self.pixels(self.margin + (y + 1) * high - _GAP / 2),
            )
            for y in range(self.rows)
            for x in range(self.columns)
        ]


def sheet(things: Sequence[Image.Image], layout: Layout) -> tuple[Image.Image, list[Mask]]:
    """The sheet, every cell filled, with the things in turn; and of each sticker what lies within its cut line, on the
    whole sheet. `things`: RGBA, cropped."""
    made = Image.new("RGB", layout.size, ImageColor.getrgb(layout.paper)[:3])
    masks: list[Mask] = []
    for number, cell in enumerate(layout.cells):
        sticker, mask = _sticker(things[number % len(things)], cell, layout)
        made.paste(sticker, cell[:2], sticker)
        whole = np.zeros((layout.size[1], layout.size[0]), bool)
        whole[cell[1] : cell[3], cell[0] : cell[2]] = mask
        masks.append(whole)
    return made, masks


def enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The thing in another size, its outline as sharp as before: an opacity that goes from 0 to 1 within a pixel of the
    picture does so within a pixel of the result."""
    factor = max(1.0, size[0] / image.width)
    colours = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    opacity = np.asarray(image.getchannel("A").resize(size, Image.Resampling.BICUBIC), np.float32) / 255
    sharp = ((opacity - 0.5) * max(1.0, factor * 1.2) + 0.5).clip(0, 1)
    colours.putalpha(Image.fromarray((sharp * 255).round().astype(np.uint8)))
    return colours


def _sticker(thing: Image.Image, cell: tuple[int, int, int, int], layout: Layout) -> tuple[Image.Image, Mask]:
    """A sticker as large as its cell, and what lies within its cut line."""
    wide, high = cell[2] - cell[0], cell[3] - cell[1]
    border, line = layout.pixels(layout.border), max(1, layout.pixels(_LINE))
    room = 2 * (border + 2 * line + 2)
    scale = min((wide - room) / thing.width, (high - room) / thing.height)
    drawn = enlarged(thing, (max(1, round(thing.width * scale)), max(1, round(thing.height * scale))))
    canvas = Image.new("RGBA", (wide, high))
    canvas.paste(drawn, ((wide - drawn.width) // 2, (high - drawn.height) // 2))
    shown = ndimage.binary_fill_holes(np.asarray(canvas.getchannel("A")) > 127)
    around = 2 * border  # distances go on beyond the cell, so that they are smoothed rightly at its edge
    away = ndimage.distance_transform_edt(~np.pad(shown, around))
    # Smoothed, so that the knife does not follow every notch.
    away = ndimage.gaussian_filter(away, border / 2)[around:-around, around:-around]
    # No cut lines within a sticker: what it encloses is paper.
    within = away <= border
    enclosed = ndimage.binary_fill_holes(within) & ~within
    away = np.where(ndimage.binary_dilation(enclosed, iterations=2 * line), 0.0, away)
    paper = _layer((255, 255, 255), (border + 0.5 - away).clip(0, 1))
    cut = _layer(_LINE_COLOUR, (line / 2 + 0.5 - np.abs(away - border)).clip(0, 1))
    return Image.alpha_composite(Image.alpha_composite(paper, canvas), cut), away <= border + line


def _layer(colour: tuple[int, int, int], opacity: NDArray[np.floating]) -> Image.Image:
    made = Image.new("RGBA", (opacity.shape[1], opacity.shape[0]), (*colour, 0))
    made.putalpha(Image.fromarray((opacity * 255).round().astype(np.uint8)))
    return made
