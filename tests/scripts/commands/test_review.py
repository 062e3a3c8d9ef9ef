"""`easel review` on the console, and what else says who decided: the trace, the statistics, the report of a batch."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.config import Preset
from pipeline.results.run_folder import read_metadata
from pipeline.store import Store
from scripts.easel import main

Tiny = Callable[..., Preset]
BRIEFS = "brief,name\na cat,cat\na dog,dog\n"


class Said(NamedTuple):
    status: int
    out: str
    err: str


Easel = Callable[..., Said]


@pytest.fixture
def easel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Easel:
    """The command in this process; its output folder is `tmp_path/out`."""

    def run(*args: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["easel", *args, "--out", str(tmp_path / "out")])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as exit:
            main()
        return Said(int(exit.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def batch(easel: Easel, tiny: Tiny, tmp_path: Path) -> list[str]:
    """A batch of two briefs that no judge could check. Returns its arguments."""
    preset = tiny(judge={"routes": {"object": []}}, loop={"images": 1})
    file = tmp_path / "pets.csv"
    file.write_text(BRIEFS)
    args = [str(file), "--preset", str(preset.source)]
    said = easel("batch", *args)
    assert said.status == 3
    assert "2 needs review" in said.out
    return args


def test_what_waits_is_listed_decided_and_taken_back(easel: Easel, batch: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = easel("review")
    assert said.status == 0
    assert "cat candidate 1-1: no judge could check it" in said.out
    assert "r1   a cat" in said.out
    assert str(out / "cat/attempts/1-1.png") in said.out
    assert "2 waiting" in said.out
    waiting = json.loads(easel("review", "list", "--json").out)
    assert [(entry["folder"], entry["why"]) for entry in waiting] == [
        ("cat", "unchecked"),
        ("dog", "unchecked"),
    ]

    said = easel("review", "approve", "cat", "--by", "ann", "--yes", "r1", "--reason", "a fine cat")
    assert said.status == 0
    assert "accepted: cat: approved by ann: a fine cat" in said.out
    assert (out / "cat/accepted.png").exists()
    assert str(out / "cat/accepted.png") in said.out
    told = json.loads(easel("review", "reject", "dog", "--by", "bob", "--no", "r1=five legs", "--json").out)
    assert (told["outcome"], told["reason"], told["decided_by"]) == (
        "rejected",
        "rejected by bob: five legs",
        "bob",
    )
    assert read_metadata(out / "dog/best.png")["reviews"][0]["requirements"]["r1"]["reason"] == "five legs"
    funnel = json.loads(easel("stats", "--json").out)["funnel"]
    assert [funnel[f"{how} by a person"] for how in ("approved", "rejected")] == [1, 1]
    left = json.loads(easel("review", "list", "--by", "ann", "--json").out)
    assert "cat" not in [entry["folder"] for entry in left]  # a second person may be asked about the dog

    assert "needs review: dog" in easel("review", "undo", "--by", "bob").out
    assert "needs review: cat" in easel("review", "undo", "cat", "--by", "ann").out
    assert not (out / "cat/accepted.png").exists()
    assert "2 waiting" in easel("review", "list", "--by", "ann").out


def test_a_batch_that_people_decided_is_not_painted_again_and_ends_with_the_same_status(
    easel: Easel, batch: list[str], tmp_path: Path
) -> None:
    easel("review", "approve", "cat", "--by", "ann")
    easel("review", "reject", "dog", "--by", "ann", "--no", "r1=a cat")
    pictures = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    again = easel("batch", *batch)
    assert "2 of 2 briefs are done already; nothing is left to do" in again.out
    assert "1 accepted, 1 rejected" in again.out
    assert again.status == 3  # as before people decided
    easel("review", "approve", "dog", "--by", "bob")
    assert "2 accepted" in easel("batch", *batch).out
    assert easel("batch", *batch).status == 3
    store = Store(tmp_path / "out")
    assert store.results.count()["image"] == 2
    store.close()
    assert {
        path: path.stat().st_mtime_ns for path in pictures if path.exists() and "attempts" in str(path)
    } == {path: time for path, time in pictures.items() if "attempts" in str(path)}


def test_the_report_names_who_decided_and_when(easel: Easel, batch: list[str], tmp_path: Path) -> None:
    easel("review", "approve", "cat", "--by", "ann", "--yes", "r1")
    easel("review", "reject", "cat", "--by", "bob <b>", "--no", "r1=a dog")
    said = easel("report", *batch)
    assert said.status == 0
    assert "1 needs review, 1 rejected" in said.out
    page = (tmp_path / "out/report.html").read_text()
    assert "Rejected by bob &lt;b&gt;" in page
    assert "UTC; the loop ended with: needs review" in page
    assert "approved by ann" in page
    assert "ann: yes" in page
    assert "bob &lt;b&gt;: no, a dog" in page
    cat, dog = csv.DictReader((tmp_path / "out/report.csv").open())
    assert (cat["outcome"], cat["why"]) == ("rejected", "rejected by bob <b>: a dog")
    assert cat["decided by"] == "bob <b>"
    assert cat["decided at"].endswith(" UTC")
    assert cat["people said"] == (
        "a cat: ann yes, the judge unchecked; a cat: bob <b> no (a dog), the judge unchecked"
    )
    assert cat["picture"] == "cat/best.png"
    assert (dog["outcome"], dog["decided by"], dog["people said"]) == ("needs_review", "", "")


def test_the_trace_names_who_decided_and_when(easel: Easel, batch: list[str]) -> None:
    easel("review", "approve", "cat", "--by", "ann", "--yes", "r1", "--reason", "fine [b]")
    said = easel("trace", "cat").out
    assert "accepted: approved by ann: fine [b]" in said
    assert "✓ 1-1 approved by ann, 20" in said
    assert "UTC: fine [b]" in said
    assert "✓ 1-1 a cat: yes by ann, the judge unchecked" in said
    root = json.loads(easel("trace", "cat", "--json").out)[0]
    assert root["attributes"]["easel.decided_by"] == "ann"
    assert root["attributes"]["easel.loop_status"] == "needs_review"
    easel("review", "undo", "--by", "ann")
    assert "approved" not in easel("trace", "cat").out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["approve", "cat"], "say who decides"),
        (["undo"], "say who decides"),
        (["approve", "--by", "ann"], "say which run"),
        (["approve", "bird", "--by", "ann"], "no runs in"),
        (["reject", "cat", "--by", "ann", "--candidate", "7-7"], "no candidate '7-7'"),
        (["reject", "cat", "--by", "ann", "--no", "r9"], "there is no requirement 'r9'"),
        (["undo", "cat", "--by", "ann"], "ann has made no decision on this run"),
        (["burn", "cat", "--by", "ann"], "'burn' is not one of"),
    ],
)
def test_a_decision_that_makes_no_sense_is_one_line_and_status_2(
    easel: Easel, batch: list[str], args: list[str], says: str, tmp_path: Path
) -> None:
    said = easel("review", *args)
    assert said.status == 2
    assert says in said.err
    assert said.err.startswith("easel: ")
    assert said.err.count("\n") == 1
    store = Store(tmp_path / "out")
    assert store.reviews.log() == []
    store.close()
