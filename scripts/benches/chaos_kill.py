"""Kill batches at random moments, start them again, and check that nothing is lost, duplicated or done twice.

    python -m scripts.benches.chaos_kill --kills 100           # real `easel batch` processes
    python -m scripts.benches.chaos_kill --kills 100 --warm    # forks of one process with loaded models

A round is one batch in a fresh folder: started, killed with SIGKILL, and started again with the same command, until a
process reaches the end. The result must equal that of a batch that was not disturbed: the same folders and files, every
picture byte for byte, the same rows in the store; and no result that was stored may have been computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
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
# What may differ between two runs: times and costs.
_WHEN = {"started", "seconds", "joules", "measured", "money", "calls"}


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


def state(out: Path) -> dict[str, str]:
    """Everything in an output folder and its store that must not depend on interruptions: name → content or hash."""
    from pipeline.store import Store

    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = str(path.relative_to(out))
        if path.suffix == ".png":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "run.json":
            found[name] = json.dumps(_timeless(json.loads(path.read_text())), sort_keys=True)
        elif not name.startswith(("easel.db", "easel.lock", "report.")):
            found[name] = "present"
    store = Store(out)
    for run in store.runs.find():
        key = f"store/{run.folder}"
        found[key] = f"{run.id} {run.status} {run.reason} {run.best} {run.images} {run.tokens}"
        found[f"{key}/attempts"] = str([(a.number, a.record) for a in store.runs.attempts(run.id)])
        found[f"{key}/pictures"] = str(
            [(c.id, c.image, c.gate, c.score) for c in store.runs.candidates(run.id)]
        )
        found[f"{key}/checks"] = str([(c.candidate, c.requirement, c.outcome, c.probability)
                                      for c in store.runs.checks(run.id)])  # fmt: skip
        found[f"{key}/calls"] = str([(c.attempt, c.position, c.stage) for c in store.runs.calls(run.id)])
    found["store/results"] = str(sorted(store.results.count().items()))
    found["store/jobs"] = str(len(store.jobs.list()))
    store.close()
    return found


def _timeless(record: Any) -> Any:
    if isinstance(record, dict):
        return {key: _timeless(value) for key, value in record.items() if key not in _WHEN}
    return [_timeless(item) for item in record] if isinstance(record, list) else record


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    names = sorted(found.keys() | wanted.keys())
    return [
        f"{'lost' if name not in found else 'too much' if name not in wanted else 'differs'}: {name}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]


def main(
    kills: Annotated[int, typer.Option(min=0, help="least number of kills")] = 100,
    warm: Annotated[bool, typer.Option("--warm", help="fork one process with loaded models")] = False,
    preset: Annotated[str, typer.Option()] = "mini",
    images: Annotated[int, typer.Option(help="image limit of each brief")] = 4,
    longest: Annotated[
        float, typer.Option(help="most seconds before a kill; 0: the time of an undisturbed batch")
    ] = 0,
    seed: Annotated[int, typer.Option(help="seed of the random moments")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="keep the folders")] = False,
) -> None:
    """Exit status 0 if every round ended like the undisturbed batch."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="easel-chaos-"))
    (folder / "stickers.jsonl").write_text(
        "".join(json.dumps({"brief": text, "seed": 7}) + "\n" for text in BRIEFS)
    )
    start = fork if warm else whole_process
    if warm:
        warm_up(preset)

    def batch(out: Path, life: float | None) -> bool:
        """Run a batch, and kill it after `life` seconds. Returns whether it reached its end."""
        os.environ[JOURNAL] = str(out.with_suffix(".journal"))
        pid = start(
            ["batch", str(folder / "stickers.jsonl"), "--preset", preset, "--out", str(out), "--set",
             f"loop.images={images}"], out.with_suffix(".log"),
        )  # fmt: skip
        until = time.monotonic() + life if life is not None else None
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                if code not in (0, 3):
                    log = out.with_suffix(".log").read_text()
                    raise SystemExit(f"a batch ended with {code}:\n{log[-3000:]}")
                return True
            if until is not None and time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return False
            time.sleep(0.002)

    began = time.monotonic()
    batch(folder / "undisturbed", None)
    whole = time.monotonic() - began
    longest = longest or whole
    wanted = state(folder / "undisturbed")
    print(f"undisturbed: {whole:.1f} s, {len(wanted)} things to compare, among them "
          f"{sum(name.endswith('.png') for name in wanted)} pictures", flush=True)  # fmt: skip
    killed = rounds = repeated = 0
    wrong: list[str] = []
    while killed < kills:
        rounds += 1
        out = folder / f"round{rounds}"
        lives = 1
        # A third of the kills come within the first tenth of the time.
        while not batch(out, chance.uniform(0, longest * (0.1 if chance.random() < 0.33 else 1.0))):
            lives += 1
            killed += 1
        journal = Counter(out.with_suffix(".journal").read_text().splitlines())
        twice = [line for line, times in journal.items() if times > 1]
        repeated += len(twice)
        found = differences(state(out), wanted)
        wrong += found
        print(f"round {rounds}: {lives} lives, {len(journal)} results, {len(twice)} made twice, "
              f"{len(found)} differences {found[:5]}; {killed} kills so far", flush=True)  # fmt: skip
        if not keep:
            shutil.rmtree(out)
    if not keep:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    print(f"{killed} kills in {rounds} rounds ({'forks' if warm else 'whole processes'}): "
          f"{len(wrong)} differences, {repeated} kept results made twice")  # fmt: skip
    raise typer.Exit(1 if wrong or repeated else 0)


if __name__ == "__main__":
    typer.run(main)
