"""Runs once more, with a part of their preset changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.comparing.comparison import compare
from pipeline.comparing.replay import WAS, changes, recorded, replayed
from pipeline.config import Preset
from pipeline.errors import EaselError
from pipeline.store import Store
from pipeline.work.play import play
from pipeline.work.rows import parse_rows

Tiny = Callable[..., Preset]
NEVER = {"default": {"pass": 1.0, "fail": 0.999}}
ALWAYS = "judge={default: {pass: 0.0001, fail: 0.0}}"


@pytest.fixture
def preset(tiny: Tiny) -> Path:
    return tiny(judge=NEVER, loop={"images": 2, "together": 1}).source


@pytest.fixture
def store(preset: Path, tmp_path: Path) -> Store:
    """Two runs of a batch, which were not met."""
    store = Store(tmp_path)
    rows = parse_rows("brief,seed\na cat,5\na dog,6\n", "csv", "pets", str(preset))
    list(play(rows.good, store, batch="pets"))
    return store


def test_another_judge_paints_nothing_anew(preset: Path, store: Store) -> None:
    was, now = replayed(recorded(store, "pets"), [ALWAYS], preset)
    list(play(now.rows, store))
    made = compare("pets", (was, now), store)
    assert [standing.name for standing in made.standings] == [WAS, ALWAYS]
    assert [[r.status for r in line.results] for line in made.ended] == [["exhausted", "accepted"]] * 2
    was_painted = {candidate.image for candidate in store.runs.candidates(was.rows[0].id)}
    assert made.ended[0].results[1].picture in was_painted
    ids = [row.id for row in now.rows]
    # No model was asked: only the bands of the judge are others.
    assert all(cost.kept and not cost.tokens for cost in store.figures.costs(ids) if cost.calls)
    assert [paid.images for paid in store.figures.paid(ids).values()] == [0, 0]
    (change,) = changes(made.ended[0], store)
    assert (change.requirement, change.before, change.after) == ("a cat", "fail", "pass")


def test_another_painter_is_judged_anew_and_reading_is_kept(preset: Path, store: Store) -> None:
    was, now = replayed(recorded(store, "a-cat"), ["image.steps=3"], preset)
    list(play(now.rows, store))
    assert [row.brief.text for row in was.rows] == ["a cat"]
    made = compare("a-cat", (was, now), store)
    one, other = made.ended[0].results
    assert one.picture != other.picture
    assert store.figures.paid([now.rows[0].id])[now.rows[0].id].images == 2


def test_the_same_replay_continues(preset: Path, store: Store) -> None:
    for _ in range(2):
        _, now = replayed(recorded(store, "pets"), [ALWAYS], preset)
        list(play(now.rows[:1], store))
    assert list(store.runs.statuses([row.id for row in now.rows])) == [now.rows[0].id]


@pytest.mark.parametrize(
    ("what", "overrides", "says"),
    [
        ("birds", [ALWAYS], "no run and no batch"),
        ("pets", [], "the preset is as it was"),
        ("pets", ["image.stepz=2"], "did you mean steps"),
    ],
)
def test_what_cannot_be_replayed_is_said(
    preset: Path, store: Store, what: str, overrides: list[str], says: str
) -> None:
    with pytest.raises(EaselError, match=says):
        replayed(recorded(store, what), overrides, preset)


def test_a_preset_of_ones_own_is_named(store: Store) -> None:
    with pytest.raises(EaselError, match="name its file with --preset"):
        replayed(recorded(store, "pets"), [ALWAYS])
