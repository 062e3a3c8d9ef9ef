"""Measuring the judge: the truth of its pictures, and what is counted."""

from __future__ import annotations

from models.mini.dataset.scene import Fact
from pipeline.calls.load import Models
from pipeline.config import Preset
from scripts.evaluation import judge
from scripts.evaluation.examiner import examine


def test_pictures_show_what_their_trials_say() -> None:
    for trial in judge.of_scenes(3, 1) + judge.uneven(4, 2):
        seen = examine(trial.image)
        assert [seen.holds(fact) for fact, _ in trial.asked] == [true for _, true in trial.asked]
    for trial in judge.too_much(3, 3):
        assert (examine(trial.image).objections([fact for fact, _ in trial.asked]) == ()) == trial.right


def test_every_kind_is_asked_with_true_and_false_statements() -> None:
    trials = judge.of_scenes(12, 1) + judge.uneven(2, 2) + judge.too_much(1, 3)
    said: judge.Answers = {kind: [] for kind in judge.KINDS}
    for trial in trials:
        for kind, true in (
            [(trial.gate, trial.right)] if trial.gate else [(fact.kind, true) for fact, true in trial.asked]
        ):
            said[kind].append((true, "pass"))
    assert all({true for true, _ in answers} == {True, False} for answers in said.values())
    assert judge.table({"clean": said}).count("100 (") == len(judge.KINDS)


def test_the_presets_own_judge_is_asked(mini: tuple[Preset, Models]) -> None:
    trials = judge.of_scenes(3, 1) + judge.too_much(1, 3)
    said = judge.answers(trials, *mini)
    assert {"object", "background", "style", "absence", "extra", "intact"} <= said.keys()
    assert sum(len(answers) for answers in said.values()) == sum(
        1 if trial.gate else len(trial.asked) for trial in trials
    )
    objects = judge.rates(said["object"])
    assert objects["false accepts"][0] == 0
    assert objects["false rejects"][0] == 0


def test_degraded_pictures_keep_their_truth() -> None:
    before = judge.too_much(1, 3)
    after = judge.degraded(before, 4)
    assert [(t.asked, t.gate, t.right) for t in after] == [(t.asked, t.gate, t.right) for t in before]
    assert all(
        a.image.size == b.image.size and a.image != b.image for a, b in zip(after, before, strict=True)
    )


def test_of_painted_pictures_the_examiner_says_what_is_true() -> None:
    trials = judge.of_painted(4, 5)
    assert trials
    for trial in trials:
        seen = examine(trial.image)
        if trial.gate is None:
            assert all(seen.holds(fact) == true for fact, true in trial.asked)
        elif trial.right:
            assert not seen.objections([fact for fact, _ in trial.asked])
        elif trial.gate == "extra":
            assert seen.objections([fact for fact, _ in trial.asked])
        else:
            assert not seen.sure


def test_rates() -> None:
    said: list[tuple[bool, judge.CheckOutcome]] = [
        (True, "pass"), (True, "fail"), (True, "unsure"), (False, "pass"), (False, "unchecked"),
    ]  # fmt: skip
    assert judge.rates(said) == {"false accepts": (1, 2), "false rejects": (1, 3), "unsure": (2, 5)}
    assert judge.requirement(Fact("count", "cat", "2"), "r0").text == "two cats"
    assert judge.requirement(Fact("absence", "cat"), "r0").text == "no cat"
