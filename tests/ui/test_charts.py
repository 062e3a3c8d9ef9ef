"""What the page makes of figures: bars, columns, tables and states in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pipeline.calls.energy import format_joules
from pipeline.results.stats import DAY, HOUR, Spend, Stats
from pipeline.store import Store
from pipeline.store.tables import RunRow
from pipeline.work.rows import parse_rows
from ui.batch import EXAMPLE, guide, progress
from ui.charts import Bar, bars, columns, nice
from ui.desk import Desk
from ui.observe import FUNNEL, funnel, over_time
from ui.parts import counted, figures, moment, table, word
from ui.view import shown_status

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def spend(day: str, tokens: int = 1) -> Spend:
    return Spend(
        day=day, runs=1, images=1, seconds=1.0, tokens=tokens, joules=2.0, measured=False, money=0.0, by_stage={}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("joules", "said"),
    [
        (0.4, "0.4 J"),
        (840, "840 J"),
        (3_400, "3.4 kJ"),
        (99_000, "99 kJ"),
        (162_000, "45 Wh"),
        (4_320_000, "1.2 kWh"),
    ],
)
def test_energy_is_said_in_a_unit_that_fits(joules: float, said: str) -> None:
    assert format_joules(joules) == said


def test_one_and_many() -> None:
    assert [counted(n, "image") for n in (0, 1, 2, 1234)] == [
        "0 images",
        "1 image",
        "2 images",
        "1,234 images",
    ]
    assert word("needs_review") == "needs review"


@pytest.mark.parametrize(
    ("most", "top"), [(1, 1), (3, 4), (7, 8), (696, 800), (0.03, 0.04), (9.5, 10), (10, 10)]
)
def test_scales_end_at_round_numbers(most: float, top: float) -> None:
    assert nice(most) == pytest.approx(top)


def test_bars_share_one_scale() -> None:
    drawn = bars("T", [Bar("a", ((2.0, "x"), (2.0, "y")), "four"), Bar("b", ((1.0, "x"),), "one")])
    assert drawn.count("width:50.00%") == 2
    assert drawn.count("width:25.00%") == 1
    assert "Nothing in this period" in bars("T", [Bar("a", ((0.0, "x"),), "none")])


def test_foreign_words_of_a_chart_stay_words() -> None:
    evil = "<img src=x>"
    assert evil not in bars(evil, [Bar(evil, ((1.0, "x"),), evil)], note=evil)
    assert evil not in columns(evil, [Bar(evil, ((1.0, "x"),), evil)], str)


def test_every_cell_knows_its_column() -> None:
    drawn = table(("Kind", ""), [("count", "x")])
    assert '<td data-label="Kind">count</td><td>x</td>' in drawn


def test_figures_stand_in_even_rows() -> None:
    assert 'class="figures by-four"' in figures([("1", "x")] * 8)
    assert 'class="figures by-three"' in figures([("1", "x")] * 3)


def test_a_time_names_its_zone() -> None:
    at = datetime(2026, 3, 1, 15, 5, tzinfo=timezone(timedelta(hours=1)))
    assert moment(at) == '<time datetime="2026-03-01T14:05:00Z">2026-03-01 14:05 UTC</time>'


def test_time_has_no_gaps() -> None:
    day = over_time([spend(NOW.strftime(HOUR), 7)], NOW - timedelta(days=1), NOW)
    assert len(day) == 24
    assert [s.tokens for _, s in day if s] == [7]
    assert day[-1][0] == "09:00"
    week = over_time([spend("2026-02-28")], NOW - timedelta(days=7), NOW)
    assert [label for label, s in week if s] == ["28 Feb"]
    assert [label for label, _ in week][-3:] == ["28 Feb", "1 Mar", "2 Mar"]
    assert len(week) == 7
    whole = over_time([spend("2026-02-27"), spend(NOW.strftime(DAY))], None, NOW)
    assert [bool(s) for _, s in whole] == [True, False, False, True]
    assert over_time([spend("2025-12"), spend("2026-03")], None, NOW)[0][0] == "2025-12"


def test_the_example_can_be_run() -> None:
    rows = parse_rows(EXAMPLE.encode(), "csv", "example", "mini")
    assert len(rows.good) == 3
    assert not rows.bad
    assert "briefs.csv" in guide()


@pytest.mark.parametrize(
    ("status", "own", "job", "shown"),
    [
        ("accepted", True, "cancelled", "accepted"),
        ("exhausted", True, "done", "exhausted"),
        ("exhausted", True, "cancelled", "cancelled"),
        ("exhausted", False, "cancelled", "exhausted"),  # a row of a batch had ended before
        ("stopped", False, "cancelled", "cancelled"),
        ("stopped", False, "paused", "paused"),
        ("stopped", True, None, "stopped"),
    ],
)
def test_what_was_cancelled_is_called_so(status: str, own: bool, job: str | None, shown: str) -> None:
    assert shown_status(RunRow(id="r", job="r" if own else "batch", status=status), job) == shown


def test_rows_that_are_left_out_are_counted_in_words(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    payload = {
        "text": "brief,seed\na cat,1\na dog,x\na cow,y\n",
        "kind": "csv",
        "name": "b",
        "preset": "mini",
    }
    shown = progress(store.jobs.submit("b", "batch", payload), Desk(store))
    store.close()
    assert "<b>2</b><span>rows left out</span>" in shown
    assert "bad row" not in shown


def test_the_share_of_accepted_briefs_is_said_once() -> None:
    counts = dict.fromkeys((*FUNNEL, "under way"), 1) | {"briefs": 3, "waiting or stopped": 2}
    shown = funnel(Stats.model_construct(funnel=counts))
    assert "·" not in shown
    assert "%</" not in shown
    assert "Besides: 1 under way, 2 waiting or stopped." in shown
