"""Statistics of a store: how far briefs come, what is slow, what fails, what it costs.

Every figure over many runs that a console or a page shows comes from here, and is counted by the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from models.specs import STAGES
from pipeline.brief import Record
from pipeline.store import Store
from pipeline.store.runs import OPEN, REASONS, RUNNING, STOPPED
from pipeline.store.statistics import Selection, StageCosts, StatusFigures

# How long a period of `Stats.spend` is, by the format of its name; the name of a longer one begins a shorter one's.
HOUR, DAY, MONTH = "%Y-%m-%d %H", "%Y-%m-%d", "%Y-%m"
MOST_FALLEN = 100  # calls in `Stats.fallen`


class Totals(Record):
    """Over the runs that have ended, and over all their calls. None: there is nothing to count it from."""

    ended: int
    accepted: float | None  # share
    images_each: float | None  # images for each accepted picture, kept ones included
    seconds: float | None  # median of a brief
    tokens: int
    joules: float
    measured: bool  # all joules; else some are estimated
    money: float
    degraded: int  # calls that a fallback answered


class Latency(Record):
    """Seconds of whole model calls of a stage, and its tokens. Calls answered from kept results are left out.

    `handed_up`: of the calls, those about what a smaller model left open; `handed_up_seconds`: of all of these."""

    stage: str
    calls: int
    p50: float
    p90: float
    p99: float
    tokens: int
    errors: int
    degraded: int
    handed_up: int = 0
    handed_up_seconds: float = 0.0


class Spend(Record):
    """What an hour, a day or a month took. `day` names it: "2026-03-01 14", "2026-03-01" or "2026-03", in UTC."""

    day: str
    runs: int  # that began then
    images: int
    seconds: float
    tokens: int
    joules: float
    measured: bool
    money: float
    by_stage: dict[str, float]  # joules


class Fall(Record):
    """A call that failed, or that a fallback answered."""

    at: datetime
    stage: str
    model: str
    why: str
    run: str


class Stats(Record):
    totals: Totals
    funnel: dict[str, int]
    latency: tuple[Latency, ...]
    failures: dict[str, dict[str, int]]  # kind of requirement → outcome → checks of must-haves
    spend: tuple[Spend, ...]  # in order of time
    currency: str
    degraded: dict[str, int]  # reason → runs that were degraded for it
    fallen: tuple[Fall, ...]  # the newest MOST_FALLEN, in order of time


def gather(store: Store, batch: str | None = None, since: datetime | None = None, by: str = DAY) -> Stats:
    """Figures over all runs of a store, over those of a batch, or over those that began in the hour of `since` or
    later. `by`: HOUR, DAY or MONTH."""
    count, chosen = store.statistics, Selection(batch, since)
    statuses, costs, fallen = (
        count.statuses(chosen),
        count.costs(chosen, _length(by)),
        count.fallen_calls(chosen),
    )
    newest = count.newest(chosen)
    return Stats(
        totals=_totals(statuses, costs, fallen, count.median_seconds(chosen)),
        funnel=_funnel(statuses, count.unread(chosen), count.decided(chosen)),
        latency=_latency(store, chosen, costs, fallen),
        failures=count.check_outcomes(chosen),
        spend=_spend(count.starts(chosen, _length(by)), costs),
        currency=str((newest.settings.get("machine") or {}).get("currency", "")) if newest else "",
        degraded=_reasons(count.degraded_runs(chosen)),
        fallen=tuple(
            Fall(at=c.started, stage=c.stage, model=c.model, why=c.degraded or c.error or "", run=c.run)
            for c in reversed(count.newest_fallen(chosen, MOST_FALLEN))
        ),
    )


def spend_by(
    store: Store, by: str, batch: str | None = None, since: datetime | None = None
) -> tuple[Spend, ...]:
    """`Stats.spend` alone."""
    count, chosen, length = store.statistics, Selection(batch, since), _length(by)
    return _spend(count.starts(chosen, length), count.costs(chosen, length))


def _length(by: str) -> int:
    """How many characters of an hour's name are the name of its period."""
    return len(f"{datetime(2026, 3, 1):{by}}")


def _totals(
    statuses: Mapping[str, StatusFigures],
    costs: Sequence[StageCosts],
    fallen: Mapping[str, tuple[int, int]],
    median: float | None,
) -> Totals:
    over = {status: figures for status, figures in statuses.items() if status not in OPEN}
    ended, images = sum(f.runs for f in over.values()), sum(f.images for f in over.values())
    accepted = over["accepted"].runs if "accepted" in over else 0
    return Totals(
        ended=ended,
        accepted=accepted / ended if ended else None,
        images_each=images / accepted if accepted else None,
        seconds=median,
        tokens=sum(cost.tokens for cost in costs),
        joules=sum(cost.joules for cost in costs),
        measured=_measured(costs),
        money=sum(cost.money for cost in costs),
        degraded=sum(degraded for _, degraded in fallen.values()),
    )


def _funnel(statuses: Mapping[str, StatusFigures], unread: int, decided: Mapping[str, int]) -> dict[str, int]:
    of = {status: statuses.get(status, StatusFigures()) for status in (*statuses, "accepted")}
    runs = Counter({status: figures.runs for status, figures in of.items()})
    return {
        "briefs": runs.total(),
        "read": runs.total() - unread,
        "painted": sum(figures.painted for figures in of.values()),
        "accepted": runs["accepted"],
        "accepted at the first attempt": of["accepted"].first,
        "approved by a person": decided.get("accepted", 0),
        "needs review": runs["needs_review"],
        "rejected by a person": decided.get("rejected", 0),
        "exhausted": runs["exhausted"],
        "failed": runs["failed"],
        "under way": runs[RUNNING],
        "waiting or stopped": runs[STOPPED],
    }


def _latency(
    store: Store, chosen: Selection, costs: Sequence[StageCosts], fallen: Mapping[str, tuple[int, int]]
) -> tuple[Latency, ...]:
    took, handed = store.statistics.percentiles(chosen), store.statistics.handed_up(chosen)
    found = []
    for stage in STAGES:
        errors, degraded = fallen.get(stage, (0, 0))
        times = took[stage]
        found.append(
            Latency(
                stage=stage, calls=times.calls, p50=times.p50, p90=times.p90, p99=times.p99,
                tokens=sum(cost.tokens for cost in costs if cost.stage == stage), errors=errors, degraded=degraded,
                handed_up=handed.get(stage, (0, 0.0))[0], handed_up_seconds=handed.get(stage, (0, 0.0))[1],
            )
        )  # fmt: skip
    return tuple(found)


def _spend(starts: Mapping[str, int], costs: Sequence[StageCosts]) -> tuple[Spend, ...]:
    periods: dict[str, list[StageCosts]] = {}
    for cost in costs:
        periods.setdefault(cost.period, []).append(cost)
    return tuple(
        _period(name, starts.get(name, 0), periods.get(name, ())) for name in sorted({*periods, *starts})
    )


def _period(name: str, runs: int, costs: Sequence[StageCosts]) -> Spend:
    joules = {stage: sum(cost.joules for cost in costs if cost.stage == stage) for stage in STAGES}
    return Spend(
        day=name, runs=runs, images=sum(cost.images for cost in costs), seconds=sum(cost.seconds for cost in costs),
        tokens=sum(cost.tokens for cost in costs), joules=sum(cost.joules for cost in costs),
        measured=_measured(costs), money=sum(cost.money for cost in costs),
        by_stage={stage: used for stage, used in joules.items() if used},
    )  # fmt: skip


def _measured(costs: Sequence[StageCosts]) -> bool:
    return bool(costs) and not any(cost.estimated for cost in costs)


def _reasons(joined: Mapping[str, int]) -> dict[str, int]:
    """How many runs have each reason, from how many have each list of reasons."""
    found: Counter[str] = Counter()
    for reasons, runs in joined.items():
        for reason in reasons.split(REASONS):
            found[reason] += runs
    return dict(found.most_common())
