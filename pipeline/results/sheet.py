"""The contact sheet: one image with every candidate of a brief and its checks."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from pipeline.brief import Requirement
from pipeline.judging.verdict import ALWAYS, Verdict
from pipeline.painting.image import Candidate
from pipeline.results import lettering

_COLUMNS, _WIDTH, _GAP, _LINE = 4, 300, 16, 17
_SMALL, _LARGE = 13, 16  # pixels of letters
_INK, _SOFT, _PAPER = "#1d1f23", "#6b7078", "#fbfaf8"
_COLOURS = {"pass": "#2b8a3e", "fail": "#c92a2a", "unsure": "#b35c00", "unchecked": "#6b7078"}


def sheet(
    title: str, requirements: Sequence[Requirement], made: Sequence[tuple[Candidate, Verdict]]
) -> Image.Image:
    """Candidates in order, four in a row; below each its prompt and its checks."""
    text = {r.id: r.text for r in requirements} | ALWAYS
    columns = min(_COLUMNS, len(made))
    width = _GAP + columns * (_WIDTH + _GAP)
    head = lettering.wrapped(title, width - 2 * _GAP, _LARGE)[:4]
    captions = [caption(candidate, verdict, text) for candidate, verdict in made]
    cell = _WIDTH + _LINE * max(len(lines) for lines in captions) + _GAP * 2
    rows = -(-len(made) // columns)
    top = _GAP * 2 + 22 * len(head)
    page = Image.new("RGB", (width, top + rows * cell), _PAPER)
    pen = ImageDraw.Draw(page)
    for i, line in enumerate(head):
        lettering.draw(pen, (_GAP, _GAP + 22 * i), line, _INK, _LARGE)
    for i, ((candidate, _), lines) in enumerate(zip(made, captions, strict=True)):
        x, y = _GAP + (i % columns) * (_WIDTH + _GAP), top + (i // columns) * cell
        picture = candidate.image.convert("RGB")
        picture.thumbnail((_WIDTH, _WIDTH), Image.Resampling.LANCZOS)
        if max(picture.size) < _WIDTH:
            scale = _WIDTH / max(picture.size)
            picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        page.paste(picture, (x + (_WIDTH - picture.width) // 2, y))
        for j, (line, colour) in enumerate(lines):
            lettering.draw(pen, (x, y + _WIDTH + 6 + _LINE * j), line, colour, _SMALL)
    return page


def caption(candidate: Candidate, verdict: Verdict, text: dict[str, str]) -> list[tuple[str, str]]:
    """The lines below a picture, each with its colour: what it is, its prompt, its checks. `text`: the requirements in
    words, by id."""
    colour = _COLOURS[verdict.gate]
    how = f"  {candidate.plan.how}" if candidate.plan.how else ""
    lines = [(f"{candidate.id}  {verdict.gate}  seed {candidate.plan.seed}{how}", colour)]
    prompt = f"{candidate.plan.prompt.origin}: {candidate.plan.prompt.text}"
    lines += [(line, _SOFT) for line in lettering.wrapped(prompt, _WIDTH, _SMALL)[:4]]
    for check in verdict.checks:
        if check.requirement in ALWAYS and check.outcome == "pass":
            continue
        chance = "" if check.probability is None else f"  {check.probability:.2f}"
        room = _WIDTH - lettering.width(f"{check.outcome}  {chance}", _SMALL)
        words = lettering.shortened(text[check.requirement], room, _SMALL)
        lines.append((f"{check.outcome}  {words}{chance}", _COLOURS[check.outcome]))
    return lines
