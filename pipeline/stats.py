"""What the store knows of its runs, in figures: how far briefs come, what is slow, what fails, what it costs."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from pipeline.brief import Record
from pipeline.store import Store
from pipeline.store.tables import CallRow, RunRow

STAGES = ("text", "image", "scorer")


class Latency(Record):
    """Seconds of whole model calls of a stage, and its tokens. Calls answered from kept results are left out."""

    stage: str
    calls: int
    p50: float
    p90: float
    p99: float
    tokens: int
    errors: int
    degraded: int


class Day(Record):
    day: str
    runs: int
    images: int
    seconds: float
    joules: float
    measured: bool
    money: float


class Stats(Record):
    funnel: dict[str, int]
    latency: tuple[Latency, ...]
    failures: dict[str, dict[str, int]]  # kind of requirement → outcome → checks of candidates
    spend: tuple[Day, ...]
    currency: str
    degraded: dict[str, int]  # descents, and in how many runs


def gather(store: Store, batch: str | None = None) -> Stats:
    """Figures over all runs of a store, or over those of a batch."""
    runs = store.runs.find(batch=batch)
    ids = [run.id for run in runs]
    calls = store.runs.calls_of(ids)
    return Stats(
        funnel=_funnel(runs, store),
        latency=tuple(_latency(stage, [c for c in calls if c.stage == stage]) for stage in STAGES),
        failures=_failures(ids, store),
        spend=_spend(runs, calls),
        currency=str(((runs[0].settings or {}).get("machine") or {}).get("currency", "")) if runs else "",
        degraded=dict(Counter(text for run in runs for text in (run.degraded or "").split("; ") if text)),
    )


def _funnel(runs: Sequence[RunRow], store: Store) -> dict[str, int]:
    status = Counter(run.status for run in runs)
    first = sum(run.status == "accepted" and str(run.best or "").startswith("1-") for run in runs)
    return {
        "briefs": len(runs),
        "read": sum(run.reading is not None for run in runs),
        "painted": sum(run.images > 0 or run.best is not None for run in runs),
        "accepted at the first attempt": first,
        "accepted": status["accepted"],
        "needs review": status["needs_review"],
        "exhausted": status["exhausted"],
        "failed": status["failed"],
        "under way": status["running"],
    }


def _latency(stage: str, calls: Sequence[CallRow]) -> Latency:
    # A batched call is there once for each run with a part in it; it began at one moment.
    whole: dict[Any, float] = {}
    for call in calls:
        if not call.error and len(call.record["kept"]) < len(call.record["inputs"]):
            wall = call.record.get("wall")
            whole[call.started] = call.seconds if wall is None else wall
    seconds = sorted(whole.values())
    return Latency(
        stage=stage, calls=len(seconds), p50=percentile(seconds, 50), p90=percentile(seconds, 90),
        p99=percentile(seconds, 99), tokens=sum(call.tokens for call in calls),
        errors=len({call.started for call in calls if call.error}),
        degraded=len({call.started for call in calls if call.record.get("degraded")}),
    )  # fmt: skip


def percentile(ordered: Sequence[float], percent: int) -> float:
    """By linear interpolation; 0 where there is nothing."""
    if len(ordered) < 2:
        return float(ordered[0]) if ordered else 0.0
    return statistics.quantiles(ordered, n=100, method="inclusive")[percent - 1]


def _failures(ids: Sequence[str], store: Store) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, outcome, count in store.runs.check_counts(ids):
        found[kind][outcome] += count
    return {kind: dict(found[kind]) for kind in sorted(found)}


def _spend(runs: Sequence[RunRow], calls: Sequence[CallRow]) -> tuple[Day, ...]:
    days: dict[str, list[CallRow]] = defaultdict(list)
    for call in calls:
        days[call.started.date().isoformat()].append(call)
    began = Counter(run.started.date().isoformat() for run in runs)
    return tuple(
        Day(
            day=day, runs=began[day],
            images=sum(
                len(c.record["outputs"]) - len(c.record["kept"]) for c in days[day]
                if c.stage == "image" and not c.error
            ),
            seconds=sum(c.seconds for c in days[day]),
            joules=sum(c.record.get("joules", 0.0) for c in days[day]),
            measured=bool(days[day]) and all(c.record.get("measured", False) for c in days[day]),
            money=sum(c.record.get("money", 0.0) for c in days[day]),
        )
        for day in sorted({*days, *began})
    )  # fmt: skip
