"""`easel eval`: what people decided, as a test of the judges, with the bundled preset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.scripts.commands.test_cascade import OWL, RULES, Easel, easel, run_of

__all__ = ["easel"]

STRICT = "judge.kinds.relation={pass: 1.0, fail: 0.9999999}"  # never met


@pytest.fixture
def decided(easel: Easel) -> Easel:
    """An approved owl and a panda that was rejected because of its background, both in the set."""
    easel("run", OWL, *RULES, "--name", "owl")
    easel("run", "a panda on a purple background, cartoon style", *RULES, "--name", "panda")
    easel("review", "approve", "owl", "--by", "ann")
    easel("review", "reject", "panda", "--by", "bob", "--no", "r2=too dark")
    for run in ("owl", "panda"):
        assert "1 added, 0 replaced" in easel("eval", "add", run).out
    return easel


def result(easel: Easel, *more: str) -> tuple[int, dict[str, Any]]:
    said = easel("eval", "--json", *more)
    found: dict[str, Any] = json.loads(said.out)
    return said.status, found


def test_agreement_by_kind_and_what_is_against_people(decided: Easel, tmp_path: Path) -> None:
    reading = run_of(tmp_path, 2)["reading"]["requirements"]
    assert (reading[1]["id"], reading[1]["kind"]) == ("r2", "background")
    status, made = result(decided, "--at-least", "0.95")
    assert status == 1
    tallies = {tally["kind"]: (tally["agree"], tally["against"], tally["open"]) for tally in made["tallies"]}
    assert tallies == {
        "object": (2, 0, 0), "relation": (1, 0, 0), "background": (1, 1, 0), "whole picture": (1, 1, 0)
    }  # fmt: skip
    assert (made["whole"]["agree"], made["whole"]["against"]) == (5, 2)
    assert made["asked"] == 0  # all answers are kept
    first, whole = made["against"]
    assert (first["requirement"], first["people"], first["judge"], first["was"]) == (
        "the background is purple", False, "pass", "pass"
    )  # fmt: skip
    assert whole["requirement"] == "whole picture"
    with Image.open(first["picture"]) as image:
        assert image.size == (256, 256)
    assert result(decided, "--at-least", "0.7")[0] == 0
    said = decided("eval")
    assert said.status == 1
    assert "against (as before) the background is purple: people say no, the judges pass" in said.out
    assert "judges and people agree in 71.4% of what the judges decide, wanted: 95.0%" in said.out


def test_a_change_of_the_preset_that_is_worse_is_new(decided: Easel) -> None:
    status, made = result(decided, "--at-least", "0.7", "--set", STRICT)
    assert status == 1
    assert [(a["requirement"], a["was"], a["judge"]) for a in made["against"]][:2] == [
        ("the owl is above the tree", "pass", "fail"), ("whole picture", "pass", "fail")
    ]  # fmt: skip
    assert made["asked"] == 0
    assert (
        "against (new) the owl is above the tree: people say yes, the judges fail"
        in decided("eval", "--set", STRICT).out
    )


def test_a_decision_that_is_taken_back_or_changed(decided: Easel) -> None:
    decided("review", "undo", "panda", "--by", "bob")
    assert decided("eval", "add", "panda").status == 2
    decided("review", "approve", "panda", "--by", "bob")
    assert "0 added, 1 replaced (1 approved, 0 rejected)" in decided("eval", "add", "panda").out
    assert result(decided)[0] == 0


def test_a_set_moves_in_a_file(decided: Easel, tmp_path: Path) -> None:
    file, there = tmp_path / "set.jsonl", tmp_path / "there"
    assert "2 cases" in decided("eval", "export", str(file)).out
    assert "2 added, 0 replaced" in decided("eval", "import", str(file), "--folder", str(there)).out
    assert "0 added, 2 replaced" in decided("eval", "import", str(file), "--folder", str(there)).out
    (_, here), (_, moved) = result(decided), result(decided, "--folder", str(there))
    for answer in (*here["against"], *moved["against"]):
        answer.pop("picture")
    assert moved == here
    for picture in there.glob("easel.pictures/*/*.png"):
        picture.unlink()
    assert result(decided, "--folder", str(there))[1]["gone"] == 2
    assert "is gone; add its run again" in decided("eval", "export", str(file), "--folder", str(there)).err


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda case: case | {"png": 3}, "set.jsonl:2: cannot be read"),
        (
            lambda case: {key: case[key] for key in case if key != "png"},
            "set.jsonl:2: no case with a picture",
        ),
        (lambda case: case | {"approved": "perhaps"}, "set.jsonl:2: approved"),
        (lambda case: case | {"candidate": {"plan": 3}}, "set.jsonl:2: "),
        (lambda case: case | {"picture": "0" * 64}, "set.jsonl:2: the picture is not the one"),
    ],
)
def test_a_file_that_is_damaged_adds_nothing(decided: Easel, tmp_path: Path, spoil: Any, says: str) -> None:
    file, there = tmp_path / "set.jsonl", tmp_path / "there"
    decided("eval", "export", str(file))
    first, second = file.read_text().splitlines()
    file.write_text(first + "\n" + json.dumps(spoil(json.loads(second))) + "\n")
    said = decided("eval", "import", str(file), "--folder", str(there))
    assert said.status == 2
    assert says in said.err
    assert not there.exists()


def test_what_cannot_be_done_is_one_line(easel: Easel, tmp_path: Path) -> None:
    assert "has no cases; add some with `easel eval add RUN`" in easel("eval").err
    easel("run", OWL, *RULES, "--name", "owl")
    assert "no person has decided on owl; decide with `easel review`" in easel("eval", "add", "owl").err
    assert "cannot be read (No such file or directory)" in easel("eval", "import", "none.jsonl").err
