"""Measure a preset on briefs with an examiner that is independent of its judge.

    python -m scripts.evaluation.loop                                    # the tidy suite and the sets that people wrote
    python -m scripts.evaluation.loop --each 3                           # the same, three briefs of each kind
    python -m scripts.evaluation.loop --briefs FOLDER --pictures OUT     # other sets; their pictures, to look at
    python -m scripts.evaluation.loop --first                            # the image model alone: first images only
    python -m scripts.evaluation.loop --preset turbo --judge studio.yaml # judged by the scorer of another preset

The tidy suite (suite.py) is in the words that the bundled models are trained on; the sets (cases.py, briefs/) are in
other people's words. The world is closed: a picture meets a brief if it shows what is asked and nothing else, and
nothing in it is unclear (`examiner.Seen.objections`). For each kind of briefs, in percent with 95 % Wilson intervals:

    accepted             by the loop, without a person
    accepted but wrong   of these: pictures that do not meet the brief, and all for briefs that need a person
    met and accepted     of the briefs that need no person
    right but rejected   of the same: the final picture meets the brief, but was not accepted
    needs a person       the loop says so
    first, best met      the first image, or the best of several in the opinion of the preset's own judge (--best-of)

Pictures in the bundled range are examined by a detector (examiner.py), whose own error is measured first; other
presets need the scorer of a second preset as examiner, whose error is not measured and which sees nothing beside what
is asked.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.console import Console
from rich.progress import track

from models.load import load_image, load_scorer, stage_of
from models.protocols import Paint
from pipeline.brief import Brief
from pipeline.calls.load import load, quiet_libraries
from pipeline.config import Preset, bands, load_preset
from pipeline.events import Attempt, Event, Outcome
from pipeline.loop import run
from pipeline.store import Store
from scripts.evaluation.cases import BRIEFS, Case, SetError, read_sets
from scripts.evaluation.examiner import examine
from scripts.evaluation.own_error import own_error
from scripts.evaluation.sheets import save_sheets
from scripts.evaluation.suite import KINDS, put, suite
from scripts.evaluation.tables import Result, markdown, summaries

Examiner = Callable[[Image.Image, Case], tuple[str, ...]]  # why the picture does not meet the case, in words
TIDY = 60  # tidy briefs of each kind


def by_boxes(image: Image.Image, case: Case) -> tuple[str, ...]:
    """Examine a picture by the detector."""
    return examine(image).objections(case.facts, case.optional, case.closed)


def by_scorer(preset_name: str) -> Examiner:
    """An examiner that uses the first scorer of another preset, with its bands. It sees only what it is asked for."""
    preset = load_preset(preset_name)
    spec = next(spec for spec in preset.judges.values() if stage_of(spec) == "scorer")
    scorer = load_scorer(spec, preset.base, preset.offline)
    measured = bands(preset.judge, preset.base)

    def examiner(image: Image.Image, case: Case) -> tuple[str, ...]:
        (scores,) = scorer.score([image], [[put(fact) for fact in case.facts]])
        said = []
        for fact, score in zip(case.facts, scores, strict=True):
            limit = next(iter(measured.get(fact.kind, ())), preset.judge.default)
            if limit is None or limit.pass_ is None:
                said.append(f"{put(fact).statement}: {preset_name} is not measured for this kind")
                continue
            p = limit.corrected(1 - score if fact.kind == "absence" else score)
            if p < limit.pass_:
                wanted = "not shown" if fact.kind == "absence" else "shown"
                said.append(f"{put(fact).statement}: p {p:.2f} that it is {wanted}")
        return tuple(said)

    return examiner


def first_images(cases: Sequence[Case], preset: Preset, examiner: Examiner) -> list[Result]:
    """Examine the first image for the words of each brief; the image model alone."""
    painter = load_image(preset.image, preset.base, preset.offline)
    results = []
    for i, case in enumerate(track(cases, "painting", transient=True)):
        began = time.perf_counter()
        image = painter.paint([Paint(case.text, i)])[0].image
        seconds = time.perf_counter() - began
        results.append(Result(case, {"first": examiner(image, case)}, image, images=1, seconds=seconds))
    return results


def whole_loop(
    cases: Sequence[Case], preset: Preset, examiner: Examiner, best_of: int | None = None
) -> list[Result]:
    """Examine the first image and the result of the loop and, if `best_of` is given, the best of so many in one
    attempt. Both runs share answers of the models."""
    results = [Result(case) for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for event in _events(cases, preset, store, "loop"):
            mine = results[event.brief]
            if isinstance(event, Attempt) and event.number == 1 and event.candidates:
                mine.objections["first"] = examiner(event.candidates[0].image, mine.case)
            if isinstance(event, Outcome):
                mine.status = event.status
                mine.images, mine.seconds, mine.tokens = event.images, event.seconds, event.tokens
                if event.best is not None:
                    mine.shown = event.best.image
                    mine.objections["loop"] = examiner(event.best.image, mine.case)
        if best_of is not None:
            limits = {"images": best_of, "images_per_attempt": best_of}
            several = preset.model_copy(update={"loop": preset.loop.model_copy(update=limits)})
            for event in _events(cases, several, store, f"best of {best_of}"):
                if isinstance(event, Outcome) and event.best is not None:
                    mine = results[event.brief]
                    mine.objections["best"] = examiner(event.best.image, mine.case)
        store.close()
    return results


def _events(cases: Sequence[Case], preset: Preset, store: Store, name: str) -> Iterator[Event]:
    briefs = [Brief(text=case.text, seed=i) for i, case in enumerate(cases)]
    yield from track(run(briefs, preset, load(preset, store.results)), name, transient=True)


def chosen_cases(
    each: int | None, briefs: Path | None, tidy_only: bool, seed: int, loose: bool, ruled_out: Sequence[str]
) -> list[Case]:
    """The tidy suite and the sets of the repository, or only the sets of a folder: `each` of every kind, or all."""
    tidy = [] if briefs else suite(each or TIDY, seed)
    sets = [] if tidy_only and not briefs else read_sets(briefs or BRIEFS, loose, ruled_out)
    kept: list[Case] = []
    for kind in dict.fromkeys(case.kind for case in sets):
        kept += [case for case in sets if case.kind == kind][:each]
    return tidy + kept


def main(
    preset: str = "mini",
    each: Annotated[
        int | None, typer.Option(min=1, help=f"briefs of each kind; else {TIDY} tidy ones and whole sets")
    ] = None,
    briefs: Annotated[
        Path | None, typer.Option(help="folder of sets (*.tsv), instead of suite and sets of the repository")
    ] = None,
    loose: Annotated[
        bool, typer.Option("--loose", help="read sets in which wants are missing or of other forms")
    ] = False,
    ruled_out: Annotated[
        list[str] | None, typer.Option(help="set whose second column lists what must not show")
    ] = None,
    tidy_only: Annotated[bool, typer.Option("--tidy", help="the tidy suite only")] = False,
    first: Annotated[
        bool,
        typer.Option("--first", help="first images for the tidy suite only: no text model, no judge"),
    ] = False,
    best_of: Annotated[int | None, typer.Option(min=1, help="examine the best of so many, too")] = None,
    judge: Annotated[
        str | None, typer.Option(help="preset whose scorer examines; needed beyond the bundled range")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the tidy suite")] = 11,
    error_pictures: Annotated[
        int, typer.Option(min=0, help="pictures of each kind on which the examiner's own error is measured")
    ] = 200,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="write contact sheets of all final pictures to this folder")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--json", help="write figures and results as JSON here")
    ] = None,
) -> None:
    """Measure and print."""
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 170)
    chosen = load_preset(preset, overrides or [])
    quiet_libraries()
    if judge is None and chosen.range is None:
        raise typer.BadParameter(f"{preset} paints anything; name a second judge with --judge PRESET")
    try:
        cases = chosen_cases(each, briefs, tidy_only or first, seed, loose, ruled_out or ())
    except SetError as error:
        raise typer.BadParameter(str(error)) from None
    examiner = by_scorer(judge) if judge else by_boxes
    errors = [f"it is the scorer of {judge}; its error is not measured"]
    if judge is None:
        errors = own_error(error_pictures) if error_pictures else ["its own error was not measured"]
    console.print("The examiner:", *errors, sep="\n- ")
    began = time.perf_counter()
    results = first_images(cases, chosen, examiner) if first else whole_loop(cases, chosen, examiner, best_of)
    rows = summaries(results, {"tidy": KINDS})
    console.print("", markdown(rows), "", sep="\n", markup=False)
    console.print(f"{len(results)} briefs, {time.perf_counter() - began:.0f} s")
    if pictures is not None:
        files = save_sheets(results, pictures)
        console.print(
            f"{len(files)} sheets of {sum(r.accepted for r in results)} accepted pictures and the others in {pictures}"
        )
    if figures is not None:
        record = {
            "examiner": errors,
            "figures": [row.record for row in rows],
            "briefs": [result.record for result in results],
        }
        figures.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
