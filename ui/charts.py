"""Bar charts as HTML: they follow the theme, fit a phone and work with a screen reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ui.parts import card


@dataclass(frozen=True)
class Bar:
    """One bar: its parts, each (size, CSS class of its colour), and its value in words (`said`)."""

    label: str
    parts: tuple[tuple[float, str], ...]
    said: str

    @property
    def size(self) -> float:
        return sum(size for size, _ in self.parts)


def bars(title: str, rows: Sequence[Bar], legend: Iterable[tuple[str, str]] = (), note: str = "") -> str:
    """Horizontal bars on one scale. `legend`: (CSS class of a colour, its meaning)."""
    if not any(row.size for row in rows):
        return _empty(title)
    most = max(row.size for row in rows)
    made = "".join(
        f'<li><span class="what">{escape(row.label)}</span><span class="track" aria-hidden="true">'
        f"{_segments(row.parts, most, 'width')}</span><span class='said'>{escape(row.said)}</span></li>"
        for row in rows
    )
    return card(
        f'<h2>{escape(title)}</h2>{_legend(legend)}<ul class="bars">{made}</ul>{_note(note)}', title, "chart"
    )


def columns(
    title: str,
    points: Sequence[Bar],
    words: Callable[[float], str],
    legend: Iterable[tuple[str, str]] = (),
) -> str:
    """One column for each period, including empty ones. `words`: a size → its text on the scale."""
    if not any(point.size for point in points):
        return _empty(title)
    top = nice(max(point.size for point in points))
    made = "".join(
        f'<li title="{escape(p.label)}: {escape(p.said)}"><span class="stack">{_segments(p.parts, top, "height")}'
        f'</span><span class="when">{escape(p.label)}</span><span class="hide">{escape(p.said)}</span></li>'
        for p in points
    )
    scale = f"<span>{escape(words(top))}</span><span>{escape(words(top / 2))}</span>"
    thin = " thin" if len(points) > 8 else ""
    return card(
        f"<h2>{escape(title)}</h2>{_legend(legend)}"
        f'<div class="plot"><div class="scale" aria-hidden="true">{scale}</div>'
        f'<ol class="columns{thin}">{made}</ol></div>',
        title,
        "chart",
    )


def nice(most: float) -> float:
    """The end of a scale up to `most`: 1, 2, 4, 6 or 8 times a power of ten, so that half of it is round too."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= most * 0.9999)


def _segments(parts: Iterable[tuple[float, str]], most: float, side: str) -> str:
    return "".join(
        f'<i class="{kind}" style="{side}:{100 * size / most:.2f}%"></i>' for size, kind in parts if size
    )


def _legend(legend: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f'<li><i class="{kind}" aria-hidden="true"></i>{escape(word)}</li>' for kind, word in legend
    )
    return f'<ul class="legend">{items}</ul>' if items else ""


def _note(note: str) -> str:
    return f'<p class="soft">{escape(note)}</p>' if note else ""


def _empty(title: str) -> str:
    return card(f'<h2>{escape(title)}</h2><p class="soft">Nothing in this period.</p>', title, "chart")
