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
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import typer

import models.load
from pipeline.brief import Brief
from pipeline.calls.pool import ModelPool
from pipeline.config import load_preset
from pipeline.store import Store
from pipeline.work.play import play
from pipeline.work.row import Row

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
scorer = load_scorer(p.judges["scorer"], p.base, offline=True)
text.generate([[Message("user", "a red apple")]], max_tokens=24)
picture = image.paint([Paint("a red apple on a white background, flat style", 0)])[0].image
scorer.score([picture], [[Question("a picture of an apple")]])
"""


class Timed:
    """A backend whose calls are timed."""

    def __init__(self, model: Any, verb: str, clock: list[float]) -> None:
        self._model, self._clock = model, clock
        setattr(self, verb, self._call(getattr(model, verb)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def _call(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return verb(*arguments, **more)
            finally:
                self._clock[0] += time.perf_counter() - began

        return timed


def outside(rounds: int) -> list[float]:
    """Share of the wall time of `play` that is not inside a backend, for each round over the example briefs."""
    preset, pool, clock, shares = load_preset("mini"), ModelPool(), [0.0], []
    verbs = {"load_text": "generate", "load_image": "paint", "load_scorer": "score"}
    with ExitStack() as patches:
        for name, verb in verbs.items():
            real = getattr(models.load, name)

            def load(*given: Any, real: Any = real, verb: str = verb, **more: Any) -> Timed:
                return Timed(real(*given, **more), verb, clock)

            patches.enter_context(patch.object(models.load, name, load))
        for number in range(rounds + 1):
            with tempfile.TemporaryDirectory() as out:
                store, clock[0], began = Store(Path(out)), 0.0, time.perf_counter()
                for text in BRIEFS:
                    row = Row(1, Brief(text=text, seed=number), preset, run=text)
                    list(play([row], store, pool=pool))
                wall = time.perf_counter() - began
                store.close()
            if number:  # the first round loads the models
                shares.append(1 - clock[0] / wall)
                print(
                    f"round {number}: {wall:.2f} s, {clock[0]:.2f} s in backends, {shares[-1]:.1%} outside",
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
