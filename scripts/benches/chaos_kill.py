"""Kill batches at random moments, start them again, and check that nothing is lost, duplicated or done twice.

    python -m scripts.benches.chaos_kill --kills 100           # real `easel batch` processes
    python -m scripts.benches.chaos_kill --kills 100 --warm    # forks of one process with loaded models
    python -m scripts.benches.chaos_kill --kills 20 --page     # `easel ui`: the page, its worker, or both are killed

A round is one batch in a fresh folder: started, killed with SIGKILL, and started again with the same command, until a
process reaches the end. A process is killed at a random moment after it has kept its first result. What is left must
equal what a batch that was not disturbed leaves: the same folders and files, every picture byte for byte, the same
rows, calls and spans in the store. No result that was kept may be computed again (not measured with --page).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.benches.chaos_compare import differences, state
from scripts.benches.chaos_page import Page

BRIEFS = (
    "a panda on a purple background, cartoon style",
    "a pink cat on a white background, flat style",
    "two owls on a gray background",
    "a red balloon on a white background, flat style",
    "a bee on a yellow background",
    "a fox above a house",
    "a whale on a blue background, cartoon style",
    "a red apple, and the apple must be blue",
)
JOURNAL = "EASEL_CHAOS_JOURNAL"


def child(arguments: Sequence[str]) -> int:
    """`easel batch` that also writes the key of each stored result to a journal. A key that is there twice was computed
    twice."""
    from pipeline.calls.kept import Result
    from pipeline.store.results import Results
    from scripts.easel import app

    keep = Results.put

    def put(self: Results, stage: str, results: dict[str, Result]) -> None:
        keep(self, stage, results)
        with Path(os.environ[JOURNAL]).open("a") as journal:
            journal.write("".join(f"{stage} {key}\n" for key in results))

    Results.put = put  # type: ignore[method-assign, assignment]
    return int(app(list(arguments), standalone_mode=False) or 0)


def whole_process(arguments: Sequence[str], log: Path) -> int:
    """Start a new process. Returns its id."""
    code = f"import sys; from scripts.benches.chaos_kill import child; sys.exit(child({list(arguments)!r}))"
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out).pid


def fork(arguments: Sequence[str], log: Path) -> int:
    """Fork this process with its loaded models. Returns the id."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        status = child(arguments)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
    raise AssertionError


def warm_up(preset: str) -> None:
    """Load the models once, for all forks."""
    import torch

    import models.load
    from pipeline.config import load_preset

    torch.set_num_threads(1)  # threads do not survive a fork
    loaded: dict[str, Any] = {}
    for name in ("load_text", "load_image", "load_scorer"):
        real = getattr(models.load, name)

        def cached(spec: Any, base: Path, offline: bool, real: Callable[..., Any] = real) -> Any:
            key = f"{spec!r}{base}"
            if key not in loaded:
                loaded[key] = real(spec, base, offline)
            return loaded[key]

        setattr(models.load, name, cached)
    from pipeline.calls.load import load

    load(load_preset(preset))
    import scripts.commands.batch  # noqa: F401


class Batch:
    """An `easel batch` in one output folder."""

    def __init__(
        self, out: Path, file: Path, settings: Sequence[str], start: Callable[[Sequence[str], Path], int]
    ):
        self.out, self._start = out, start
        self._words = ["batch", str(file), "--out", str(out), *settings]
        self._journal = out.with_suffix(".journal")
        self.first: float | None = None  # when it kept its first result

    def live(self, delay: float | None) -> bool:
        """Run until the end, or until `delay` seconds after the first result that is kept. Returns whether it reached
        its end."""
        os.environ[JOURNAL] = str(self._journal)
        before, until = self._size(), float("inf")
        pid = self._start(self._words, self.out.with_suffix(".log"))
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._check(os.waitstatus_to_exitcode(status))
                return True
            if until == float("inf") and self._size() > before:
                self.first = self.first or time.monotonic()
                until = time.monotonic() + delay if delay is not None else until
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return False
            time.sleep(0.002)

    def made(self) -> Counter[str]:
        """How often each kept result was computed."""
        return Counter(self._journal.read_text().splitlines())

    def _size(self) -> int:
        return self._journal.stat().st_size if self._journal.exists() else 0

    def _check(self, code: int) -> None:
        if code not in (0, 3):
            log = self.out.with_suffix(".log").read_text()
            raise SystemExit(f"a batch ended with {code}:\n{log[-3000:]}")


def main(
    kills: Annotated[int, typer.Option(min=0, help="least number of kills")] = 100,
    warm: Annotated[bool, typer.Option("--warm", help="fork one process with loaded models")] = False,
    page: Annotated[bool, typer.Option("--page", help="kill `easel ui` and its worker")] = False,
    preset: Annotated[str, typer.Option()] = "mini",
    images: Annotated[int, typer.Option(help="image limit of each brief")] = 4,
    briefs: Annotated[int, typer.Option(min=1, max=len(BRIEFS))] = len(BRIEFS),
    longest: Annotated[
        float,
        typer.Option(help="most seconds between a first result and a kill; 0: as an undisturbed batch"),
    ] = 0,
    seed: Annotated[int, typer.Option(help="seed of the random moments")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="keep the folders")] = False,
) -> None:
    """Exit status 0 if every round ended like the undisturbed batch."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="easel-chaos-"))
    file = folder / "stickers.jsonl"
    file.write_text("".join(json.dumps({"brief": text, "seed": 7}) + "\n" for text in BRIEFS[:briefs]))
    settings = ["--preset", preset, "--set", f"loop.images={images}"]
    if warm:
        warm_up(preset)

    def batch(name: str) -> Batch | Page:
        out = folder / name
        if page:
            return Page(out, file, preset, images, chance)
        return Batch(out, file, settings, fork if warm else whole_process)

    began = time.monotonic()
    calm = batch("undisturbed")
    calm.live(None)
    whole = time.monotonic() - began
    longest = longest or time.monotonic() - (calm.first or began)
    wanted = state(folder / "undisturbed")
    print(f"undisturbed: {whole:.1f} s, {len(wanted)} things to compare, among them "
          f"{sum(name.endswith('.png') for name in wanted)} pictures", flush=True)  # fmt: skip
    killed = rounds = repeated = 0
    wrong: list[str] = []
    while killed < kills:
        rounds += 1
        one = batch(f"round{rounds}")
        lives = 1
        # A third of the kills come soon after the first result.
        while not one.live(chance.uniform(0, longest * (0.1 if chance.random() < 0.33 else 1.0))):
            lives += 1
            killed += 1
        twice = [line for line, times in one.made().items() if times > 1]
        repeated += len(twice)
        found = differences(state(one.out), wanted)
        wrong += found
        print(f"round {rounds}: {lives} lives, {len(twice)} results made twice, "
              f"{len(found)} differences {found[:5]}; {killed} kills so far", flush=True)  # fmt: skip
        if not keep:
            shutil.rmtree(one.out)
    if not keep:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    kind = "page and worker" if page else "forks" if warm else "whole processes"
    print(
        f"{killed} kills in {rounds} rounds ({kind}): {len(wrong)} differences, {repeated} kept results made twice"
    )
    raise typer.Exit(1 if wrong or repeated else 0)


if __name__ == "__main__":
    typer.run(main)
