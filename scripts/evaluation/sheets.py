"""Contact sheets to look at: every picture of a kind with its brief and the examiner's objections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from scripts.evaluation.tables import Result

_COLUMNS, _ROWS = 10, 6  # of one sheet
_SIDE, _GAP, _LINE, _LETTERS = (
    168,
    10,
    15,
    27,
)  # pixels of a picture, between them and of a line; letters of a line
_FRAME = 5
_PAPER, _INK, _RIGHT, _WRONG = "white", "#1d1f23", "#2b8a3e", "#c92a2a"


def save_sheets(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write all pictures to a folder, for each kind accepted ones and others apart, at most sixty a sheet. Returns the
    files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, of in _groups(results):
        for number, start in enumerate(range(0, len(of), _COLUMNS * _ROWS), 1):
            files.append(folder / f"{name}-{number}.png")
            sheet(of[start : start + _COLUMNS * _ROWS]).save(files[-1])
    return files


def _groups(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    for kind in dict.fromkeys(r.case.kind for r in results):
        mine = [r for r in results if r.case.kind == kind]
        if all(r.status is None for r in mine):
            yield f"{kind.replace(' ', '-')}-first", mine
            continue
        for name, accepted in (("accepted", True), ("not-accepted", False)):
            if some := [r for r in mine if r.accepted == accepted]:
                yield f"{kind.replace(' ', '-')}-{name}", some


def sheet(results: Sequence[Result]) -> Image.Image:
    """The pictures in rows. Below each its brief, whole, and what the examiner objects to; the frame is red if it
    objects, else green. A brief without a picture has an empty place."""
    captioned = [(result, _caption(result)) for result in results]
    rows = [captioned[start : start + _COLUMNS] for start in range(0, len(captioned), _COLUMNS)]
    heights = [_SIDE + 3 * _GAP + _LINE * max(len(lines) for _, lines in row) for row in rows]
    width = min(_COLUMNS, len(results)) * (_SIDE + _GAP) + _GAP
    page = Image.new("RGB", (width, sum(heights) + _GAP), _PAPER)
    pen, top = ImageDraw.Draw(page), _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (result, lines) in enumerate(row):
            left = _GAP + column * (_SIDE + _GAP)
            frame = (left, top, left + _SIDE - 1, top + _SIDE - 1)
            pen.rectangle(frame, outline=_WRONG if _objections(result) else _RIGHT, width=_FRAME)
            if result.shown is not None:
                inner = (_SIDE - 2 * _FRAME,) * 2
                page.paste(result.shown.convert("RGB").resize(inner), (left + _FRAME, top + _FRAME))
            for i, (line, colour) in enumerate(lines):
                pen.text((left, top + _SIDE + 4 + i * _LINE), line, colour, _font())
        top += height
    return page


def _objections(result: Result) -> tuple[str, ...]:
    return result.wrongs if result.status else result.objections.get("first", ())


def _caption(result: Result) -> list[tuple[str, str]]:
    lines = [(line, _INK) for line in _wrapped(result.case.text)]
    for words in _objections(result):
        lines += [(line, _WRONG) for line in _wrapped(words)]
    return lines


def _wrapped(text: str) -> list[str]:
    """The text in lines no wider than a picture."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font().getlength(longer) > _SIDE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's bundled font: the same on every machine."""
    return ImageFont.load_default(13)
