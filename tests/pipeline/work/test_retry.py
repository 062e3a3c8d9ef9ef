"""Rows that are run again: which, with which seed, and what reports and statistics show of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.protocols import Step
from pipeline.config import Preset
from pipeline.events import Outcome
from pipeline.painting.image import IMAGE_STEP
from pipeline.results.review import queue
from pipeline.results.stats import gather as statistics
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.store.runs import STOPPED
from pipeline.work.estimate import estimate
from pipeline.work.play import play, unfinished
from pipeline.work.report import gather
from pipeline.work.retry import SEED_STEP, enter, newest
from pipeline.work.row import Rows
from pipeline.work.rows import parse_rows

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}


@pytest.fixture
def rows(tiny: Tiny) -> Rows:
    """Two that are not met, and one that fails: it contradicts itself."""
    source = tiny(judge=NEVER_PASS, loop={"images": 2, "together": 1}).source
    text = "brief,seed\na cat,5\na dog,\nan apple but no apples,7\n"
    return parse_rows(text, "csv", "pets", str(source))


@pytest.fixture
def store(rows: Rows, tmp_path: Path) -> Store:
    """Where all of them have ended."""
    store = Store(tmp_path)
    list(play(rows.good, store, batch=rows.name))
    return store


def seeds(rows: Rows, store: Store) -> dict[str, int]:
    return {row.brief.text: row.brief.seed for row in newest(rows.good, store)}


def test_rows_that_were_not_met_get_another_seed(rows: Rows, store: Store) -> None:
    assert newest(rows.good, store) == list(rows.good)
    assert enter(rows.good, store, ["not-met"], rows.name) == (2, 0)
    assert [row.brief.text for row in unfinished(rows.good, store)] == ["a cat", "a dog"]
    assert seeds(rows, store) == {
        "a cat": 5 + SEED_STEP, "a dog": SEED_STEP, "an apple but no apples": 7,
    }  # fmt: skip
    expected = estimate(rows.good, store)
    assert expected is not None
    assert expected.briefs == 2
    before = {run.id: run.images for run in store.figures.runs([row.id for row in rows.good]).values()}
    ended = [h[1] for h in play(rows.good, store, batch=rows.name) if isinstance(h, tuple)]
    assert sum(isinstance(event, Outcome) for event in ended) == 2
    assert unfinished(rows.good, store) == []
    again = newest(rows.good, store)
    assert [candidate.seed for candidate in store.runs.candidates(again[0].id)] == [
        5 + SEED_STEP, 5 + SEED_STEP + IMAGE_STEP,
    ]  # fmt: skip
    for id, images in before.items():  # what was run before stays as it was
        run = store.runs.get(id)
        assert run is not None
        assert run.images == images
    assert enter(rows.good, store, ["not-met"], rows.name) == (2, 0)
    assert seeds(rows, store)["a cat"] == 5 + 2 * SEED_STEP


def test_what_failed_is_run_again_with_its_seed(rows: Rows, store: Store) -> None:
    assert enter(rows.good, store, ["failed"], rows.name) == (1, 0)
    (row,) = unfinished(rows.good, store)
    assert (row.brief.text, row.brief.seed, row.retry) == ("an apple but no apples", 7, 1)
    list(play(rows.good, store))
    assert enter(rows.good, store, ["failed", "not-met"], rows.name) == (3, 0)


def test_finished_rows_are_asked_anew(rows: Rows, store: Store) -> None:
    before = [h.image for row in rows.good for h in store.runs.candidates(row.id)]
    assert enter(rows.good, store, ["all"], rows.name) == (3, 0)
    assert seeds(rows, store) == {row.brief.text: row.brief.seed for row in rows.good}
    list(play(rows.good, store, fresh=True))
    calls = [call for row in newest(rows.good, store) for call in store.runs.calls(row.id)]
    assert sum(call.worked for call in calls if call.stage == "image") == 4
    assert sum(call.kept for call in calls) == 0
    assert [h.image for row in newest(rows.good, store) for h in store.runs.candidates(row.id)] == before


def test_an_interrupted_retry_is_continued_and_not_begun_again(rows: Rows, store: Store) -> None:
    enter(rows.good, store, ["not-met"], rows.name)
    stop = Stop()

    def on_step(step: Step) -> None:
        stop.pause()

    list(play(rows.good, store, stop=stop, on_step=on_step))
    left = unfinished(rows.good, store)
    assert left
    assert store.runs.statuses([row.id for row in left]) == {row.id: STOPPED for row in left}
    assert enter(rows.good, store, ["not-met"], rows.name) == (0, len(left))
    list(play(rows.good, store))
    assert unfinished(rows.good, store) == []
    assert {row.retry for row in newest(rows.good, store)} == {0, 1}


def test_reports_statistics_and_queue_show_the_newest_run(rows: Rows, store: Store) -> None:
    once = statistics(store, rows.name)
    enter(rows.good, store, ["not-met", "failed"], rows.name)
    waiting = statistics(store, rows.name)
    assert waiting.funnel["briefs"] == waiting.funnel["waiting or stopped"] == 3
    assert waiting.failures.get("object", {}).get("fail", 0) == 0
    assert gather(rows, store).counts == {"open": 3}
    list(play(rows.good, store, batch=rows.name))
    twice = statistics(store, rows.name)
    assert twice.funnel == once.funnel
    assert {kind: sum(n.values()) for kind, n in twice.failures.items() if sum(n.values())} == {
        kind: sum(n.values()) for kind, n in once.failures.items()
    }
    assert twice.totals.ended == 3
    assert sum(day.images for day in twice.spend) == 2 * sum(
        day.images for day in once.spend
    )  # all were painted
    again = {row.id for row in newest(rows.good, store)}
    assert {run.id for run in store.runs.find()} == again
    assert len(store.runs.find(replaced=True)) == 6
    assert {item.run.id for item in queue(store, "ann")} <= again
    report = gather(rows, store)
    assert {entry.run.id for entry in report.entries if entry.run} == again


def test_a_report_is_written_beside_a_running_batch_and_after_a_kill(rows: Rows, tmp_path: Path) -> None:
    store = Store(tmp_path)
    running = play(rows.good, store, batch=rows.name)
    for happened in running:
        if isinstance(happened, tuple) and isinstance(happened[1], Outcome):
            break
    beside = gather(rows, Store.existing(tmp_path))
    assert beside.counts == {"exhausted": 1, "open": 2}
