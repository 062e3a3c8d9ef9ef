"""What a batch will take, from what the store has recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome
from pipeline.loop import run
from pipeline.store import Store
from pipeline.work.estimate import estimate
from pipeline.work.row import Row, Rows
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]


def test_without_recorded_speeds_there_is_no_estimate(tiny: Tiny, tmp_path: Path) -> None:
    preset, store = tiny(loop={"images": 3}), Store(tmp_path)
    found = estimate([Row(1, Brief(text="a cat"), preset)], store)
    assert found is not None
    assert found.seconds_likely is None
    assert "images: at most 3; no speeds" in str(found)
    assert estimate([], store) is None


def test_recorded_speeds_are_scaled_to_the_batch(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 2}, machine={"price": 3600.0})
    store, brief = Store(tmp_path), Brief(text="a cat")
    store.runs.begin("one", brief, preset, tmp_path)
    events = list(run([brief], preset, load(preset)))
    for event in events:
        store.runs.take("one", event)
    seconds = sum(c.seconds for e in events if isinstance(e, Attempt) for c in e.calls)
    assert isinstance(events[-1], Outcome)
    rows = [Row(n, Brief(text=f"{n} cats"), preset) for n in (1, 2, 3)]
    found = estimate(rows, store)
    assert found is not None
    assert (found.images_likely, found.images_most, found.runs) == (6, 6, 1)
    assert found.seconds_likely == pytest.approx(3 * seconds)
    assert found.money_likely == pytest.approx(3 * seconds)
    doubled = preset.model_copy(update={"image": preset.image.model_copy(update={"steps": 4})})
    slower = estimate([Row(row.line, row.brief, doubled) for row in rows], store)
    assert slower is not None
    assert slower.seconds_likely is not None
    assert found.seconds_likely < slower.seconds_likely < 2 * found.seconds_likely + 1e-9


def test_console_and_page_show_the_same_estimate(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts.commands.batch import estimate_batch
    from ui.batch import estimated

    preset = tiny(judge=NEVER_PASS, loop={"images": 2}, machine={"price": 3600.0})
    store = Store(tmp_path)
    rows = Rows("cats", tuple(Row(n, Brief(text=f"{n} cats"), preset) for n in (1, 2, 3)))
    for recorded in (False, True):
        if recorded:
            first = rows.good[0]
            store.runs.begin(first.id, first.brief, preset, tmp_path)
            for event in run([first.brief], preset, load(preset)):
                store.runs.take(first.id, event)
        expected = estimate(rows.good, store)
        assert expected is not None
        assert expected.briefs == 3 - recorded  # what is done already is not done again
        estimate_batch(rows, tmp_path)
        console, page = capsys.readouterr().out, estimated(rows, expected)
        assert f"images: {expected.images}" in console
        assert f"<b>{expected.images}</b>" in page
        assert bool(expected.time) == recorded
        if expected.time:
            assert f"model time: {expected.time}" in console
            assert f"<b>{expected.time}</b>" in page
