"""How long questions about the whole history take, and how much memory, in a store of many runs.

    python -m scripts.benches.statistics --runs 1000 --runs 100000

Each question is asked in a process of its own. The target is under a second each; on a busy machine, compare the CPU
seconds.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.brief import Brief
from pipeline.config import load_preset
from pipeline.results.stats import gather
from pipeline.store import Store, sums
from pipeline.store.engine import writing
from pipeline.store.rows import add_new
from pipeline.store.sums import hour_of
from pipeline.store.tables import AttemptRow, CallRow, CandidateRow, CheckRow, RunRow, Table
from pipeline.work.estimate import estimate
from pipeline.work.row import Row

KINDS = ("object", "count", "attribute", "background", "style")
END = datetime(2026, 3, 31, 12, tzinfo=UTC)  # the newest run begins before it
DAYS = 60  # that the runs are spread over
_PORTION = 2_000  # runs that are inserted in one transaction

Rows = dict[type[Table], list[dict[str, Any]]]


def random_runs(count: int, seed: int = 0) -> Iterator[Rows]:
    """Rows of `count` runs, a wave of one to eight of them at a time: about 1.2 attempts, 4 calls and 5 checks each,
    with batched calls, kept answers, errors, degraded calls, several batches and runs that are still open."""
    draw = random.Random(seed)
    preset = load_preset("mini")
    settings = preset.model_dump(mode="json", by_alias=True)
    made = 0
    while made < count:
        size = min(draw.randint(1, 8), count - made)
        began = (
            END - timedelta(days=DAYS) * (1 - made / count) + timedelta(microseconds=draw.randrange(10**6))
        )
        rows: Rows = {table: [] for table in (RunRow, AttemptRow, CandidateRow, CheckRow, CallRow)}
        batch = draw.choice((None, "stickers", "posters"))
        ids = [f"{draw.getrandbits(128):032x}" for _ in range(size)]
        _wave_calls(draw, rows[CallRow], ids, 0, began, ("text",))
        for number, id in enumerate(ids, made):
            _run(draw, rows, id, number, began + timedelta(seconds=1), batch, settings)
        _wave_calls(draw, rows[CallRow], ids, 1, began + timedelta(seconds=2), ("image", "scorer"))
        again = [id for id in ids if draw.random() < 0.2]
        _wave_calls(draw, rows[CallRow], again, 2, began + timedelta(seconds=9), ("text", "image", "scorer"))
        for id in again:
            _attempt(draw, rows, id, 2)
        made += size
        yield rows


def _run(
    draw: random.Random,
    rows: Rows,
    id: str,
    number: int,
    began: datetime,
    batch: str | None,
    settings: dict[str, Any],
) -> None:
    status = draw.choices(
        ("accepted", "needs_review", "exhausted", "failed", "running", "stopped"), (70, 10, 14, 2, 1, 3)
    )[0]
    text = f"a {draw.choice(('panda', 'guitar', 'red apple'))} on a yellow background, number {number}"
    painted = status not in ("failed", "running")
    reasons = ("scorer, CUDA out of memory → cpu", "text, NaN → rules; scorer, hung → cpu")
    best, reason = f"{draw.randint(1, 2)}-1" if painted else None, "every must-have passed"
    reading = {
        "requirements": [{"id": f"r{i}", "kind": k, "text": k} for i, k in enumerate(KINDS)],
        "reader": "rules",
    }
    rows[RunRow].append(
        {
            "id": id, "folder": f"brief-{number}", "batch": batch, "job": None, "text": text, "preset": "mini",
            "seed": number, "status": status, "loop_status": status, "reason": reason,
            "images": draw.randint(1, 4) * painted,
            "degraded": draw.choice(reasons) if draw.random() < 0.02 else None,
            "tokens": draw.randrange(400), "seconds": draw.expovariate(0.1),
            "best": best, "started": began, "hour": hour_of(began), "ended": began + timedelta(seconds=20),
            "brief": Brief(text=text).model_dump(mode="json"),
            "settings": settings, "reading": reading,
            "outcome": {"status": status, "reason": reason, "best": best and {"id": best}, "joules": 12.5},
        }
    )  # fmt: skip
    if painted:
        _attempt(draw, rows, id, 1)


def _attempt(draw: random.Random, rows: Rows, id: str, number: int) -> None:
    candidate = f"{number}-1"
    record = {"change": {"action": "first", "reason": ""}, "next": None}
    rows[AttemptRow].append({"run": id, "number": number, "action": "first", "record": record})
    rows[CandidateRow].append(
        {
            "run": id, "id": candidate, "attempt": number, "image": f"{draw.getrandbits(256):064x}", "seed": number,
            "gate": "pass", "score": draw.random(), "record": {"plan": {"prompt": {"text": "a panda" * 20}}},
        }
    )  # fmt: skip
    for i, kind in enumerate(KINDS):
        outcome = draw.choices(("pass", "fail", "unsure", "unchecked"), (80, 12, 5, 3))[0]
        rows[CheckRow].append(
            {
                "run": id, "candidate": candidate, "requirement": f"r{i}", "kind": kind, "must": draw.random() < 0.9,
                "outcome": outcome, "probability": draw.random(), "judge": "mini-scorer", "reason": "by the statements",
            }
        )  # fmt: skip


def _wave_calls(
    draw: random.Random,
    calls: list[dict[str, Any]],
    ids: list[str],
    attempt: int,
    began: datetime,
    stages: tuple[str, ...],
) -> None:
    """Calls that the runs of a wave share; each run has its part in them."""
    for position, stage in enumerate(stages):
        started = began + timedelta(seconds=position, microseconds=draw.randrange(10**6))
        wall, measured = draw.expovariate(2.0), draw.random() < 0.9
        error = "TimeoutError: the server did not answer" if draw.random() < 0.01 else None
        degraded = "CUDA out of memory → cpu" if draw.random() < 0.01 else None
        handed_up = "checks that the judges before left open" if position % 5 == 3 else None
        for id in ids:
            inputs = draw.randint(1, 3)
            kept = 0 if error else draw.choices((0, inputs, 1), (85, 10, 5))[0]
            worked = 0 if error else inputs - kept
            seconds = wall / len(ids) if worked or error else 0.0
            record = {
                "stage": stage, "model": {"name": f"mini-{stage}", "revision": "1"}, "started": started.isoformat(),
                "seconds": seconds, "wall": wall,
                "inputs": ["a panda on a yellow background, flat style " * 8] * inputs,
                "outputs": [] if error else [{"steps": 8, "guidance": 3.0}] * inputs, "kept": list(range(kept)),
                "measured": measured, "joules": seconds * 60, "error": error, "degraded": degraded,
                "handed_up": handed_up,
            }  # fmt: skip
            calls.append(
                {
                    "run": id, "attempt": attempt, "position": position, "stage": stage, "model": f"mini-{stage}",
                    "revision": "1", "started": started, "seconds": seconds, 
                    "tokens": 40 * worked if stage == "text" else 0, "kept": kept, "worked": worked,
                    "image_steps": 0 if error or stage != "image" else 8 * inputs, "joules": seconds * 60,
                    "money": seconds / 3600, "degraded": degraded, "error": error,
                    "record": record,
                }
            )  # fmt: skip


def fill(store: Store, count: int, seed: int = 0) -> None:
    """Put random runs into a store, in few transactions."""
    waiting: Rows = {}
    for wave in random_runs(count, seed):
        for table, rows in wave.items():
            waiting.setdefault(table, []).extend(rows)
        if len(waiting[RunRow]) >= _PORTION:
            _insert(store, waiting)
            waiting = {}
    if waiting:
        _insert(store, waiting)


def _insert(store: Store, rows: Rows) -> None:
    places = {run["id"]: sums.Place(run["hour"], run["batch"] or "") for run in rows[RunRow]}
    with writing(store.engine) as session:
        for table, some in rows.items():
            add_new(session, table, some)
        for table, add in ((CallRow, sums.add_calls), (CheckRow, sums.add_checks)):
            parts: dict[sums.Place, list[dict[str, Any]]] = {}
            for row in rows[table]:
                parts.setdefault(places[row["run"]], []).append(row)
            for place, some in parts.items():
                add(session, place, some)


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "nothing (imports only)": lambda store: None,
    "statistics of everything": gather,
    "statistics of 50 days": lambda store: gather(store, since=END - timedelta(days=50)),
    "statistics of a batch": lambda store: gather(store, batch="stickers"),
    "a run by its id": lambda store: store.runs.named(store.runs.find(limit=1, offset=500)[0].id),
    "a run by its folder": lambda store: store.runs.named("out/brief-500"),
    "a run by the start of its id": lambda store: store.runs.named("a0b1"),
    "gallery: the newest 25": lambda store: store.runs.find(limit=25),
    "gallery: of an outcome": lambda store: store.runs.find(status="failed", limit=25),
    "gallery: with a kind": lambda store: store.runs.find(kind="style", limit=25),
    "gallery: words that no brief has": lambda store: store.runs.find(text="zebra", limit=25),
    "estimate of a batch": lambda store: estimate([Row(1, Brief(text="a cat"), load_preset("mini"))], store),
}


def ask(out: Path, question: str) -> None:
    """Ask one question in this process. Print wall and CPU seconds, and the peak memory of the process (on Linux)."""
    store = Store(out)
    store.runs.find(limit=1)  # the connection, and what SQLAlchemy imports late
    wall, cpu = time.perf_counter(), time.process_time()
    QUESTIONS[question](store)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Not ru_maxrss: that of a new process begins with its parent's.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    memory = f"{int(peak[1]) / 1024:6.0f} MB" if peak else ""
    print(f"{question:34} {wall:7.3f} s  {cpu:7.3f} s of CPU  {memory}", flush=True)


def main(
    runs: Annotated[
        list[int] | None, typer.Option(help="how many runs the store has; may be repeated")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="an output folder with random runs; made if missing")
    ] = None,
    question: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    if question and store:
        ask(store, question)
        return
    for count in runs or (1_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            out = store or Path(folder)
            if not (out / "easel.db").exists():
                opened = Store(out)
                fill(opened, count)
                opened.close()
            print(f"{count:,} runs, {(out / 'easel.db').stat().st_size / 1e6:,.0f} MB", flush=True)
            for name in QUESTIONS:
                command = [
                    sys.executable,
                    "-m",
                    "scripts.benches.statistics",
                    "--store",
                    str(out),
                    "--question",
                    name,
                ]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    typer.run(main)
