"""Batches on tiny models: on again after any stop, in waves, with a report that says what became of each row."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.protocols import Step
from pipeline.config import Preset
from pipeline.errors import BriefError
from pipeline.events import Attempt, Outcome
from pipeline.results.stats import gather as statistics
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.play import play, shared_budget, unfinished
from pipeline.work.report import Report, as_csv, as_html, duration, gather, write_report
from pipeline.work.row import Row, Rows, Unstarted
from pipeline.work.rows import parse_rows

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}
ROOT = Path(__file__).parents[3]
BRIEFS = """brief,name,images,must,image.steps
two dogs on a red background,dogs,2,,
"a cat <script>alert(1)</script>",cat,,no text,
a bus,,,,4
"an apple, but no apples",apple,,,
,nothing,,,
"""


@pytest.fixture
def rows(tiny: Tiny) -> Rows:
    source = tiny(judge=NEVER_PASS, loop={"images": 3, "together": 2}).source
    return parse_rows(BRIEFS.encode(), "csv", "pets", str(source))


def pictures(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.png"))
    }


def report(rows: Rows, out: Path) -> Report:
    return gather(rows, Store(out))


def test_every_row_has_its_folder_its_run_and_its_place_in_the_report(rows: Rows, tmp_path: Path) -> None:
    store = Store(tmp_path)
    happened = list(play(rows.good, store, batch="pets"))
    outcomes = {
        h[0].brief.name: h[1].status
        for h in happened
        if not isinstance(h, Unstarted) and isinstance(h[1], Outcome)
    }
    assert outcomes == {"dogs": "exhausted", "cat": "exhausted", "a-bus": "exhausted", "apple": "failed"}
    assert unfinished(rows.good, store) == []
    assert list(play(rows.good, store)) == []
    assert {r.folder for r in store.runs.find(batch="pets")} == set(outcomes)
    found = gather(rows, store)
    assert [(e.line, e.status) for e in found.entries] == [
        (2, "exhausted"), (3, "exhausted"), (4, "exhausted"), (5, "failed"), (6, "bad")
    ]  # fmt: skip
    assert found.images == 8
    assert "no text" in found.entries[1].wants.values()
    record = json.loads((tmp_path / "a-bus" / "run.json").read_text())
    assert record["attempts"][0]["candidates"][0]["settings"]["steps"] == 4


def test_the_report_is_self_contained_and_escapes_texts(rows: Rows, tmp_path: Path) -> None:
    store = Store(tmp_path)
    list(play(rows.good, store))
    page = write_report(gather(rows, store), store).read_text()
    assert "0 of 5" in page
    assert page.count("<script") == 1  # its own
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert page.count("data:image/webp;base64,") == 3
    assert "contradicts itself" in page
    assert "the brief is empty" in page
    table = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text())))
    assert [row["outcome"] for row in table] == ["exhausted", "exhausted", "exhausted", "failed", "bad"]
    assert (tmp_path / table[0]["picture"]).exists()
    assert table[0]["images"] == "2"
    assert "two dogs" in table[0]["failed"] + table[0]["unsure"]


def test_a_report_can_be_made_at_any_time(rows: Rows, tmp_path: Path) -> None:
    found = report(rows, tmp_path)
    assert found.counts == {"open": 4, "bad": 1}
    assert "Not finished" in as_html(found, Store(tmp_path))
    assert as_csv(found).count("\n") == 6
    empty = report(Rows("x", (), rows.bad), tmp_path)
    assert "0 of 1" in as_html(empty, Store(tmp_path))


def test_csv_cells_are_not_formulas(tiny: Tiny, tmp_path: Path) -> None:
    rows = parse_rows(b"brief\n=1+1\n", "csv", "x", str(tiny().source))
    assert "\n2,1-1,'=1+1," in as_csv(report(rows, tmp_path))


@pytest.mark.parametrize("first", [True, False])
def test_limits_of_the_batch_hold_for_all_rows_whichever_row_sets_them(
    tiny: Tiny, tmp_path: Path, first: bool
) -> None:
    source = str(tiny(judge=NEVER_PASS, loop={"images": 3}).source)
    limited = ["a cat,2,9", "a dog,,3"]
    lines = [*limited, "a bus,,"] if first else ["a bus,,", *limited]
    text = "\n".join(["brief,loop.batch.images,loop.batch.image_steps", *lines])
    rows = parse_rows(text, "csv", "x", source)
    events = [h[1] for h in play(rows.good, Store(tmp_path)) if isinstance(h, tuple)]
    painted = [c for e in events if isinstance(e, Attempt) for c in e.candidates]
    assert len(painted) == 1  # two images may be painted, with three steps in all; each takes two
    assert {e.status for e in events if isinstance(e, Outcome)} == {"exhausted"}


def test_money_of_a_batch_in_two_currencies_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    source = str(tiny(machine={"price": 1.0, "currency": "EUR"}).source)
    text = "brief,loop.batch.money,machine.currency\na cat,5,\na dog,,USD\n"
    rows = parse_rows(text, "csv", "x", source, trusted=True)
    with pytest.raises(BriefError, match=r"loop\.batch\.money .* EUR, USD; give all of them one"):
        list(play(rows.good, Store(tmp_path)))
    apart = parse_rows(text.replace(",5,", ",,"), "csv", "x", source, trusted=True)
    assert shared_budget(apart.good, Store(tmp_path)).limits.set == {}


def test_the_csv_has_the_columns_of_the_file_after_its_own(tiny: Tiny, tmp_path: Path) -> None:
    text = b"brief,SKU,outcome,seed\na cat,A-1,mine,1\na dog,=2,yours,x\n"
    rows = parse_rows(text, "csv", "x", str(tiny().source))
    first, second = csv.DictReader(io.StringIO(as_csv(report(rows, tmp_path))))
    assert list(first)[-3:] == ["money kept", "SKU", "outcome (yours)"]
    assert (first["SKU"], first["outcome (yours)"], first["outcome"]) == ("A-1", "mine", "open")
    assert (second["SKU"], second["outcome (yours)"], second["outcome"]) == ("'=2", "yours", "bad")


@pytest.mark.parametrize("after", [1, 3, 6])
def test_pause_completes_the_current_image_and_the_same_call_continues(
    rows: Rows, tmp_path: Path, after: int
) -> None:
    list(play(rows.good, Store(tmp_path / "whole")))
    store, stop, images = Store(tmp_path / "parts"), Stop(), 0

    def on_step(step: Step) -> None:
        nonlocal images
        images += step.index == step.total
        if images == after - 1 and step.index == 1:
            stop.pause()

    events = list(play(rows.good, store, stop=stop, on_step=on_step))
    assert store.results.count()["image"] == images == after
    assert len(unfinished(rows.good, store)) > 0
    assert not [
        h for h in events if not isinstance(h, Unstarted) and "stopped" in getattr(h[1], "reason", "")
    ]
    on_step_calls: list[Step] = []
    list(play(rows.good, store, on_step=on_step_calls.append))
    assert sum(step.index == step.total for step in on_step_calls) == 8 - after
    assert pictures(store.out) == pictures(tmp_path / "whole")


def test_rows_move_together_and_others_join_when_there_is_room(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 2, "together": 2})
    rows = parse_rows(b"brief,images\na cat,1\na dog,2\na bus,2\n", "csv", "x", str(preset.source))
    attempts = [
        (h[0].brief.name, h[1].calls[0].batch)
        for h in play(rows.good, Store(tmp_path))
        if not isinstance(h, Unstarted) and isinstance(h[1], Attempt)
    ]
    assert attempts == [("a-cat", 2), ("a-dog", 2), ("a-dog", 2), ("a-bus", 2), ("a-bus", 1)]


def test_memory_limits_how_many_move_together(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 1, "together": 4, "memory_mb": 0.3})
    rows = parse_rows(b"brief,size\na cat,256\na dog,256\na bus,\n", "csv", "x", str(preset.source))
    batches = [
        h[1].calls[0].batch
        for h in play(rows.good, Store(tmp_path))
        if not isinstance(h, Unstarted) and isinstance(h[1], Attempt)
    ]
    assert batches == [1, 2, 2]  # 192 kB each; the small one fits beside a large one


def test_the_batchs_own_budget_holds_across_stops(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3, "together": 1, "batch": {"images": 5}})
    rows = parse_rows(b"brief\na cat\na dog\na bus\n", "csv", "x", str(preset.source))
    for event in play(rows.good, Store(tmp_path / "parts")):
        if not isinstance(event, Unstarted) and isinstance(event[1], Outcome):
            break  # as if it were killed
    for out in ("parts", "whole"):
        list(play(rows.good, Store(tmp_path / out)))
    assert pictures(tmp_path / "parts") == pictures(tmp_path / "whole")
    found = report(rows, tmp_path / "parts")
    assert found.images == 5
    assert "batch" in found.entries[2].reason


def test_missing_models_affect_only_their_own_rows(tiny: Tiny, tmp_path: Path) -> None:
    source = str(tiny(judge=NEVER_PASS, loop={"images": 1}).source)
    rows = parse_rows(b"brief,image.model\na cat,\na dog,./nowhere\n", "csv", "x", source, trusted=True)
    store = Store(tmp_path)
    lost = [h for h in play(rows.good, store) if isinstance(h, Unstarted)]
    assert [row.brief.text for group in lost for row in group.rows] == ["a dog"]
    found = gather(rows, store, lost)
    assert [e.status for e in found.entries] == ["exhausted", "open"]
    assert "nowhere" in found.entries[1].reason


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with exclusive(Store(tmp_path)):
        code = (
            "from pathlib import Path; from pipeline.store import Store; from pipeline.work.lock import exclusive; "
            f"exclusive(Store(Path({str(tmp_path)!r}))).__enter__()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert "another easel process uses" in done.stderr
    with exclusive(Store(tmp_path)):
        pass


def test_a_row_can_have_its_own_run_id(rows: Rows) -> None:
    row = rows.good[0]
    assert Row(1, row.brief, row.preset, run="mine").id == "mine"


def test_durations_in_words() -> None:
    assert [duration(s) for s in (0.04, 9.0, 59.6, 89, 90, 3600, 12000)] == [
        "0.0 s", "9.0 s", "60 s", "89 s", "2 min", "60 min", "3 h 20 min"
    ]  # fmt: skip


def test_costs_are_paid_once_and_the_same_everywhere(tiny: Tiny, tmp_path: Path) -> None:
    """The second batch takes its pictures from the answers that were kept for the first one."""
    source = str(tiny(judge=NEVER_PASS, loop={"images": 2}, machine={"price": 3600.0}).source)
    store = Store(tmp_path)
    first = parse_rows("brief,name\na cat,one\n", "csv", "first", source)
    second = parse_rows("brief,name\na cat,two\na dog,three\n", "csv", "second", source)
    list(play(first.good, store, batch="first"))
    told = [h[1] for h in play(second.good, store, batch="second") if isinstance(h, tuple)]
    assert sum(event.painted for event in told if isinstance(event, Attempt)) == 2
    report = gather(second, store)
    assert (report.images, report.images_in_all) == (2, 4)
    assert "2 images painted and 2 kept ones" in report.spent
    spend = statistics(store, "second").spend
    assert sum(day.images for day in spend) == report.images
    assert sum(day.money for day in spend) == pytest.approx(report.money)
    cells = {cell["name"]: cell for cell in csv.DictReader(io.StringIO(as_csv(report)))}
    assert [(cells[n]["images"], cells[n]["images kept"]) for n in ("two", "three")] == [
        ("0", "2"),
        ("2", "0"),
    ]
    assert float(cells["two"]["money"]) == float(cells["two"]["seconds"]) == 0
    assert float(cells["two"]["money kept"]) > 0
    assert sum(float(cell["money"]) for cell in cells.values()) == pytest.approx(report.money, abs=1e-3)
    for name, entry in zip(("two", "three"), report.entries, strict=True):
        record = json.loads((tmp_path / name / "run.json").read_text())["outcome"]
        assert record["paid"]["images"] == int(cells[name]["images"])
        assert record["paid"]["seconds"] == pytest.approx(entry.paid.seconds)
        assert record["images"] == 2  # in all


def test_limits_of_a_batch_count_what_is_paid(tiny: Tiny, tmp_path: Path) -> None:
    source = str(tiny(judge=NEVER_PASS, loop={"images": 2, "together": 1, "batch": {"images": 2}}).source)
    store = Store(tmp_path)
    rows = parse_rows("brief,name\na cat,one\n", "csv", "first", source)
    list(play(rows.good, store))
    more = parse_rows("brief,name\na cat,two\na dog,three\n", "csv", "second", source)
    list(play(more.good, store))
    assert [(e.run.images, e.paid.images) for e in gather(more, store).entries if e.run] == [(2, 0), (2, 2)]
    assert shared_budget(more.good, store).room(1, 2) == 0
