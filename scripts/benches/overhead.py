"""Measure the overhead of Easel: wall time outside model calls, and cold start against bare imports and loads.

    python -m scripts.benches.overhead --rounds 3

Both are ratios of times measured in one run, so a busy machine adds noise, but no bias.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import load_preset
from pipeline.events import Attempt, Started
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder
from pipeline.store import Store

BRIEFS = (
    "a red apple on a white background, flat style",
    "three croissants on a pink background, cartoon style",
    "a cat to the left of a dog on a yellow background",
    "two owls, flat style",
)
# The same models without the loop, store and files: the least time that a first image takes.
BARE = """
from pathlib import Path
from pipeline.config import load_preset
from models.load import load_image, load_scorer, load_text
from models.protocols import Message, Paint, Question
p = load_preset("mini")
text = load_text(p.text, p.base, offline=True)
image = load_image(p.image, p.base, offline=True)
scorer = load_scorer(p.scorer, p.base, offline=True)
text.generate([[Message("user", "a red apple")]], max_tokens=24)
picture = image.paint([Paint("a red apple on a white background, flat style", 0)])[0].image
scorer.score([picture], [[Question("a picture of an apple")]])
"""


def outside(rounds: int) -> list[float]:
    """Share of wall time outside of model calls, for each round over the example briefs."""
    preset = load_preset("mini")
    models = load(preset)
    shares = []
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as out:
            began, inside = time.perf_counter(), 0.0
            store = Store(Path(out))
            for text in BRIEFS:
                brief = Brief(text=text, seed=number)
                folder = RunFolder(
                    Path(out) / store.runs.begin(text, brief, preset, Path(out)), brief, preset
                )
                for event in run([brief], preset, models):
                    folder.take(event)
                    store.runs.take(text, event)
                    if isinstance(event, Started | Attempt):
                        inside += sum(call.seconds for call in event.calls)
            wall = time.perf_counter() - began
        if number:  # the first round fills caches
            shares.append(1 - inside / wall)
            print(
                f"round {number}: {wall:.2f} s, {inside:.2f} s in model calls, {shares[-1]:.1%} outside",
                flush=True,
            )
    return shares


def cold(rounds: int) -> list[float]:
    """Ratio of the wall time of `easel run`, from process start, to that of the bare script; one per round."""
    ratios = []
    with tempfile.TemporaryDirectory() as out:
        ours = [sys.executable, "-m", "scripts.easel", "run", BRIEFS[0], "--images", "1", "--out", out]
        for number in range(rounds):
            spent = []
            for command in ([sys.executable, "-c", BARE], ours):
                began = time.perf_counter()
                subprocess.run(command, check=False, capture_output=True)
                spent.append(time.perf_counter() - began)
            ratios.append(spent[1] / spent[0])
            print(f"round {number + 1}: bare {spent[0]:.2f} s, easel run {spent[1]:.2f} s", flush=True)
    return ratios


def main(rounds: Annotated[int, typer.Option(min=1)] = 3) -> None:
    shares, ratios = outside(rounds), cold(rounds)
    print(f"outside model calls: median {statistics.median(shares):.1%} of wall time")
    print(f"cold start: median {statistics.median(ratios):.2f} times bare imports, loads and one call each")


if __name__ == "__main__":
    typer.run(main)
