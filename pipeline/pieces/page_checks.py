"""Checks of a page: those of its source and files, and those of what a browser shows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from models.protocols import Line
from pipeline.judging.letters import distance
from pipeline.judging.verdict import CheckOutcome
from pipeline.pieces.browser import Measured, Text, View
from pipeline.pieces.colours import READABLE, contrast
from pipeline.pieces.record import PartCheck

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|^(?:https?|ftp|javascript|file):", re.IGNORECASE)
_LINKS = ("src", "href", "srcset", "action", "poster", "data", "formaction", "background")
_IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
_SHRINK = 0.8  # of its characters, that a text which does not fit may have in the next attempt
_MISREAD = (
    0.1,
    0.3,
)  # shares of letters that differ: up to the first one it is read, from the second one it is not
_WORST = 0.05  # share of the pixels behind a text that may be worse than its contrast says
# What a check is called, and which steps can mend it: the words, the page's next template, or a new picture.
_WORDS_FIRST, _PAGE, _PICTURE_FIRST = ("text", "code"), ("code",), ("code", "image")
# Letters that the reader of text knows.
_READ = re.compile(r"[\u0020-\u024f\u2000-\u206f\u20a0-\u20bf\u4e00-\u9fff]*")


class PageChecks:
    """Makes the checks of one page. `steps`: the names of the steps that may mend, by kind."""

    def __init__(self, step: str, steps: Mapping[str, str]) -> None:
        self._step, self._steps = step, steps

    def of_files(self, page: Path, most_kb: float, files: Sequence[Path]) -> list[PartCheck]:
        """Of the source and of the files that belong to the page."""
        addresses = _addresses(page.read_text(encoding="utf-8"))
        size = sum(file.stat().st_size for file in files) / 1000
        return [
            self._check(
                "no outside address",
                not addresses,
                f"{addresses[0][:80]} is outside the folder"
                if addresses
                else "everything lies beside the page",
            ),
            self._check("size", size <= most_kb, f"{size:.0f} kB of at most {most_kb:.0f}", _PICTURE_FIRST),
        ]

    def of_view(
        self, view: View, words: Mapping[str, str], size: tuple[int, int], fixed: bool
    ) -> list[PartCheck]:
        """Of what a browser shows. `fixed`: the page has just this size and may not be longer."""
        seen = view.measured
        width, height = size
        fits = seen.width <= width and (not fixed or seen.height <= height)
        checks = [
            self._check("well-formed", not seen.fault, seen.fault[:200] or "the page can be parsed"),
            self._check(
                "nothing runs",
                not seen.scripts and not seen.outside,
                f"scripts, frames or handlers: {seen.scripts}; refused addresses: {len(seen.outside)}",
            ),
            self._check("fonts", not seen.fonts, f"fonts that cannot be loaded: {seen.fonts}"),
            self._check(
                "fits", fits, f"{seen.width} × {seen.height} pixels of {width} × {height}", _WORDS_FIRST
            ),
            *self._pictures(seen),
            *self._texts(seen, words),
        ]
        return [*checks, *self._contrasts(view)]

    def of_letters(self, words: Mapping[str, str], lines: Sequence[Line]) -> list[PartCheck]:
        """Whether a reader of text reads the words in the picture of the page."""
        read = _letters(" ".join(line.text for line in lines))
        checks = []
        for field, text in words.items():
            letters = _letters(text)
            if not letters:
                continue
            if not _READ.fullmatch(text):
                why = "the reader of text does not know these letters"
                checks.append(self._said(f"{field}: read", "unchecked", why, field))
                continue
            wrong = distance(letters, read) / len(letters)
            outcome: CheckOutcome = (
                "pass" if wrong <= _MISREAD[0] else "unsure" if wrong < _MISREAD[1] else "fail"
            )
            why = f"{wrong:.0%} of its letters are read differently"
            checks.append(self._said(f"{field}: read", outcome, why, field, _PAGE))
        return checks

    def unchecked(self, why: str) -> PartCheck:
        """That no browser looked at the page."""
        return self._said("in a browser", "unchecked", why)

    def _pictures(self, seen: Measured) -> Iterator[PartCheck]:
        there = [one for one in seen.pictures if one.loaded and one.shown]
        missing = [one.source for one in seen.pictures if not (one.loaded and one.shown)]
        why = f"{missing[0][:80]} is not shown" if missing else f"pictures shown: {len(there)}"
        yield self._check("picture", bool(there) and not missing, why, _PICTURE_FIRST)
        bare = [one.source for one in seen.pictures if not (one.alt or "").strip()]
        yield self._check(
            "alt text", not bare, f"{bare[0][:80]} has none" if bare else "each picture has one"
        )

    def _texts(self, seen: Measured, words: Mapping[str, str]) -> Iterator[PartCheck]:
        for text in seen.texts:
            why = text.cut or ("is covered" if text.covered else "" if text.shown else "is invisible")
            if why:
                room = int(len(text.text) * _SHRINK) if text.cut else None
                mends = _WORDS_FIRST if text.cut and text.field in words else _PAGE
                yield self._said(
                    f"{text.field or 'text'}: visible",
                    "fail",
                    f"“{text.text[:60]}” {why}",
                    text.field,
                    mends,
                    room,
                )
        shown = " ".join(text.text for text in seen.texts if text.shown)
        for field, wanted in words.items():
            there = not wanted or " ".join(wanted.split()) in shown
            why = "it is on the page" if there else f"“{wanted[:60]}” is not on the page"
            yield self._check(f"{field}: shown", there, why, field=field)
        for i, one in enumerate(seen.texts):
            for other in seen.texts[:i]:
                if _overlap(one, other):
                    why = f"“{other.text[:40]}” and “{one.text[:40]}” lie on each other"
                    yield self._check(f"{one.field or 'text'}: apart", False, why, _WORDS_FIRST, one.field)

    def _contrasts(self, view: View) -> Iterator[PartCheck]:
        """The contrast of each text with what is really behind it, pictures included."""
        behind = np.asarray(view.pictures[1])
        for text in view.measured.texts:
            colour = _rgb(text.colour)
            boxes = [behind[int(top) : round(bottom), int(left) : round(right)] for left, top, right, bottom in
                     text.lines if right > left >= 0 and bottom > top >= 0]  # fmt: skip
            pixels = [box.reshape(-1, 3) for box in boxes if box.size]
            if not pixels or colour is None:
                continue
            found = np.unique(np.concatenate(pixels), axis=0, return_counts=True)
            ratios = np.array([contrast(colour, pixel) for pixel in found[0]])
            order = ratios.argsort()
            share = found[1][order].cumsum() / found[1].sum()
            worst = float(ratios[order][np.searchsorted(share, _WORST)])
            yield self._check(
                f"{text.field or 'text'}: contrast", worst >= READABLE,
                f"{worst:.1f} of at least {READABLE} (“{text.text[:40]}”)", _PICTURE_FIRST, text.field,
            )  # fmt: skip

    def _check(
        self, name: str, passed: bool, reason: str, mends: tuple[str, ...] = _PAGE, field: str = ""
    ) -> PartCheck:
        return self._said(name, "pass" if passed else "fail", reason, field, mends)

    def _said(
        self,
        name: str,
        outcome: CheckOutcome,
        reason: str,
        field: str = "",
        mends: tuple[str, ...] = (),
        room: int | None = None,
    ) -> PartCheck:
        steps = tuple(self._steps[kind] for kind in mends if kind in self._steps) if outcome == "fail" else ()
        return PartCheck(
            step=self._step, name=name, outcome=outcome, reason=reason, mends=steps, field=field, room=room
        )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._style = tag == "style"
        for name, value in attrs:
            if name in _LINKS or name.endswith(":href"):
                self.found.append(value or "")
            elif name == "style":
                self.handle_style(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style:
            self.handle_style(data)

    def handle_style(self, css: str) -> None:
        self.found += [one or other for one, other in _IN_STYLE.findall(css)]


def _addresses(html: str) -> list[str]:
    """The addresses in a page that lead out of its folder."""
    links = _Links()
    links.feed(html)
    return [link for link in links.found if _ADDRESS.match(link.strip()) or ".." in link]


def _overlap(one: Text, other: Text) -> bool:
    return any(
        min(a[2], b[2]) - max(a[0], b[0]) > 1
        and min(a[3], b[3]) - max(a[1], b[1]) > min(one.size, other.size) * 0.3
        for a in one.lines
        for b in other.lines
    )


def _rgb(css: str) -> tuple[float, ...] | None:
    """The channels of a computed colour; None where it is transparent or of another form."""
    found = [float(number) for number in re.findall(r"[\d.]+", css)]
    if not css.startswith("rgb") or len(found) < 3 or (len(found) > 3 and found[3] == 0):
        return None
    return tuple(found[:3])


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
