"""Measure a preset on the suite of briefs (scripts/evaluation/suite.py) with an independent examiner.

    python -m scripts.evaluation.loop                                    # 60 briefs of each kind
    python -m scripts.evaluation.loop --each 20 --first                  # the image model alone: first images only
    python -m scripts.evaluation.loop --preset turbo --judge studio.yaml # judged by the scorer of another preset

Three pictures of each brief are examined: the first, the best of several in the opinion of the preset's own judge, and
the one that the loop ends with. "Met" is the examiner's decision, "accepted" the loop's. Pictures in the bundled range
are examined by a detector (examiner.py), whose own error on fresh renders is measured first; other presets need the
scorer of a second preset as examiner, whose error is not measured. Intervals are 95 % Wilson intervals.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFilter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.load import load_image, load_scorer
from models.mini.dataset.scene import Fact, facts, render, sample
from models.protocols import Paint
from pipeline.brief import Brief
from pipeline.calls.load import load, quiet_libraries
from pipeline.config import bands, load_preset
from pipeline.events import Attempt, Outcome
from pipeline.loop import run
from pipeline.store import Store
from scripts.evaluation.examiner import examine
from scripts.evaluation.scorer import hard_false
from scripts.evaluation.suite import KINDS, Case, put, suite

Examiner = Callable[[Image.Image, Sequence[Fact]], list[bool]]


@dataclass
class Result:
    """The result of one brief. `met`: "first", "best" or "loop" → whether that picture shows all facts."""

    case: Case
    met: dict[str, bool]
    shown: Image.Image
    accepted: bool = False
    images: int = 0
    seconds: float = 0.0
    tokens: int = 0


def by_boxes(image: Image.Image, asked: Sequence[Fact]) -> list[bool]:
    """Examine a picture by the detector: whether each fact is true of it."""
    seen = examine(image)
    return [seen.holds(fact) for fact in asked]


def by_scorer(preset_name: str) -> Examiner:
    """An examiner that uses the scorer of another preset, with its bands."""
    preset = load_preset(preset_name)
    scorer, measured = (
        load_scorer(preset.scorer, preset.base, preset.offline),
        bands(preset.judge, preset.base),
    )

    def examiner(image: Image.Image, asked: Sequence[Fact]) -> list[bool]:
        (scores,) = scorer.score([image], [[put(fact) for fact in asked]])
        limits = [measured.get(fact.kind, preset.judge.default) for fact in asked]
        return [limit.corrected(p) >= limit.pass_ for p, limit in zip(scores, limits, strict=True)]

    return examiner


def interval(right: int, of: int) -> str:
    """A share with its 95 % Wilson interval, in percent: "97 (94–98)"."""
    if not of:
        return "-"
    p, z = right / of, 1.96
    centre, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = ((centre + sign * half) / (1 + z * z / of) for sign in (-1, 1))
    return f"{100 * p:.0f} ({100 * max(0.0, low):.0f}–{100 * min(1.0, high):.0f})"


def own_error(count: int) -> str:
    """The examiner's own error, in a sentence: on `count` degraded renders, and on as many blends of two objects, in
    which it should see neither."""
    rng = np.random.default_rng(5)
    denied = affirmed = asked = mistaken = 0
    for _ in range(count):
        scene = sample(rng, (0.35, 0.3, 0.35), 0.5, withhold=False)
        blurred = Image.fromarray(render(scene, 256)).filter(ImageFilter.GaussianBlur(3))
        worn = np.asarray(blurred, np.float32) + rng.normal(0, 10, (256, 256, 3))
        true = facts(scene)
        false = [hard_false(fact, scene, rng) for fact in true]
        said = by_boxes(Image.fromarray(worn.clip(0, 255).astype(np.uint8)), [*true, *false])
        asked += len(true)
        denied, affirmed = denied + said[: len(true)].count(False), affirmed + sum(said[len(true) :])
        one, other = (sample(rng, (1, 0, 0), 0.0, withhold=False) for _ in range(2))
        mixed = (render(one, 256).astype(np.float32) + render(other, 256)) / 2
        mistaken += any(found.object for found in examine(Image.fromarray(mixed.astype(np.uint8))).found)
    return (
        f"examiner's own error, on {count} fresh renders, blurred and noisy: denies {interval(denied, asked)} % of "
        f"true facts, affirms {interval(affirmed, asked)} % of similar false ones; sees an object in "
        f"{interval(mistaken, count)} % of half-and-half blends"
    )


def first_images(cases: Sequence[Case], preset: Any, examiner: Examiner) -> list[Result]:
    """Examine the first image for the words of each brief; the image model alone."""
    painter = load_image(preset.image, preset.base, preset.offline)
    results = []
    for i, case in enumerate(track(cases, "painting", transient=True)):
        began = time.perf_counter()
        image = painter.paint([Paint(case.text, i)])[0].image
        seconds = time.perf_counter() - began
        results.append(
            Result(case, {"first": all(examiner(image, case.facts))}, image, images=1, seconds=seconds)
        )
    return results


def whole_loop(cases: Sequence[Case], preset: Any, examiner: Examiner, best_of: int) -> list[Result]:
    """Examine the first image, the best of `best_of`, and the result of the loop. They share answers of the models."""
    several = preset.model_copy(
        update={"loop": preset.loop.model_copy(update={"images": best_of, "images_per_attempt": best_of})}
    )
    briefs = [Brief(text=case.text, seed=i) for i, case in enumerate(cases)]
    results: dict[int, Result] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for name, chosen in (("best", several), ("loop", preset)):
            models = load(chosen, store.results)
            for event in track(run(briefs, chosen, models), name, transient=True):
                if isinstance(event, Attempt) and name == "best":
                    image = event.candidates[0].image
                    met = all(examiner(image, cases[event.brief].facts))
                    results[event.brief] = Result(cases[event.brief], {"first": met}, image)
                if isinstance(event, Outcome) and event.brief in results:
                    mine = results[event.brief]
                    mine.met[name] = event.best is not None and all(
                        examiner(event.best.image, mine.case.facts)
                    )
                    if name == "loop":
                        mine.shown = event.best.image if event.best else mine.shown
                        mine.accepted, mine.images, mine.tokens = (
                            event.status == "accepted",
                            event.images,
                            event.tokens,
                        )
                        mine.seconds = event.seconds
        store.close()
    return [results[i] for i in sorted(results)]


def tables(results: Sequence[Result]) -> Table:
    """A row for each kind of brief, and one for all."""
    names = [name for name in ("first", "best", "loop") if name in results[0].met]
    heads = [f"{name}, met %" for name in names]
    looped = "loop" in names
    if looped:
        heads += ["accepted %", "accepted but not met", "images", "seconds", "tokens"]
    table = Table("kind", "n", *heads, "held out: first, met %", box=None)
    for kind in (*KINDS, "all"):
        mine = [r for r in results if kind in (r.case.kind, "all")]
        if not mine:
            continue
        row = [interval(sum(r.met[name] for r in mine), len(mine)) for name in names]
        if looped:
            taken = [r for r in mine if r.accepted]
            row += [
                interval(len(taken), len(mine)),
                f"{sum(not r.met['loop'] for r in taken)} of {len(taken)}",
            ]
            row += [
                f"{np.mean([getattr(r, what) for r in mine]):.1f}" for what in ("images", "seconds", "tokens")
            ]
        unseen = [r for r in mine if r.case.held_out]
        row.append(interval(sum(r.met["first"] for r in unseen), len(unseen)))
        table.add_row(kind, str(len(mine)), *row)
    return table


def contact_sheet(results: Sequence[Result], path: Path, columns: int = 12, side: int = 128) -> None:
    """Save the first results of each kind, framed in green if the examiner says that they are met, else in red."""
    rows = [[r for r in results if r.case.kind == kind][:columns] for kind in KINDS]
    rows = [row for row in rows if row]
    sheet = Image.new("RGB", (columns * (side + 8), len(rows) * (side + 24)), "white")
    draw = ImageDraw.Draw(sheet)
    for y, row in enumerate(rows):
        for x, r in enumerate(row):
            left, top = x * (side + 8), y * (side + 24)
            met = r.met.get("loop", r.met["first"])
            draw.rectangle(
                (left, top, left + side + 7, top + side + 7), fill="seagreen" if met else "firebrick"
            )
            sheet.paste(r.shown.convert("RGB").resize((side, side)), (left + 4, top + 4))
            draw.text((left + 2, top + side + 9), r.case.text[:22], fill="black")
    sheet.save(path)


def main(
    preset: str = "mini",
    each: Annotated[int, typer.Option(min=1, help="briefs of each kind")] = 60,
    first: Annotated[
        bool, typer.Option("--first", help="first images only: no text model, no judge")
    ] = False,
    best_of: Annotated[int, typer.Option(min=1)] = 4,
    judge: Annotated[
        str | None, typer.Option(help="preset whose scorer examines; needed beyond the bundled range")
    ] = None,
    seed: int = 11,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet here")] = None,
    records: Annotated[Path | None, typer.Option(help="write one JSON line a brief here")] = None,
) -> None:
    """Measure and print."""
    console = Console(width=None if sys.stdout.isatty() else 170)  # in a file, every column whole
    chosen = load_preset(preset, overrides or [])
    quiet_libraries()
    if judge is None and chosen.range is None:
        raise typer.BadParameter(f"{preset} paints anything; name a second judge with --judge PRESET")
    examiner = by_scorer(judge) if judge else by_boxes
    console.print(own_error(300) if judge is None else f"examined by the scorer of {judge}")
    cases, began = suite(each, seed), time.perf_counter()
    results = first_images(cases, chosen, examiner) if first else whole_loop(cases, chosen, examiner, best_of)
    console.print(tables(results))
    console.print(f"{len(results)} briefs, {time.perf_counter() - began:.0f} s")
    if sheet is not None:
        contact_sheet(results, sheet)
    if records is not None:
        lines = [
            {"kind": r.case.kind, "text": r.case.text, "held_out": r.case.held_out, "met": r.met, "images": r.images,
             "accepted": r.accepted, "seconds": round(r.seconds, 2), "tokens": r.tokens}
            for r in results
        ]  # fmt: skip
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    typer.run(main)
