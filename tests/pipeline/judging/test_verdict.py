from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.brief import KINDS, Requirement
from pipeline.config import Band, Judge
from pipeline.judging.bands import Bands, Measure
from pipeline.judging.basis import Basis
from pipeline.judging.boxes import Finding
from pipeline.judging.feedback import Action, described, repair
from pipeline.judging.question import checkable, implied, question
from pipeline.judging.verdict import INTACT, NOTHING_ELSE, Verdict, conclude
from pipeline.painting.image import Candidate, Plan
from pipeline.painting.prompt import Prompt
from pipeline.range import Range, load_range

OWNERS = Judge(default=Band(**{"pass": 0.6, "fail": 0.4}))


def measured_by(bands: Bands, as_named: bool = True) -> Callable[[str], Measure]:
    """The measure of each kind of check, for one judge and one painter."""
    return lambda kind: bands.measure(Basis(kind=kind, judges=("scorer@1",), painter="m@r"), as_named)


ROUTES = frozenset(KINDS) - {"technical", "other"}


def picture(width: int = 64, height: int = 64) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(across, (height, 1))] * 3, -1))


def candidate(image: Image.Image | None = None, name: str = "1-1") -> Candidate:
    plan = Plan(prompt=Prompt(text="a cat", origin="user"), seed=1)
    return Candidate(id=name, plan=plan, settings={}, model="m", revision="r", image=image or picture())


def want(kind: str, subject: str = "", value: str = "", **more: object) -> Requirement:
    return Requirement(id=f"{kind}{subject}", kind=kind, subject=subject, value=value, text=kind, **more)  # type: ignore[arg-type]


def verdict_of(wants: list[Requirement], probability: dict[str, float], **more: Any) -> Verdict:
    """The verdict where the scorer gives these probabilities, by kind. `bands`: measured ones; other kinds have the
    owner's."""
    image, rules, known = more.pop("image", None), more.pop("rules", OWNERS), more.pop("known", None)
    routed = more.pop("routes", ROUTES)
    found = {
        w.id: Finding(probability[w.kind])
        for w in wants
        if checkable(w, routed, known) and w.kind in probability
    }
    measure = measured_by(Bands(rules, {kind: [band] for kind, band in more.pop("bands", {}).items()}))
    return conclude(candidate(image), wants, found, measure, **more)


@pytest.mark.parametrize(
    ("cat", "blue", "gate"),
    [(0.9, 0.9, "pass"), (0.9, 0.1, "fail"), (0.9, 0.5, "unsure"), (0.5, 0.1, "fail"), (0.6, 0.6, "pass")],
)
def test_the_gate_is_the_worst_of_the_must_haves(cat: float, blue: float, gate: str) -> None:
    wants = [want("object", "cat"), want("background", value="blue")]
    assert verdict_of(wants, {"object": cat, "background": blue}).gate == gate


def test_a_failed_nice_to_have_does_not_fail_the_gate() -> None:
    wants = [want("object", "cat"), want("background", value="blue", must=False)]
    verdict = verdict_of(wants, {"object": 0.9, "background": 0.0})
    assert verdict.gate == "pass"
    assert {c.requirement: c.outcome for c in verdict.checks}["background"] == "fail"


def test_a_requirement_that_cannot_be_checked_never_passes() -> None:
    for wants in (
        [want("other", value="premium")],
        [want("object", "unicorn", flag="outside")],
        [want("technical", "size", "nonsense")],
    ):
        verdict = verdict_of(wants, {"other": 1.0, "object": 1.0, "technical": 1.0})
        assert [c.outcome for c in verdict.checks] == ["pass", "unchecked"]
        assert verdict.gate == "unchecked"
    verdict = verdict_of([want("count", "cat", "2")], {"count": 1.0}, routes=ROUTES - {"count"})
    assert verdict.gate == "unchecked"


def test_without_probabilities_the_gate_is_unchecked() -> None:
    verdict = verdict_of([want("object", "cat")], {}, broke="the scorer failed: out of memory")
    assert verdict.gate == "unchecked"
    assert "out of memory" in verdict.checks[1].reason


def test_absence_passes_when_the_object_is_not_seen() -> None:
    no_cat = [want("absence", "cat")]
    assert verdict_of(no_cat, {"absence": 0.05}).gate == "pass"
    assert verdict_of(no_cat, {"absence": 0.95}).gate == "fail"
    assert verdict_of(no_cat, {"absence": 0.5}).gate == "unsure"
    known = Range(objects={"dog": ("dogs",)})
    assert verdict_of(no_cat, {"absence": 0.0}, known=known).gate == "unchecked"


def test_a_band_by_kind_overrides_the_default() -> None:
    strict = {"object": Band(**{"pass": 0.95, "fail": 0.9})}
    assert verdict_of([want("object", "cat")], {"object": 0.8}, bands=strict).gate == "fail"
    assert verdict_of([want("object", "cat")], {"object": 0.8}).gate == "pass"


def test_pixels_decide_technical_requirements_and_blank_pictures() -> None:
    size = [want("technical", "size", "64x64")]
    assert verdict_of(size, {}).gate == "pass"
    assert verdict_of(size, {}, image=picture(32, 32)).gate == "fail"
    assert "32 × 32" in verdict_of(size, {}, image=picture(32, 32)).checks[1].reason
    flat = Image.new("RGB", (64, 64), "red")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    for image in (flat, noise):
        assert verdict_of([want("object", "cat")], {"object": 1.0}, image=image).gate == "fail"
    assert verdict_of([want("technical", "palette", "red")], {}, image=flat).checks[1].outcome == "pass"


def test_a_palette_of_several_colours_covers_most_together() -> None:
    halves = Image.new("RGB", (64, 64), "blue")
    halves.paste(Image.new("RGB", (64, 24), "orange"), (0, 40))
    for value, outcome in {
        "blue": "pass",
        "orange": "fail",
        "blue and orange": "pass",
        "blue and green": "fail",
        "blue and mauvish": "unchecked",
    }.items():
        found = verdict_of([want("technical", "palette", value)], {}, image=halves).checks[1]
        assert (value, found.outcome) == (value, outcome)
    found = verdict_of([want("technical", "palette", "blue and green")], {}, image=halves).checks[1]
    assert found.reason == "blue (62%) and orange (38%) cover most of it, green (0%) less"


def test_a_question_has_a_statement_and_contrasts() -> None:
    count = question(want("count", "cat", "2"))
    assert count is not None
    assert count.statement == "a picture of two cats"
    assert "a picture of three cats" in count.contrasts
    assert count.statement not in count.contrasts
    side = question(Requirement(id="r", kind="relation", subject="cat", value="left", other="dog", text=""))
    assert side is not None
    assert side.statement == "a picture of a cat to the left of a dog"
    assert "a picture of a dog to the left of a cat" in side.contrasts
    assert question(want("other", value="premium")) is None


def test_a_band_calibrates_the_probability() -> None:
    plain, keen = Band(), Band(**{"pass": 0.6, "fail": 0.4, "odds": (2.0, 1.0)})
    assert plain.corrected(0.3) == 0.3
    assert keen.corrected(0.5) == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert keen.corrected(0.0) < 1e-6
    assert keen.corrected(1.0) > 1 - 1e-6
    check = verdict_of([want("object", "cat")], {"object": 0.5}, bands={"object": keen}).checks[1]
    assert (check.outcome, round(check.probability or 0, 2)) == ("pass", 0.73)
    gone = verdict_of([want("absence", "cat")], {"absence": 0.5}, bands={"absence": keen}).checks[1]
    assert round(gone.probability or 0, 2) == 0.73  # of the cat not being there
    assert gone.said == 0.5


UNAVAILABLE: set[Action] = {"edit", "other painter"}  # repairs that need more than the usual painter


def test_feedback_holds_only_what_failed() -> None:
    wants = [want("object", "cat"), want("background", value="blue")]
    verdict = verdict_of(wants, {"object": 0.9, "background": 0.1})
    step = repair(wants, verdict, ["start", "own words"], UNAVAILABLE)
    assert step is not None
    assert step.action == "rephrase"
    assert step.failed == ("background",)
    words = described(wants, verdict, step.failed)
    assert len(words) == 1
    assert "does not show" in words[0]


def test_repairs_reach_every_action_and_end_where_none_is_left() -> None:
    wants = [want("object", "cat")]
    verdict = verdict_of(wants, {"object": 0.1})
    actions: list[Action] = ["start"]
    while len(actions) < 8 and (step := repair(wants, verdict, actions, UNAVAILABLE)):
        actions.append(step.action)
    assert actions[:5] == ["start", "own words", "rephrase", "reseed", "guide"]
    assert set(actions[5:]) == {"rephrase", "reseed"}
    assert (
        repair(wants, verdict, ["start", "own words", "guide"], {*UNAVAILABLE, "rephrase", "reseed"}) is None
    )


def test_what_else_is_there_and_what_is_smeared_fail_the_gate() -> None:
    wants = [want("object", "cat")]
    for name in (INTACT, NOTHING_ELSE):
        found = {"objectcat": Finding(0.99), INTACT: Finding(0.99), NOTHING_ELSE: Finding(0.99)}
        assert conclude(candidate(), wants, found, measured_by(Bands(OWNERS))).gate == "pass"
        found[name] = Finding(0.02, "also a dog")
        verdict = conclude(candidate(), wants, found, measured_by(Bands(OWNERS)))
        assert verdict.gate == "fail"
        assert "also a dog" in {c.requirement: c.reason for c in verdict.checks}[name]
        step = repair(wants, verdict, ["start"], UNAVAILABLE)
        assert step is not None
        assert step.failed == ()


BUNDLED = load_range("models/mini/range.json")


@pytest.mark.parametrize(
    ("alone", "whole", "outcome"), [(0.9, 0.9, "pass"), (0.1, 0.9, "unsure"), (0.9, 0.1, "unsure")]
)
def test_what_no_object_has_is_absent_where_all_is_whole_and_nothing_else_is_there(
    alone: float, whole: float, outcome: str
) -> None:
    wants = [want("object", "cat"), want("absence", "text")]
    found = {wants[0].id: Finding(0.9), NOTHING_ELSE: Finding(alone), INTACT: Finding(whole)}
    verdict = conclude(
        candidate(), wants, found, measured_by(Bands(OWNERS, {})), routed=(NOTHING_ELSE, INTACT),
        implied={wants[1].id},
    )  # fmt: skip
    check = {c.requirement: c for c in verdict.checks}[wants[1].id]
    assert check.outcome == outcome
    assert ("it may be there" in check.reason) == (outcome == "unsure")


def test_only_what_no_object_has_follows_from_seeing_nothing_else() -> None:
    routed = {*ROUTES, "nothing else", "intact"}
    assert implied(want("absence", "text"), {"cat"}, routed, BUNDLED)
    assert not implied(want("absence", "text"), {"cat"}, ROUTES, BUNDLED)  # no judge sees what else is there
    assert not implied(want("absence", "tail"), {"cat"}, routed, BUNDLED)  # a part of the cat
    assert not implied(want("absence", "sheep"), {"cow"}, routed, BUNDLED)  # too like the cow
    assert not implied(want("absence", "dog"), {"cat"}, routed, BUNDLED)  # judges are asked
    assert not implied(want("absence", "text"), {"cat"}, routed, None)
