"""What goes to a person, who agrees with whom, and the log as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.loop import run
from pipeline.results.review import agreement, as_csv, as_jsonl, chance, queue
from pipeline.store import Store
from pipeline.store.reviews import Review


def said(run: str, who: str, decision: str, **more: str) -> Review:
    return Review(run=run, candidate="1-1", who=who, decision=decision, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tiny: Callable[..., Preset], tmp_path: Path) -> Store:
    """Four runs that no judge could check."""
    opened = Store(tmp_path / "out")
    preset = tiny(judge={"routes": {"object": []}}, loop={"images": 1})
    briefs = [Brief(text="a cat", seed=i) for i in range(4)]
    for i, brief in enumerate(briefs):
        opened.runs.begin(f"r{i}", brief, preset, opened.out)
    for event in run(briefs, preset, load(preset)):
        opened.runs.take(f"r{event.brief}", event)
    return opened


def test_the_queue_holds_what_was_not_decided(store: Store) -> None:
    assert [(item.run.id, item.why) for item in queue(store, "ann")] == [
        (f"r{i}", "unchecked") for i in range(4)
    ]
    store.reviews.add(said("r0", "ann", "approve"))
    store.reviews.add(said("r1", "ann", "skip"))
    assert [item.run.id for item in queue(store, "ann", twice=0)] == ["r2", "r3"]
    assert [item.run.id for item in queue(store, "bob", twice=0)] == ["r1", "r2", "r3"]
    assert [item.run.id for item in queue(store, "bob", twice=1)] == ["r0", "r1", "r2", "r3"]
    store.reviews.add(said("r0", "ann", "undo"))
    assert "r0" in [item.run.id for item in queue(store, "ann", twice=0)]


def test_the_random_sample_is_repeatable_and_even() -> None:
    drawn = [chance(f"audit {i}") for i in range(2_000)]
    assert drawn == [chance(f"audit {i}") for i in range(2_000)]
    assert abs(sum(p < 0.1 for p in drawn) / 2_000 - 0.1) < 0.03


def test_a_tenth_of_what_passed_is_audited_and_named_as_such(
    tiny: Callable[..., Preset], tmp_path: Path
) -> None:
    opened, preset = Store(tmp_path / "out"), tiny(judge={"default": {"pass": 0.0, "fail": 0.0}})
    briefs = [Brief(text="a cat", seed=i) for i in range(60)]
    for i, brief in enumerate(briefs):
        opened.runs.begin(f"r{i}", brief, preset, opened.out)
    for event in run(briefs, preset, load(preset)):
        opened.runs.take(f"r{event.brief}", event)
    waiting = queue(opened, "ann")
    assert {item.why for item in waiting} == {"audit"}
    assert 1 <= len(waiting) <= 15
    assert [i.run.id for i in queue(opened, "bo")] == [i.run.id for i in waiting]  # the same for everybody


def test_agreement_of_two_people() -> None:
    assert agreement([]).kappa is None
    votes = [("approve", "approve"), ("reject", "reject"), ("approve", "reject"), ("reject", "reject")]
    log = [
        said(f"r{i}", who, vote) for i, pair in enumerate(votes) for who, vote in zip("ab", pair, strict=True)
    ]
    both = agreement([*log, said("alone", "a", "approve"), said("r9", "a", "skip")])
    assert (both.pictures, both.agreed) == (4, 3)
    assert both.kappa == pytest.approx(0.5)  # 3/4 agreed, 1/2 by chance
    assert agreement([*log, said("r2", "b", "undo")]).pictures == 3


def test_the_log_as_a_table_and_as_lines() -> None:
    log = [said("r0", "ann", "reject", reason="=1+1, and a comma"), said("r1", "bob", "approve")]
    rows = list(csv.DictReader(io.StringIO(as_csv(log))))
    assert rows[0]["reason"] == "'=1+1, and a comma"  # a spreadsheet would take it for a formula
    assert [json.loads(line)["who"] for line in as_jsonl(log).splitlines()] == ["ann", "bob"]


def test_reasons_are_kept_with_the_requirements_that_fail(store: Store) -> None:
    said = Review(
        run="r0", candidate="1-1", who="ann", decision="reject", requirements={"r1": "fail", "r2": "pass"},
        reasons={"r1": " five legs "},
    )  # fmt: skip
    store.reviews.add(said)
    log = store.reviews.log("r0")
    assert log == [said]
    assert log[0].reasons == {"r1": "five legs"}
    (row,) = csv.DictReader(io.StringIO(as_csv(log)))
    assert json.loads(row["reasons"]) == {"r1": "five legs"}
    assert json.loads(as_jsonl(log))["reasons"] == {"r1": "five legs"}
    for stray in ("r2", "r3"):
        with pytest.raises(ValidationError, match="not marked as fail"):
            Review.model_validate(said.model_dump() | {"reasons": {stray: "why"}})
