"""What is made of the answers of judges, by kind: the evidence that each route asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pipeline.brief import Requirement
from pipeline.calls.load import load
from pipeline.calls.record import Made
from pipeline.config import Band, Preset
from pipeline.judging.bands import Bands
from pipeline.judging.judge import Judges, judge
from pipeline.judging.verdict import NOTHING_ELSE, Check, Verdict
from scripts.benches.chaos_faults import broken
from tests.models.told_backends import registered
from tests.pipeline.judging.test_verdict import candidate

Tiny = Callable[..., Preset]
LEFT, RIGHT, TOP = (0.0, 0.3, 0.4, 0.7), (0.6, 0.3, 1.0, 0.7), (0.3, 0.0, 0.7, 0.25)


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    with registered():
        yield


def want(kind: str, subject: str = "", value: str = "", other: str = "") -> Requirement:
    said = f"{kind} {subject} {value} {other}"
    return Requirement(id=said, kind=kind, subject=subject, value=value, other=other, text=said)  # type: ignore[arg-type]


def boxes(
    *seen: tuple[str, tuple[float, ...]], score: float = 0.95, knows: tuple[str, ...] = ()
) -> dict[str, Any]:
    sees = [{"label": label, "score": score, "box": list(box)} for label, box in seen]
    return {"kind": "told_detector", "sees": sees, "knows": list(knows)}


def eyes(says: Mapping[str, float], otherwise: float = 0.5) -> dict[str, Any]:
    return {"kind": "told_vision", "says": dict(says), "otherwise": otherwise}


def clip(says: Mapping[str, float], otherwise: float = 0.5) -> dict[str, Any]:
    return {"kind": "told_scorer", "says": dict(says), "otherwise": otherwise}


def judged(
    preset: Preset, *wants: Requirement, bands: Mapping[str, Band] | None = None
) -> Made[list[Verdict]]:
    measured = Bands(preset.judge, {kind: [band] for kind, band in (bands or {}).items()})
    judges = Judges(load(preset).judges, preset.routes, measured, None)
    return judge([[candidate()]], [wants], judges)


def verdict(preset: Preset, *wants: Requirement, bands: Mapping[str, Band] | None = None) -> Verdict:
    ((found,),) = judged(preset, *wants, bands=bands).each
    return found


def check(
    tiny: Tiny, asked: Requirement, others: tuple[Requirement, ...] = (), routes: Any = None, **judges: Any
) -> Check:
    preset = only(tiny, routes, **judges)
    checks = {check.requirement: check for check in verdict(preset, asked, *others).checks}
    return checks[asked.id]


def only(tiny: Tiny, routes: Any = None, **judges: Any) -> Preset:
    """A preset with these judges and no other."""
    preset = tiny()
    data = preset.model_dump(mode="json", by_alias=True) | {
        "judges": judges,
        "judge": {"routes": routes or {}, "default": {"pass": 0.6, "fail": 0.4}},
    }
    return Preset.model_validate(data | {"source": preset.source})


def p(tiny: Tiny, asked: Requirement, **more: Any) -> float:
    found = check(tiny, asked, **more).probability
    assert found is not None
    return found


def test_a_thing_is_there_where_box_and_crop_agree(tiny: Tiny) -> None:
    cat, seen = want("object", "cat"), boxes(("cat", LEFT))
    assert p(tiny, cat, detector=seen, scorer=clip({"a picture of a cat": 0.97})) > 0.9
    assert 0.3 < p(tiny, cat, detector=seen, scorer=clip({"a picture of a cat": 0.03})) < 0.7
    assert p(tiny, cat, detector=boxes(), scorer=clip({"a picture of a cat": 0.97})) == 0


@pytest.mark.parametrize("published", [0.4, 0.198, 0.0004])
def test_an_uncalibrated_scorer_takes_no_box_away(tiny: Tiny, published: float) -> None:
    """What SigLIP says of what is true is far below one half."""
    yes = eyes({"There is no": 0.04, "is not": 0.04}, otherwise=0.96)
    judges = {
        "detector": boxes(("cat", LEFT), ("cat", RIGHT), score=0.6),
        "scorer": clip({}, published),
        "vlm": yes,
    }
    assert p(tiny, want("object", "cat"), **judges) > 0.8
    assert p(tiny, want("count", "cat", "2"), **judges) > 0.6
    assert p(tiny, want("attribute", "cat", "grey"), **judges) > 0.8
    assert p(tiny, want("style", value="photo"), **judges) > 0.9


@pytest.mark.parametrize(("yes", "no", "both"), [(0.97, 0.04, 0.96), (0.03, 0.95, 0.5), (0.97, 0.9, 0.5)])
def test_up_to_four_a_second_opinion_must_agree_with_the_boxes(
    tiny: Tiny, yes: float, no: float, both: float
) -> None:
    two, seen = want("count", "cat", "2"), boxes(("cat", LEFT), ("cat", RIGHT), score=0.99)
    said = eyes({"exactly two cats": yes, "cats is not two": no})
    found = p(tiny, two, detector=seen, vlm=said, routes={"object": ["detector"]})
    assert found == pytest.approx(both)


def test_beyond_four_only_boxes_are_counted(tiny: Tiny) -> None:
    row = [("egg", (n / 6, 0.4, n / 6 + 0.1, 0.6)) for n in range(6)]
    no = eyes({}, otherwise=0.02)
    routes = {"object": ["detector"]}
    six = want("count", "egg", "6")
    assert p(tiny, six, detector=boxes(*row, score=0.99), vlm=no, routes=routes) > 0.9
    assert p(tiny, six, detector=boxes(*row[:5], score=0.99), vlm=no, routes=routes) < 0.1
    assert check(tiny, six, vlm=no).outcome == "unchecked"
    assert check(tiny, six, scorer=clip({}, 0.99)).outcome == "unchecked"


def test_a_vision_model_breaks_ties_between_boxes(tiny: Tiny) -> None:
    left = want("relation", "cat", "left", "dog")
    yes = eyes({"is to the left of": 0.95, "is not to the left of": 0.05}, otherwise=0.95)
    routes = {"object": ["detector"]}
    sure = boxes(("cat", RIGHT), ("dog", LEFT))
    assert p(tiny, left, detector=sure, vlm=yes, routes=routes) < 0.1
    unsure = boxes(("cat", LEFT), ("dog", RIGHT), score=0.6)
    assert p(tiny, left, detector=unsure, routes=routes) == pytest.approx(0.6)
    assert p(tiny, left, detector=unsure, vlm=yes, routes=routes) > 0.9


def test_an_attribute_is_asked_of_the_crop_of_every_instance(tiny: Tiny) -> None:
    wooden, seen = want("attribute", "bowl", "wooden"), boxes(("bowl", LEFT), ("bowl", RIGHT))
    yes = eyes({"The bowl is wooden": 0.95, "The bowl is not wooden": 0.03})
    routes = {"object": ["detector"]}
    assert p(tiny, wooden, detector=seen, vlm=yes, routes=routes) > 0.9
    assert p(tiny, wooden, detector=seen, vlm=eyes({}), routes=routes) == 0.5
    assert p(tiny, wooden, detector=boxes(), vlm=yes, routes=routes) == 0
    preset = only(tiny, routes, detector=seen, vlm=yes)
    (calls,) = judged(preset, wooden).calls
    asked = [questions for call in calls if call.stage == "vlm" for questions in call.inputs]
    assert sum("bowl is wooden" in questions[0] for questions in asked) == 2


def test_an_absence_holds_where_all_say_no(tiny: Tiny) -> None:
    none = want("absence", "person")
    no, yes = (
        eyes({"There is a person": 0.02, "There is no person": 0.98}),
        eyes({"There is a person": 0.9, "There is no person": 0.1}),
    )
    routes = {"object": ["detector"]}
    assert p(tiny, none, detector=boxes(), vlm=no, routes=routes) > 0.9
    assert p(tiny, none, detector=boxes(), vlm=yes, routes=routes) < 0.2
    assert p(tiny, none, detector=boxes(("person", LEFT)), vlm=no, routes=routes) < 0.2


def test_an_absence_of_text_is_read(tiny: Tiny) -> None:
    none = want("absence", "text")
    assert p(tiny, none, ocr={"kind": "told_reader", "reads": {"SALE": 0.98}}) < 0.1
    assert p(tiny, none, ocr={"kind": "told_reader"}) == 1
    assert check(tiny, want("absence", "dog"), ocr={"kind": "told_reader"}).outcome == "unchecked"


@pytest.mark.parametrize(
    ("reads", "least", "most"),
    [
        ({"OPEN": 0.96}, 0.9, 1), ({"open!": 0.96}, 0.9, 1), ({"WE ARE": 0.9, "OPEN": 0.96}, 0.85, 1),
        ({"OPEM": 0.96}, 0.4, 0.5), ({"CLOSED": 0.99}, 0, 0.25), ({}, 0, 0), ({"OP": 0.9, "EN": 0.95}, 0.85, 1),
    ],
)  # fmt: skip
def test_letters_are_compared_by_edit_distance(
    tiny: Tiny, reads: dict[str, float], least: float, most: float
) -> None:
    sign = want("text", value="“Open”")
    assert least <= p(tiny, sign, ocr={"kind": "told_reader", "reads": reads}) <= most


KINDS_OF_WORDS = [
    (
        want("action", "child", "playing football"),
        "The child is playing football.",
        "The child is not playing",
    ),
    (
        want("setting", value="in the rain"),
        "It shows this setting: in the rain.",
        "It does not show this setting",
    ),
    (want("statement", value="the water is calm"), "This holds: the water is calm.", "This does not hold"),
    (want("background", value="marble"), "The background is marble.", "The background is not marble."),
    (
        want("style", value="cyberpunk"),
        "The picture is in cyberpunk style.",
        "The picture is not in cyberpunk",
    ),
]


@pytest.mark.parametrize(("asked", "yes", "no"), KINDS_OF_WORDS)
def test_a_vision_model_is_asked_the_statement_and_its_negation(
    tiny: Tiny, asked: Requirement, yes: str, no: str
) -> None:
    assert p(tiny, asked, vlm=eyes({yes: 0.96, no: 0.05})) > 0.9
    assert p(tiny, asked, vlm=eyes({yes: 0.05, no: 0.96})) < 0.1
    torn = check(tiny, asked, vlm=eyes({yes: 0.96, no: 0.9}))
    assert torn.probability == 0.5
    assert torn.outcome == "unsure"
    assert "it says the same of the opposite" in torn.reason


@pytest.mark.parametrize("kind", ["action", "setting", "statement", "text"])
def test_what_no_judge_can_tell_goes_to_a_person(tiny: Tiny, kind: str) -> None:
    found = check(tiny, want(kind, "dog" if kind == "action" else "", "words"), scorer=clip({}, 0.99))
    assert (found.outcome, found.judge) == ("unchecked", "none")


def test_several_things_are_asked_about_in_the_plural(tiny: Tiny) -> None:
    playing, three = want("action", "child", "playing football"), want("count", "child", "3")
    says = eyes({"The children are playing football.": 0.96, "The children are not playing": 0.04})
    assert check(tiny, playing, (three,), vlm=says).probability == pytest.approx(0.96)


def test_a_prominent_thing_beside_what_was_asked_for_fails_the_picture(tiny: Tiny) -> None:
    says = {
        "There is a cat": 0.98,
        "There is no cat": 0.02,
        "does not belong": 0.95,
        "belongs to this description": 0.05,
    }
    preset = only(tiny, vlm=eyes(says))
    found = verdict(preset, want("object", "cat"))
    assert found.gate == "fail"
    assert {c.requirement: c.outcome for c in found.checks}[NOTHING_ELSE] == "fail"
    clean = only(tiny, vlm=eyes(says | {"does not belong": 0.05, "belongs to this description": 0.95}))
    assert verdict(clean, want("object", "cat")).gate == "pass"


def test_a_detector_that_does_not_know_a_word_cannot_tell(tiny: Tiny) -> None:
    knows = boxes(("cat", LEFT), knows=("cat", "dog"))
    assert check(tiny, want("object", "cat"), detector=knows).outcome == "pass"
    assert check(tiny, want("object", "dog"), detector=knows).outcome == "fail"
    assert check(tiny, want("object", "fisherman"), detector=knows).outcome == "unchecked"
    assert check(tiny, want("absence", "fisherman"), detector=knows).outcome == "unchecked"


def test_a_check_names_those_who_judged(tiny: Tiny) -> None:
    judges = {
        "detector": boxes(("cat", LEFT)),
        "scorer": clip({}, 0.97),
        "vlm": eyes({}),
        "ocr": {"kind": "told_reader"},
    }
    by = {
        kind: check(tiny, asked, **judges).judge
        for kind, asked in {
            "object": want("object", "cat"), "setting": want("setting", value="night"),
            "text": want("text", value="A"), "size": want("technical", "size", "64x64"),
        }.items()
    }  # fmt: skip
    assert by == {
        "object": "told detector + told vision",
        "setting": "told vision",
        "text": "told reader",
        "size": "pixels",
    }


def test_where_a_judge_breaks_what_is_routed_to_it_is_unchecked(tiny: Tiny) -> None:
    judges = {"detector": boxes(("cat", LEFT)), "scorer": clip({}, 0.97), "vlm": eyes({}, 0.97)}
    wants = want("object", "cat"), want("setting", value="night"), want("relation", "cat", "left", "dog")
    relation = {"ask": ["detector", "vlm"], "how": "first"}
    preset = only(tiny, {"relation": relation, "object": ["detector", "scorer"]}, **judges)
    for name, unchecked in (
        ("vlm", {"setting", "nothing"}),
        ("scorer", {"object", "relation"}),
        ("detector", {"object", "relation"}),
    ):
        found = verdict(broken(preset, name, "error", "nothing"), *wants)
        assert {c.requirement.split()[0] for c in found.checks if c.outcome == "unchecked"} == unchecked
        assert found.gate in ("unchecked", "fail")
        assert str(found.degraded).startswith(f"{name}, RuntimeError")


def test_a_band_holds_only_for_the_judges_of_its_kind(tiny: Tiny) -> None:
    """A fallback with other weights makes the measured bands of its own kinds void, and of no others."""
    vlm = eyes({}) | {
        "retries": 0,
        "faults": {"plan": ["error"], "forever": True},
        "fallback": [{"kind": "told_vision", "model": "another"}],
    }
    preset = only(tiny, {"object": ["scorer"]}, scorer=clip({"a picture of a cat": 0.45}), vlm=vlm)
    bands = {kind: Band.model_validate({"pass": 0.4, "fail": 0.1}) for kind in ("object", "setting")}
    found = verdict(preset, want("object", "cat"), want("setting", value="night"), bands=bands)
    outcomes = {c.requirement.split()[0]: c.outcome for c in found.checks}
    assert (outcomes["object"], outcomes["setting"]) == ("pass", "unchecked")


def test_the_second_judge_is_asked_only_about_what_the_first_leaves_open(tiny: Tiny) -> None:
    cat, sofa = want("object", "cat"), want("object", "sofa")
    judges = {
        "small": clip({"a picture of a cat": 0.97, "a picture of a sofa": 0.5}),
        "large": eyes({"There is no": 0.02}, otherwise=0.98),
    }
    asks = {"ask": ["small", "large"], "how": "mean", "escalate": True}
    made = judged(only(tiny, {"object": asks, "nothing else": []}, **judges), cat, sofa)
    ((found,),), (calls,) = made.each, made.calls
    checks = {check.requirement: check for check in found.checks}
    assert (checks[cat.id].judge, checks[cat.id].outcome) == ("told scorer", "pass")
    assert (checks[sofa.id].judge, checks[sofa.id].outcome) == ("told scorer + told vision", "pass")
    assert checks[cat.id].basis != checks[sofa.id].basis
    assert found.handed_up == ("large: 1 check unsure",)
    assert [(call.stage, call.handed_up is None) for call in calls] == [("scorer", True), ("vlm", False)]
    assert len(calls[1].inputs) == 1
    assert all("sofa" in question for question in calls[1].inputs[0])
    # Without it both are asked about both.
    made = judged(only(tiny, {"object": asks | {"escalate": False}, "nothing else": []}, **judges), cat, sofa)
    assert "handed_up" not in made.each[0][0].model_dump()
    assert "cat" in str(made.calls[0][1].inputs)


def test_nobody_else_is_asked_where_the_first_judge_decides(tiny: Tiny) -> None:
    cat = want("object", "cat")
    judges = {"detector": boxes(("cat", LEFT), score=0.99), "vlm": eyes({}, otherwise=0.98)}
    preset = only(tiny, {"nothing else": []}, **judges)
    preset = preset.model_copy(update={"judge": preset.judge.model_copy(update={"escalate": True})})
    made = judged(preset, cat, want("count", "cat", "1"))
    assert [call.stage for call in made.calls[0]] == ["detector"]
    assert made.each[0][0].handed_up == ()
    # An action is a vision model's alone: it is asked at once, and hands nothing up.
    made = judged(preset, cat, want("action", "cat", "sleeping"))
    assert [(call.stage, call.handed_up) for call in made.calls[0]] == [("detector", None), ("vlm", None)]


def test_a_measured_band_without_judges_does_not_hold_for_the_first_alone(tiny: Tiny) -> None:
    """It was measured for all judges of the route together; the small one alone is unmeasured, so both are asked."""
    cat = want("object", "cat")
    judges = {"small": clip({"a picture of a cat": 0.97}), "large": eyes({"no": 0.02}, otherwise=0.98)}
    preset = only(
        tiny, {"object": {"ask": ["small", "large"], "escalate": True}, "nothing else": []}, **judges
    )
    preset = preset.model_copy(update={"judge": preset.judge.model_copy(update={"default": None})})
    found = verdict(preset, cat, bands={"object": Band.model_validate({"pass": 0.6, "fail": 0.4})})
    assert found.handed_up == ("large: 1 check unchecked",)
    assert found.checks[1].outcome == "pass"
