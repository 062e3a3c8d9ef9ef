"""Text on pictures in the scripts of the bundled fonts: Latin, Greek, Cyrillic, Hebrew, Arabic, Chinese, Japanese,
Korean and emoji. The fonts come with Easel, so text looks the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FOLDER = Path(__file__).parent / "fonts"
# A character is drawn in the first of these that has it, after Pillow's own font.
_FILES = ("DejaVuSans.ttf", "NotoEmoji.ttf", "NotoSansKR.ttf", "DroidSansFallback.ttf")
_ARABIC = 1  # the number of the font that has it
_INVISIBLE = {ord(char): None for char in "\ufe0e\ufe0f\u200d"}  # they choose and join emoji
_NOWHERE = "\U0010ffff"  # a character that no font has


def width(text: str, size: int) -> float:
    """The width of a line in pixels. `size`: of the letters, in pixels."""
    return sum(font.getlength(run) for run, font in _runs(text, size))


def draw(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: str, size: int) -> None:
    """Draw a line of text. `at`: its left end, and the top of its letters."""
    x, y = at
    base = y + _ascent(size)
    for run, font in _runs(text, size):
        pen.text((x, base), run, colour, font, anchor="ls")
        x += font.getlength(run)


def wrapped(text: str, most: float, size: int) -> list[str]:
    """The text in lines at most `most` pixels wide. A word that is longer, as text in Chinese is, is broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= most:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for char in word:
            if lines[-1] and width(lines[-1] + char, size) > most:
                lines.append("")
            lines[-1] += char
    return lines


def shortened(text: str, most: float, size: int) -> str:
    """The text in one line of at most `most` pixels, with an ellipsis where something is left out."""
    if width(text, size) <= most:
        return text
    first = wrapped(text, most - width("…", size), size)[0]
    return f"{first}…"


def _runs(text: str, size: int) -> Iterator[tuple[str, Font]]:
    """Pieces of a line with their fonts."""
    text = text.translate(_INVISIBLE)
    fonts = [_font_of(char) for char in text]
    # What stands between words in Arabic is drawn with them: right to left.
    for gap in re.finditer(r"(?:(?![^\W\d_]).)+", text):
        first, end = gap.span()
        if first and fonts[first - 1] == _ARABIC and (end == len(text) or fonts[end] == _ARABIC):
            fonts[first:end] = [_ARABIC if font == 0 else font for font in fonts[first:end]]
    for number, run in groupby(zip(text, fonts, strict=True), key=lambda pair: pair[1]):
        yield "".join(char for char, _ in run), _fonts(size)[number]


@cache
def _fonts(size: int) -> tuple[Font, ...]:
    return (
        ImageFont.load_default(size),
        *(ImageFont.truetype(_FOLDER / file, size) for file in _FILES),
    )


@cache
def _ascent(size: int) -> float:
    font = _fonts(size)[0]
    return float(font.getmetrics()[0]) if isinstance(font, ImageFont.FreeTypeFont) else float(size)


@cache
def _font_of(char: str) -> int:
    """The number of the first font that has a character; that of Pillow's own where none has it."""
    for number, font in enumerate(_fonts(16)):
        if _shape(font, char) != _shape(font, _NOWHERE):
            return number
    return 0


def _shape(font: Font, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)
