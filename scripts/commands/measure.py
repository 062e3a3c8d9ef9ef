"""`easel measure`: the judge of a preset measures itself on simple known prompts."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.calls.load import check, load, quiet_libraries
from pipeline.config import Preset
from pipeline.files import write
from pipeline.judging.learned import Known, standing
from pipeline.results.bands import as_measured
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.measure import measure
from scripts.commands.bands import tables
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, on_interrupt


def run_measure(preset: Preset, out: Path, store_url: str | None, each: int, file: Path | None) -> int:
    """Measure, and keep the answers in the store or write bands to a file. Returns the exit status."""
    console = Console(highlight=False)
    quiet_libraries()
    check(preset)
    store, stop = Store(out, store_url), Stop()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.completed}/{task.total} pictures"),
        TimeRemainingColumn(),
    )
    with exclusive(out), Progress(*columns, console=console) as shown, on_interrupt(stop.pause):
        bar = shown.add_task(f"measuring the judge of {preset.name}", total=None)

        def progress(done: int, of: int) -> None:
            shown.update(bar, completed=done, total=of)

        found = measure(preset, load(preset, store.results), each, progress, stop)
    if found is None:
        console.print("stopped; what was painted and scored is kept. The same command continues")
        return INTERRUPTED
    known = [Known(basis, itself=tuple(answers)) for basis, answers in found.items()]
    learned = standing(known, preset.judge)
    if file is None:
        for basis, answers in found.items():
            store.bases.measured(basis, answers)
    else:
        write(file, (json.dumps(as_measured(known, learned), indent=2) + "\n").encode())
    console.print(*tables(known, learned, preset.judge), sep="\n\n")
    where = f"{file}; name it as judge.measured in the preset" if file else f"the store in {out}"
    console.print(
        f"self-measured: this assumes that {preset.name} paints these simple prompts correctly. Kept in {where}"
    )
    return ACCEPTED
