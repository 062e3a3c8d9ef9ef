"""A judge measures itself: fair prompts, marked answers, and nothing asked twice after an interruption."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from models.english import phrase
from pipeline.brief import Brief
from pipeline.calls.load import Models, load
from pipeline.config import Preset, load_preset
from pipeline.judging.known_prompts import EVERYDAY, KINDS, known_prompts
from pipeline.range import Range
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.measure import measure
from pipeline.work.play import play_one
from scripts.easel import main

Published = Callable[..., Preset]


def test_each_prompt_asks_for_what_matches_and_not_for_what_does_not() -> None:
    prompts = known_prompts(20, None)
    assert Counter(prompt.matched.kind for prompt in prompts) == dict.fromkeys(KINDS, 20)
    for prompt in prompts:
        matched, mismatched = prompt.matched, prompt.mismatched
        assert matched in prompt.wants
        assert mismatched not in prompt.wants
        assert matched.kind == mismatched.kind
        assert (matched.subject, matched.value) != (mismatched.subject, mismatched.value)
    assert known_prompts(20, None) == prompts


def test_the_prompts_stay_within_the_range() -> None:
    known = Range(
        objects={"cat": ("cats",), "dog": ("dogs",)}, colours={"red": (), "blue": ()}, styles={"flat": ()}, max_count=2
    )  # fmt: skip
    prompts = known_prompts(10, known)
    wants = [w for p in prompts for w in (*p.wants, p.mismatched)]
    assert {w.subject for w in wants if w.subject} == {"cat", "dog"}
    assert {w.value for w in wants if w.kind == "count"} == {"1", "2"}
    assert {w.value for w in wants if w.kind in ("attribute", "background")} == {"red", "blue"}
    assert "style" not in {w.kind for w in wants}  # with one style nothing can be mismatched


def test_the_answers_say_what_matched(published: Published) -> None:
    preset = published({f"a picture of {phrase(name)}": 0.9 for name in EVERYDAY})
    found = measure(preset, load(preset), 8)
    assert found is not None
    assert {basis.kind for basis in found} == set(KINDS)
    for basis, answers in found.items():
        assert basis.judges == ("told scorer@1",)
        assert [answer.met for answer in answers] == [True, False] * 8
    (objects,) = (answers for basis, answers in found.items() if basis.kind == "object")
    assert {answer.probability for answer in objects} == {0.9}


class _AfterThePaintings(Stop):
    """Stops before the judge is asked for the second time."""

    asked = 0

    def before_batch(self, stage: str) -> None:
        self.asked += stage == "scorer"
        if self.asked > 1:
            self.pause()
        super().before_batch(stage)


def test_after_an_interruption_no_model_is_asked_again(published: Published, tmp_path: Path) -> None:
    preset, store = published({}), Store(tmp_path)

    def models() -> Models:
        return load(preset, store.results)

    assert measure(preset, models(), 8, stop=_AfterThePaintings()) is None
    before = store.results.count()
    assert before["image"] > 0
    whole = measure(preset, models(), 8)
    assert whole is not None
    painted = store.results.count()["image"]
    assert painted == 8 * len(KINDS)
    assert before["image"] < painted
    assert measure(preset, models(), 8) == whole
    assert store.results.count()["image"] == painted


def easel(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["easel", *words])
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


def test_the_command_keeps_it_and_the_next_run_uses_it(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a judge that gives what matches and what does not the same probability, nothing may pass."""
    preset = published({})
    data = yaml.safe_load(preset.source.read_text()) | {"judges": {"scorer": {"kind": "told_scorer"}}}
    source = preset.source.with_name("published.yaml")
    source.write_text(yaml.safe_dump(data))
    out = tmp_path / "out"
    assert easel(monkeypatch, "measure", str(source), "--out", str(out), "--each", "30") == 0
    assert "self-measured" in capsys.readouterr().out
    assert easel(monkeypatch, "bands", "--preset", str(source), "--out", str(out)) == 0
    assert "22 more decisions on objects" in " ".join(capsys.readouterr().out.split())
    outcome = play_one(Brief(text="a cat"), load_preset(str(source)), Store(out))
    assert outcome.status == "needs_review"


def test_mini_measures_itself_into_a_file_that_a_preset_can_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded_once: None
) -> None:
    file = tmp_path / "self.json"
    words = ("measure", "mini", "--out", str(tmp_path / "out"), "--each", "24", "--to", str(file))
    assert easel(monkeypatch, *words) == 0
    table = json.loads(file.read_text())
    assert set(table) == set(KINDS)
    (row,) = table["object"]
    assert (row["source"], row["answers"], row["met"]) == ("self", 48, 24)
    preset = load_preset("mini", [f"judge.measured={file}"])
    outcome = play_one(Brief(text="a cat"), preset, Store(tmp_path / "out"))
    assert outcome.verdict is not None
    checks = {c.basis.kind: c for c in outcome.verdict.checks if c.basis is not None}
    assert "self-measured" in checks["object"].reason
    assert checks["object"].outcome == "pass"
    assert checks["intact"].outcome == "unchecked"  # that is not fair to measure so
