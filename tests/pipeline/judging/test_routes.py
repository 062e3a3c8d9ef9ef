"""Which judges answer what, and how their answers are combined."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from models.load import BACKENDS, parse_judge
from models.specs import JUDGES, Spec
from pipeline.config import load_preset
from pipeline.judging.routes import How, Route, combined, defaults, fault, routes

KINDS: dict[str, dict[str, Any]] = {
    "scorer": {"kind": "open_clip", "model": "x"},
    "grid": {"kind": "grid", "model": "x"},
    "detector": {"kind": "zero_shot_object_detection", "model": "x"},
    "vlm": {"kind": "image_text", "model": "x"},
    "ocr": {"kind": "rapidocr"},
}


def judges(*names: str) -> dict[str, Spec]:
    return {name: parse_judge(KINDS[name]) for name in names}


@pytest.mark.parametrize(
    ("how", "each", "together"),
    [
        ("mean", (0.9, 0.1), 0.5), ("mean", (0.9, None), 0.9), ("mean", (0.98, 0.98), 0.98),
        ("agree", (0.9, 0.7), 0.7), ("agree", (0.1, 0.3), 0.3), ("agree", (0.99, 0.4), 0.5),
        ("all", (0.9, 0.7, 0.2), 0.2), ("all", (None, 0.7), 0.7),
        ("first", (0.9, 0.1), 0.9), ("first", (0.6, 0.1), 0.1), ("first", (None, 0.1), 0.1),
        ("first", (0.4, 0.6), 0.5),
    ],
)  # fmt: skip
def test_answers_are_combined_as_the_table_says(
    how: How, each: tuple[float | None, ...], together: float
) -> None:
    assert combined(how, each) == pytest.approx(together)


@pytest.mark.parametrize("how", ["mean", "agree", "all", "first"])
def test_without_an_answer_there_is_no_probability(how: How) -> None:
    assert combined(how, ()) is None
    assert combined(how, (None, None)) is None


def asked(found: dict[Any, Route]) -> dict[str, tuple[str, ...]]:
    return {kind: route.ask for kind, route in found.items() if route.ask}


def test_the_bundled_preset_needs_no_routes() -> None:
    preset = load_preset("mini")
    assert preset.judge.routes == {}
    both, boxes = ("detector", "scorer"), ("detector",)
    assert asked(preset.routes) == {
        "object": both, "count": boxes, "attribute": both, "relation": boxes, "absence": both, "style": both,
        "background": ("scorer",), "nothing else": boxes, "intact": boxes,
    }  # fmt: skip
    assert {preset.routes[kind].how for kind in ("object", "attribute", "absence", "style")} == {"mean"}


def test_defaults_follow_from_the_judges_that_there_are() -> None:
    alone = asked(defaults(judges("scorer")))
    assert set(alone.values()) == {("scorer",)}
    assert not {"action", "setting", "text", "statement", "nothing else", "intact"} & alone.keys()
    full = defaults(judges("scorer", "detector", "vlm", "ocr"))
    assert full["object"] == full["attribute"] == Route(ask=("detector", "vlm"))
    assert full["style"] == full["background"] == Route(ask=("vlm", "scorer"), how="first")
    assert full["count"] == Route(ask=("detector", "vlm"), how="agree")
    assert full["relation"] == Route(ask=("detector", "vlm"), how="first")
    assert full["absence"] == Route(ask=("detector", "vlm", "ocr"), how="all")
    assert full["action"].ask == full["setting"].ask == full["statement"].ask == ("vlm",)
    assert full["text"].ask == ("ocr",)
    assert full["nothing else"].ask == ("vlm",)  # the detector sees only what it is told to look for
    assert full["intact"].ask == ()
    assert asked(defaults(judges("vlm"))).keys() == asked(full).keys()
    assert asked(defaults(judges("ocr"))) == {"text": ("ocr",), "absence": ("ocr",)}


def test_every_default_can_be_answered() -> None:
    for names in (
        ("scorer",),
        ("grid",),
        ("detector",),
        ("vlm",),
        ("ocr",),
        ("scorer", "grid", "vlm", "ocr"),
    ):
        there = judges(*names)
        chosen = {kind: route for kind, route in defaults(there).items() if route.ask}
        assert fault(there, chosen) is None


def test_a_preset_chooses_some_routes_and_leaves_others_to_a_person() -> None:
    chosen = {"count": Route(ask=("grid",)), "style": Route()}
    found = routes(judges("scorer", "grid"), chosen)  # type: ignore[arg-type]
    assert found["count"] == Route(ask=("grid",))
    assert "style" not in found
    assert found["object"].ask == ("grid", "scorer")


def test_a_list_is_short_for_who_is_asked() -> None:
    preset = load_preset(
        "mini", ["judge.routes={count: [detector], relation: {ask: [detector], how: first}}"]
    )
    assert preset.routes["count"] == Route(ask=("detector",))
    assert preset.routes["relation"] == Route(ask=("detector",), how="first")


def test_one_judge_needs_no_list_and_is_named_once() -> None:
    assert Route.model_validate("a") == Route(ask=("a",))
    with pytest.raises(ValidationError, match="names a judge twice"):
        Route.model_validate(["a", "b", "a"])


def test_the_kind_of_a_judge_says_its_stage() -> None:
    kinds = [found.kind for found in BACKENDS if found.stage in JUDGES]
    assert len(kinds) == len(set(kinds))
