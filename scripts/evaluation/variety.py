"""Measure how much the seeds of a brief differ, where the brief names everything: objects, places, style and ground.

    python -m scripts.evaluation.variety                                # the bundled painter, 40 briefs, 8 seeds
    python -m scripts.evaluation.variety --sheet SHEET.png              # and a sheet of 8 seeds by 4 briefs
    python -m scripts.evaluation.variety --set image.model=./work/painter/export

For briefs with a single object, groups, pairs, and all of them:

    difference   mean absolute difference of two seeds' pixels, of 255: the median of all pairs, and the lowest quarter
    layouts      how many of the seeds are not like one before: pictures that differ by less than `SAME` are alike
    met          pictures that meet the brief, by the examiner (examiner.py)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from models.load import load_image
from models.protocols import Paint
from pipeline.calls.load import quiet_libraries
from pipeline.config import load_preset
from scripts.evaluation.cases import Case
from scripts.evaluation.examiner import examine
from scripts.evaluation.suite import suite
from scripts.evaluation.tables import share

SAME = 5.0  # mean absolute difference, of 255, below which two pictures have the same layout
ON_SHEET = 4  # briefs
_TILE = 192  # pixels of a side


@dataclass(frozen=True, slots=True)
class Seeds:
    """A brief, painted with several seeds: the differences of all pairs, the number of layouts, and of pictures that
    meet the brief."""

    case: Case
    images: tuple[Image.Image, ...]
    differences: tuple[float, ...]
    layouts: int
    met: int


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference of two pictures of the same size, of 255."""
    return float(np.abs(_levels(one) - _levels(other)).mean())


def layouts(images: Sequence[Image.Image]) -> int:
    """How many of the pictures differ from every one before that counted."""
    kept: list[Image.Image] = []
    for image in images:
        if all(difference(image, one) >= SAME for one in kept):
            kept.append(image)
    return len(kept)


def compared(case: Case, images: Sequence[Image.Image]) -> Seeds:
    """The pictures of a brief compared with each other and with the brief."""
    met = sum(not examine(image).objections(case.facts, case.optional, case.closed) for image in images)
    apart = tuple(difference(*pair) for pair in combinations(images, 2))
    return Seeds(case, tuple(images), apart, layouts(images), met)


def _levels(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("RGB"), np.float32)


def shape(case: Case) -> str:
    """The shape of what a brief asks for: a single object, a group, or a pair."""
    if any(fact.kind == "relation" for fact in case.facts):
        return "pairs"
    return "groups" if any(fact.kind == "count" for fact in case.facts) else "single"


def table(measured: Sequence[Seeds]) -> str:
    """The figures in Markdown, a row for each shape."""
    rows: dict[str, list[Seeds]] = defaultdict(list)
    for seeds in measured:
        rows[shape(seeds.case)].append(seeds)
    lines = [
        "| briefs | n | difference of 255: median (lowest quarter) | layouts of 8: median (mean) | met, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, some in [*sorted(rows.items()), ("all", list(measured))]:
        apart = np.array([one for seeds in some for one in seeds.differences])
        different = [seeds.layouts for seeds in some]
        met = share(sum(seeds.met for seeds in some), sum(len(seeds.images) for seeds in some))
        figures = f"{np.median(apart):.1f} ({np.percentile(apart, 25):.1f})"
        lines.append(
            f"| {name} | {len(some)} | {figures} | {np.median(different):.0f} ({np.mean(different):.1f}) | {met} |"
        )
    return "\n".join(lines)


def sheet(measured: Sequence[Seeds]) -> Image.Image:
    """A contact sheet: a row for each brief, a column for each seed."""
    rows = [
        np.concatenate([np.asarray(image.resize((_TILE, _TILE))) for image in seeds.images], 1)
        for seeds in measured
    ]
    return Image.fromarray(np.concatenate(rows))


def main(
    preset: str = "mini",
    briefs: Annotated[int, typer.Option(min=1, help="full briefs of the tidy suite")] = 40,
    seeds: Annotated[int, typer.Option(min=2, help="pictures of each brief")] = 8,
    seed: Annotated[int, typer.Option(help="of the suite")] = 23,
    path: Annotated[
        Path | None, typer.Option("--sheet", help=f"write a sheet of {ON_SHEET} briefs here, a PNG")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    quiet_libraries()
    chosen = load_preset(preset, overrides or [])
    painter = load_image(chosen.image, chosen.base, chosen.offline)
    measured = []
    for case in track(suite(briefs, seed, ("combined",)), "painting", transient=True):
        made = painter.paint([Paint(case.text, number) for number in range(seeds)])
        measured.append(compared(case, [one.image for one in made]))
    print(table(measured))
    if path is not None:
        shapes = {shape(one.case): one for one in reversed(measured)}  # one of each, then others
        shown = [*shapes.values(), *(one for one in measured if one not in shapes.values())][:ON_SHEET]
        sheet(shown).save(path)
        print(f"{path}:", *(one.case.text for one in shown), sep="\n- ")


if __name__ == "__main__":
    typer.run(main)
