"""Sizes as requirements name them: "512x512", "800 wide", "600 tall", "square", "landscape", "portrait"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.brief import MAX_SIDE, MIN_SIDE, Requirement


@dataclass(frozen=True, slots=True)
class Size:
    """A size in pixels, possibly incomplete: None allows any value. `shape`: square, landscape or portrait."""

    width: int | None = None
    height: int | None = None
    shape: str | None = None

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture of `width` by `height` pixels has this size."""
        shape = "square" if width == height else "landscape" if width > height else "portrait"
        return self.width in (None, width) and self.height in (None, height) and self.shape in (None, shape)

    @property
    def impossible(self) -> str | None:
        """Why no picture can have this size; None where one can."""
        sides = [side for side in (self.width, self.height) if side is not None]
        if any(not MIN_SIDE <= side <= MAX_SIDE for side in sides):
            return f"a picture has {MIN_SIDE} to {MAX_SIDE} pixels a side"
        return None

    @property
    def squarable(self) -> bool:
        """Whether a square picture can have this size."""
        one_side = None in (self.width, self.height) or self.width == self.height
        return self.shape in (None, "square") and one_side

    def filled(self, usual: tuple[int, int]) -> tuple[int, int]:
        """Width and height in pixels. Missing values are computed from the `usual` width and height and the shape."""
        width, height = usual
        if self.shape == "square":
            width = height = min(usual)
        elif self.shape is not None:
            short, long = min(usual), max(max(usual), round(min(usual) * 1.25))
            width, height = (long, short) if self.shape == "landscape" else (short, long)
        if self.width is not None:
            return self.width, self.height or round(self.width * height / width)
        return (round(self.height * width / height), self.height) if self.height else (width, height)


def parse(value: str) -> Size | None:
    """The size that the value of a technical requirement names; None if the value is not in a known form."""
    value = value.lower().strip()
    if match := re.fullmatch(r"(\d+) ?[x×] ?(\d+)", value):
        return Size(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(\d+) (wide|tall)", value):
        return Size(width=int(match[1])) if match[2] == "wide" else Size(height=int(match[1]))
    return Size(shape=value) if value in ("square", "landscape", "portrait") else None


def together(one: Size, two: Size) -> Size | None:
    """The size that meets both; None where they contradict each other."""
    for a, b in ((one.width, two.width), (one.height, two.height), (one.shape, two.shape)):
        if a is not None and b is not None and a != b:
            return None
    both = Size(one.width or two.width, one.height or two.height, one.shape or two.shape)
    if both.width and both.height and not both.fits(both.width, both.height):
        return None
    return both


def wanted_size(requirements: Sequence[Requirement], usual: tuple[int, int]) -> tuple[int, int] | None:
    """Width and height in pixels that the requirements ask for; None if they ask for no size, or an impossible one."""
    size = Size()
    asked = False
    for r in requirements:
        if r.kind == "technical" and r.subject == "size" and not r.flag and (more := parse(r.value)):
            size, asked = together(size, more) or size, True
    return size.filled(usual) if asked else None
