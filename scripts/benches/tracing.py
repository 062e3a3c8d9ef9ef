"""What tracing costs: time spent in making and storing spans, as a share of the wall time of bundled runs.

    python -m scripts.benches.tracing --rounds 3

The share is taken inside one run, so that a busy machine stretches both sides alike. Exit status 1 at 1 % or more.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import load_preset
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder
from pipeline.store import Store
from pipeline.telemetry.spans import Telemetry
from scripts.benches.overhead import BRIEFS

LIMIT = 0.01


def main(rounds: Annotated[int, typer.Option(min=1)] = 3) -> None:
    preset = load_preset("mini")
    models = load(preset)
    shares = []
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as out:
            store, tracing, spans = Store(Path(out)), 0.0, 0
            telemetry = Telemetry(preset, store.spans.add)
            began = time.perf_counter()
            for i, text in enumerate(BRIEFS):
                brief, id = Brief(text=text, seed=number), f"run-{i}"
                folder = RunFolder(store.out / store.runs.begin(id, brief, preset, store.out), brief, preset)
                for event in run([brief], preset, models):
                    folder.take(event)
                    store.runs.take(id, event)
                    clock = time.perf_counter()
                    telemetry.take(id, event)
                    tracing += time.perf_counter() - clock
            clock = time.perf_counter()
            telemetry.close()
            wall = time.perf_counter() - began
            tracing += time.perf_counter() - clock
            spans = sum(len(store.spans.of_run(f"run-{i}")) for i in range(len(BRIEFS)))
            store.close()
        if number:  # the first round warms caches up
            shares.append(tracing / wall)
            print(
                f"round {number}: {wall:.2f} s, {1000 * tracing:.1f} ms for {spans} spans: {shares[-1]:.2%}",
                flush=True,
            )
    print(f"tracing: median {statistics.median(shares):.2%} of wall time (limit {LIMIT:.0%})")
    sys.exit(1 if statistics.median(shares) >= LIMIT else 0)


if __name__ == "__main__":
    typer.run(main)
