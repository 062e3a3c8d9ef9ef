"""What the store knows of its runs, in figures: how far briefs come, what is slow, what fails, what it costs.

Every figure of a console, a page or a report over many runs is counted here; those only draw."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipeline.brief import Record
from pipeline.store import Store
from pipeline.store.runs import OPEN
from pipeline.store.tables import CallRow, RunRow

STAGES = ("text", "image", "scorer")
# How long a stretch of `Stats.spend` is, by the name it gets.
HOUR, DAY, MONTH = "%Y-%m-%d %H:00", "%Y-%m-%d", "%Y-%m"


class Totals(Record):
    """Over the runs that have ended. What cannot be said of none is None."""

    ended: int
    accepted: float | None  # share
    images_each: float | None  # images painted for each accepted picture
    seconds: float | None  # median of a brief
    tokens: int
    joules: float
    measured: bool
    money: float
    degraded: int  # calls that a stand-in answered


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


class Spend(Record):
    """What a day or an hour took."""

    day: str
    runs: int
    images: int
    seconds: float
    tokens: int
    joules: float
    measured: bool
    money: float
    by_stage: dict[str, float]  # joules


class Fall(Record):
    """A call that failed, or that a stand-in answered."""

    at: datetime
    stage: str
    model: str
    why: str
    run: str


class Stats(Record):
    totals: Totals
    funnel: dict[str, int]
    latency: tuple[Latency, ...]
    failures: dict[str, dict[str, int]]  # kind of requirement → outcome → checks of candidates
    spend: tuple[Spend, ...]
    currency: str
    degraded: dict[str, int]  # descents, and in how many runs
    fallen: tuple[Fall, ...]  # in order of time


def gather(store: Store, batch: str | None = None, since: datetime | None = None, by: str = DAY) -> Stats:
    """Figures over all runs of a store, or over those of a batch, or since a moment."""
    runs = store.runs.find(batch=batch, since=since)
    ids = [run.id for run in runs]
    calls = store.runs.calls_of(ids)
    return Stats(
        totals=_totals(runs, calls),
        funnel=_funnel(runs, store),
        latency=tuple(_latency(stage, [c for c in calls if c.stage == stage]) for stage in STAGES),
        failures=_failures(ids, store),
        spend=_spend(runs, calls, by),
        currency=str(((runs[0].settings or {}).get("machine") or {}).get("currency", "")) if runs else "",
        degraded=dict(Counter(text for run in runs for text in (run.degraded or "").split("; ") if text)),
        fallen=tuple(
            Fall(at=c.started, stage=c.stage, model=c.model, why=c.degraded or c.error or "", run=c.run)
            for c in calls
            if c.degraded or c.error
        ),
    )


def _totals(runs: Sequence[RunRow], calls: Sequence[CallRow]) -> Totals:
    ended = [run for run in runs if run.status not in OPEN]
    accepted = sum(run.status == "accepted" for run in ended)
    images = sum(run.images for run in ended)
    return Totals(
        ended=len(ended),
        accepted=accepted / len(ended) if ended else None,
        images_each=images / accepted if accepted else None,
        seconds=statistics.median(run.seconds for run in ended) if ended else None,
        tokens=sum(call.tokens for call in calls),
        joules=sum(call.joules for call in calls),
        measured=_measured(calls),
        money=sum(call.money for call in calls),
        degraded=len({(call.stage, call.started) for call in calls if call.degraded}),
    )


def _funnel(runs: Sequence[RunRow], store: Store) -> dict[str, int]:
    status = Counter(run.status for run in runs)
    first = sum(run.status == "accepted" and str(run.best or "").startswith("1-") for run in runs)
    approved = {review.run for review in store.reviews.standing() if review.decision == "approve"}
    return {
        "briefs": len(runs),
        "read": sum(run.reading is not None for run in runs),
        "painted": sum(run.images > 0 or run.best is not None for run in runs),
        "accepted": status["accepted"],
        "accepted at the first attempt": first,
        "approved by a person": len(approved & {run.id for run in runs}),
        "needs review": status["needs_review"],
        "exhausted": status["exhausted"],
        "failed": status["failed"],
        "under way": sum(status[open] for open in OPEN),
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
        degraded=len({call.started for call in calls if call.degraded}),
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


def _spend(runs: Sequence[RunRow], calls: Sequence[CallRow], by: str) -> tuple[Spend, ...]:
    stretches: dict[str, list[CallRow]] = defaultdict(list)
    for call in calls:
        stretches[call.started.strftime(by)].append(call)
    began = Counter(run.started.strftime(by) for run in runs)
    return tuple(
        Spend(
            day=day, runs=began[day],
            images=sum(
                len(c.record["outputs"]) - len(c.record["kept"]) for c in stretches[day]
                if c.stage == "image" and not c.error
            ),
            seconds=sum(c.seconds for c in stretches[day]),
            tokens=sum(c.tokens for c in stretches[day]),
            joules=sum(c.joules for c in stretches[day]),
            measured=_measured(stretches[day]),
            money=sum(c.money for c in stretches[day]),
            by_stage={
                stage: joules for stage in STAGES
                if (joules := sum(c.joules for c in stretches[day] if c.stage == stage))
            },
        )
        for day in sorted({*stretches, *began})
    )  # fmt: skip


def _measured(calls: Sequence[CallRow]) -> bool:
    return bool(calls) and all(call.record.get("measured", False) for call in calls)
