"""Statistics, on SQLite and on a real Postgres, against plain counts over the same rows."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from models.specs import STAGES
from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.events import Attempt, Event, Outcome
from pipeline.loop import run
from pipeline.results.stats import DAY, HOUR, MONTH, MOST_FALLEN, Stats, gather
from pipeline.store import Store
from pipeline.store.engine import driver, migrate
from pipeline.store.reviews import Review
from pipeline.store.runs import REASONS
from pipeline.store.tables import CallRow, CheckRow, RunRow
from scripts.benches.statistics import END, Rows, fill, random_runs
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]
WORDS = "two purple zebras on a red background"
RUNS = 100  # enough for each status, batch, error and kept answer to occur
SINCE = END - timedelta(days=20)


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(tmp_path / "out", store_url)
    yield opened
    opened.close()


def played(preset: Preset, store: Store, texts: Sequence[str]) -> list[Event]:
    """Runs with ids run-0, run-1, … through the loop into the store."""
    briefs = [Brief(text=text, seed=5) for text in texts]
    for i, brief in enumerate(briefs):
        store.runs.begin(f"run-{i}", brief, preset, store.out)
    events = []
    for event in run(briefs, preset, load(preset)):
        store.runs.take(f"run-{event.brief}", event)
        events.append(event)
    return events


def counted(rows: Rows, batch: str | None, since: datetime | None, by: str) -> dict[str, Any]:
    """The figures of `Stats`, counted one by one from rows of runs, checks and calls."""
    runs = [
        run
        for run in rows[RunRow]
        if (batch is None or run["batch"] == batch) and (since is None or run["started"] >= since)
    ]
    ids = {run["id"] for run in runs}
    calls = sorted((c for c in rows[CallRow] if c["run"] in ids), key=lambda c: c["started"])
    checks = [check for check in rows[CheckRow] if check["run"] in ids and check["must"]]
    ended = [run for run in runs if run["status"] not in ("running", "stopped")]
    status = Counter(run["status"] for run in runs)
    accepted = [run for run in runs if run["status"] == "accepted"]
    latency = []
    for stage in STAGES:
        mine = [call for call in calls if call["stage"] == stage]
        answered = [
            c for c in mine if not c["error"] and len(c["record"]["kept"]) < len(c["record"]["inputs"])
        ]
        up = {c["started"]: c["record"]["wall"] for c in answered if c["record"]["handed_up"]}
        walls = sorted({call["started"]: call["record"]["wall"] for call in answered}.values())
        # Stores of former versions have no calls of a detector.
        points = statistics.quantiles(walls, n=100, method="inclusive") if walls else [0.0] * 99
        latency.append(
            {
                "stage": stage, "calls": len(walls), "p50": points[49], "p90": points[89], "p99": points[98],
                "tokens": sum(call["tokens"] for call in mine),
                "errors": len({call["started"] for call in mine if call["error"]}),
                "degraded": len({call["started"] for call in mine if call["degraded"]}),
                "handed_up": len(up), "handed_up_seconds": sum(up.values(), 0.0),
            }
        )  # fmt: skip
    failures: dict[str, Counter[str]] = {}
    for check in checks:
        failures.setdefault(check["kind"], Counter())[check["outcome"]] += 1
    periods = sorted({f"{row['started']:{by}}" for row in (*runs, *calls)})
    fallen = [c for c in calls if c["degraded"] or c["error"]]
    return {
        "totals": {
            "ended": len(ended), "accepted": len(accepted) / len(ended),
            "images_each": sum(run["images"] for run in ended) / len(accepted),
            "seconds": statistics.median(run["seconds"] for run in ended),
            **spent(calls), "degraded": sum(stage["degraded"] for stage in latency),
        },
        "funnel": {
            "briefs": len(runs), "read": len(runs), "painted": sum(run["best"] is not None for run in runs),
            "accepted": len(accepted),
            "accepted at the first attempt": sum(run["best"].startswith("1-") for run in accepted),
            "approved by a person": 0, "needs review": status["needs_review"], "rejected by a person": 0,
            "exhausted": status["exhausted"], "failed": status["failed"],
            "under way": status["running"],
            "waiting or stopped": status["stopped"],
        },
        "latency": tuple(latency),
        "failures": {kind: dict(counts) for kind, counts in failures.items()},
        "spend": tuple(
            {
                "day": name, "runs": sum(f"{run['started']:{by}}" == name for run in runs),
                "images": sum(
                    len(c["record"]["outputs"]) - len(c["record"]["kept"])
                    for c in mine if c["stage"] == "image" and not c["error"]
                ),
                "seconds": sum(call["seconds"] for call in mine), **spent(mine),
                "by_stage": {
                    stage: joules for stage in STAGES
                    if (joules := sum(c["joules"] for c in mine if c["stage"] == stage))
                },
            }
            for name in periods for mine in ([c for c in calls if f"{c['started']:{by}}" == name],)
        ),
        "currency": "EUR",
        "degraded": Counter(reason for run in runs if run["degraded"] for reason in run["degraded"].split(REASONS)),
        "fallen": [
            {"at": c["started"], "stage": c["stage"], "model": c["model"], "why": c["degraded"] or c["error"]}
            for c in fallen[-MOST_FALLEN:]
        ],
    }  # fmt: skip


def spent(calls: list[dict[str, Any]]) -> dict[str, Any]:
    sums = {name: sum(call[name] for call in calls) for name in ("tokens", "joules", "money")}
    return sums | {"measured": bool(calls) and all(call["record"]["measured"] for call in calls)}


def agree(found: Stats, expected: dict[str, Any]) -> None:
    told = found.model_dump()
    for call in told["fallen"]:
        call.pop("run")  # of one call, the runs that shared it come in any order
    for part, figures in expected.items():
        assert near(told[part], figures), (part, told[part], figures)


def near(found: Any, expected: Any) -> bool:
    """Equal, but for the order in which floats are summed."""
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(near(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(near, found, expected))
    return bool(found == (pytest.approx(expected) if isinstance(expected, float) else expected))


def together(count: int, seed: int) -> Rows:
    whole: Rows = {}
    for wave in random_runs(count, seed):
        for table, rows in wave.items():
            whole.setdefault(table, []).extend(rows)
    return whole


@pytest.mark.parametrize("seed", [1, 2])
def test_figures_are_those_of_a_plain_count(store: Store, seed: int) -> None:
    fill(store, RUNS, seed)
    rows = together(RUNS, seed)
    for batch, since, by in (
        (None, None, DAY), (None, None, HOUR), ("stickers", None, DAY), (None, SINCE, MONTH), ("posters", SINCE, DAY)
    ):  # fmt: skip
        agree(gather(store, batch, since, by), counted(rows, batch, since, by))


def test_since_begins_with_its_hour(store: Store) -> None:
    fill(store, RUNS)
    assert gather(store, since=SINCE + timedelta(minutes=59)) == gather(store, since=SINCE)


def test_an_older_store_has_the_same_figures(tmp_path: Path, store_url: str | None) -> None:
    out, seed = tmp_path / "out", 4
    out.mkdir()
    url = store_url or f"sqlite:///{out}/easel.db"
    rows = together(RUNS, seed)
    engine = create_engine(driver(url))
    with engine.begin() as connection:
        migrate(connection, "0002")
        for table, some in rows.items():
            older = [
                {k: v for k, v in row.items() if k not in ("hour", "worked", "loop_status")} for row in some
            ]
            connection.execute(table.__table__.insert(), older)  # type: ignore[attr-defined]
    engine.dispose()
    store = Store(out, url)
    for batch, since in ((None, None), ("stickers", None), (None, SINCE)):
        agree(gather(store, batch, since), counted(rows, batch, since, DAY))
    with store.engine.connect() as connection:
        worked = {
            tuple(key): n
            for *key, n in connection.execute(
                CallRow.__table__.select().with_only_columns(
                    CallRow.run, CallRow.attempt, CallRow.position, CallRow.worked
                )
            )
        }
    assert worked == {(c["run"], c["attempt"], c["position"]): c["worked"] for c in rows[CallRow]}
    store.close()


def test_statistics_of_an_empty_store(store: Store) -> None:
    stats = gather(store)
    assert (stats.totals.ended, stats.totals.seconds, stats.totals.measured) == (0, None, False)
    assert [stage.calls for stage in stats.latency] == [0] * len(STAGES)
    assert stats.spend == stats.fallen == ()


def test_what_the_loop_writes_is_counted_once_however_often_it_is_played(
    tiny: Tiny, tiny_text: str, store: Store
) -> None:
    preset = tiny(
        judge=NEVER_PASS, loop={"images": 2, "reader": "model"}, text={"model": tiny_text},
        machine={"price": 360.0},
    )  # fmt: skip
    texts = (WORDS, "a cat", "a cat, 64x64 pixels, 128x64 pixels")
    events = played(preset, store, texts)
    stats = gather(store)
    assert stats.funnel["briefs"] == 3
    assert stats.funnel["painted"] == 2
    assert stats.funnel["exhausted"] == 2
    assert stats.funnel["failed"] == 1
    text, image, scorer, *others = stats.latency
    assert [other.calls for other in others] == [0] * (len(STAGES) - 3)
    assert (text.calls, image.calls, scorer.calls) == (1, 2, 2)  # three briefs, two waves: batched
    assert text.tokens > 0
    assert 0 < image.p50 <= image.p90 <= image.p99
    checks = [c for e in events if isinstance(e, Attempt) for v in e.verdicts for c in v.checks]
    assert sum(sum(row.values()) for row in stats.failures.values()) == len(checks)
    assert stats.failures["intact"]["pass"] == 4
    assert sum(period.images for period in stats.spend) == 4
    assert sum(period.runs for period in stats.spend) == 3
    money = sum(event.money for event in events if isinstance(event, Outcome))
    assert sum(period.money for period in stats.spend) == pytest.approx(money)
    assert not any(period.measured for period in stats.spend)
    for event in events:
        store.runs.take(f"run-{event.brief}", event)
    assert gather(store) == stats


def test_runs_that_a_person_approved_are_counted_once(store: Store) -> None:
    fill(store, RUNS)
    of_batch, of_none = store.runs.find(batch="stickers")[0].id, store.runs.find(batch="posters")[0].id
    for run_id, who, decision in (
        (of_batch, "ann", "approve"), (of_batch, "bo", "approve"), (of_none, "ann", "approve"), (of_none, "ann", "undo")
    ):  # fmt: skip
        store.reviews.add(Review(run=run_id, candidate="1-1", who=who, decision=decision))  # type: ignore[arg-type]
    approved = "approved by a person"
    assert [gather(store, batch).funnel[approved] for batch in (None, "stickers", "posters")] == [1, 1, 0]


def test_only_the_newest_fallen_calls_are_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.results.stats.MOST_FALLEN", 10)
    many = 3 * RUNS
    fill(store, many)
    calls = together(many, 0)[CallRow]
    fallen = sorted(c["started"] for c in calls if c["degraded"] or c["error"])
    assert len(fallen) > 10
    assert [fall.at for fall in gather(store).fallen] == fallen[-10:]


def test_a_reason_with_a_semicolon_stays_whole(tiny: Tiny, tmp_path: Path) -> None:
    store, preset = Store(tmp_path), tiny(loop={"images": 1})
    brief, row = Brief(text="a cat"), "0" * 32
    why = "image, out of memory; lower max_batch → cpu"
    store.runs.begin(row, brief, preset, tmp_path)
    for event in run([brief], preset, load(preset)):
        store.runs.take(
            row,
            event.model_copy(update={"degraded": (why, "scorer, hung")})
            if isinstance(event, Outcome)
            else event,
        )
    assert gather(store).degraded == {why: 1, "scorer, hung": 1}
