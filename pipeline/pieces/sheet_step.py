"""The step that lays stickers out on a sheet, as PNG and PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pipeline.pieces.image_step import as_png
from pipeline.pieces.record import Files, Made, PartCheck, Pictures
from pipeline.pieces.stickers import Layout, Mask, sheet
from pipeline.pieces.work import Failed, Making, Products, Rounds, Work, taken
from pipeline.pieces.workflow import SheetStep


def make_sheet(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker. Raises Failed where nothing is cut out."""
    yield from ()
    step = work.workflow.steps[name]
    assert isinstance(step, SheetStep)
    cut = [picture for picture in taken(products, Pictures).each if picture.cut]
    if not cut:
        raise Failed("no picture could be cut out: none has a plain ground")
    things = [Image.open(work.folder.path / picture.file).convert("RGBA") for picture in cut]
    layout = Layout(
        step.width_mm, step.height_mm, step.columns, step.rows, step.margin_mm, step.border_mm, step.dpi, step.paper
    )  # fmt: skip
    image, masks = sheet(things, layout)
    work.folder.write(f"{step.file}.png", as_png(image, step.dpi))
    buffer = io.BytesIO()
    image.save(buffer, "PDF", resolution=step.dpi, quality=95)
    work.folder.write(f"{step.file}.pdf", buffer.getvalue())
    checks = [_check(name, *found) for found in _found(masks, layout, work, step)]
    files = (f"{step.file}.pdf", f"{step.file}.png")
    return Made(
        step=name,
        kind=step.kind,
        product=Files(main=files[1], files=files),
        checks=tuple(checks),
        files=files,
    )


def _found(masks: Sequence[Mask], layout: Layout, work: Work, step: SheetStep) -> list[tuple[str, bool, str]]:
    """Name, outcome and reason of each check, by the pixels and files that were made."""
    covered = np.stack(masks).sum(0, dtype=np.int16)
    edge = layout.pixels(layout.margin)
    inner = covered[edge:-edge, edge:-edge].astype(bool).sum()
    together = int((covered > 1).sum())
    whole = all(_inside(mask, cell) for mask, cell in zip(masks, layout.cells, strict=True))
    outside = int(covered.astype(bool).sum() - inner)
    with Image.open(work.folder.path / f"{step.file}.png") as image:
        dpi: Any = image.info.get("dpi", (0, 0))
    return [
        ("stickers", all(mask.any() for mask in masks), f"stickers on the sheet: {len(masks)}"),
        ("cut lines whole", whole, "each cut line is closed" if whole else "a cut line leaves its cell"),
        ("cut lines apart", not together, f"pixels that two stickers share: {together}"),
        ("margin", not outside, f"pixels of stickers in the margin of {layout.margin:g} mm: {outside}"),
        ("resolution", round(dpi[0]) == layout.dpi, f"{round(dpi[0])} dots per inch"),
    ]


def _inside(mask: Mask, cell: tuple[int, int, int, int]) -> bool:
    """Whether a sticker touches no edge of its cell."""
    left, top, right, bottom = cell
    edges = (
        mask[top, left:right],
        mask[bottom - 1, left:right],
        mask[top:bottom, left],
        mask[top:bottom, right - 1],
    )
    return not any(edge.any() for edge in edges)


def _check(step: str, name: str, passed: bool, reason: str) -> PartCheck:
    return PartCheck(step=step, name=name, outcome="pass" if passed else "fail", reason=reason)
