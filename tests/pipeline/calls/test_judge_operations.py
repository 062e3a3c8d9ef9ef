"""The stages that look at images, through loading, kept results, faults and fallbacks, on tiny real models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from models.protocols import YesNo
from models.specs import Fault
from pipeline.brief import Brief
from pipeline.calls.judge_operations import AskRequest, DetectRequest
from pipeline.calls.load import Models, check, load
from pipeline.calls.record import StageName
from pipeline.config import Preset
from pipeline.events import Attempt
from pipeline.loop import run
from pipeline.store import Store
from scripts.benches.chaos_faults import FAULTS, broken
from tests.models.detector.tiny_detector import make_owlv2
from tests.models.vlm.tiny_vlm import make_smolvlm

Tiny = Callable[..., Preset]
OUTSIDE = "malformed output: a number outside 0 to 1"
MISSING = "malformed output: an answer is missing"
TRIGGER: dict[Fault, dict[str, str]] = {
    "error": dict.fromkeys(("detector", "vlm", "ocr"), "RuntimeError: the model broke (injected)"),
    "out_of_memory": dict.fromkeys(("detector", "vlm", "ocr"), "CUDA out of memory"),
    "hang": dict.fromkeys(("detector", "vlm", "ocr"), "no answer within 0.05 s"),
    "not_loaded": dict.fromkeys(("detector", "vlm", "ocr"), "the model cannot be loaded (injected)"),
    "nan": dict.fromkeys(("detector", "vlm", "ocr"), "NaN output"),
    "blank": {"detector": MISSING, "vlm": "blank output: no probabilities", "ocr": MISSING},
    "malformed": dict.fromkeys(("detector", "vlm", "ocr"), OUTSIDE),
}


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Sections of a preset for a zero-shot detector, a vision-language model and a reader of text."""
    root = tmp_path_factory.mktemp("judges")
    owlv2, smolvlm = make_owlv2(root / "owlv2"), make_smolvlm(root / "smolvlm")
    return {
        "detector": {
            "kind": "zero_shot_object_detection",
            "model": str(owlv2),
            "device": "cpu",
            "least": 0.0,
        },
        "vlm": {"kind": "image_text", "model": str(smolvlm), "device": "cpu", "dtype": "float32"},
        "ocr": {"kind": "rapidocr"},
    }


@pytest.fixture
def preset(tiny: Tiny, judges: dict[str, dict[str, Any]], loaded_once: None) -> Preset:
    return tiny(judges=judges)


def picture(text: str = "Sale") -> Image.Image:
    made = Image.new("RGB", (160, 120), "#ccddee")
    ImageDraw.Draw(made).text((20, 40), text, font=ImageFont.load_default(30), fill="black")
    return made


def request(stage: StageName) -> Any:
    return {
        "detector": DetectRequest(picture(), ("polar bear", "cat")),
        "vlm": AskRequest(picture(), ("Is there a cat?", "Is it night?")),
        "ocr": picture(),
    }[stage]


def stage_of(models: Models, stage: StageName) -> Any:
    return models.judges[stage]


def test_a_preset_may_name_all_judges_or_one(tiny: Tiny, preset: Preset) -> None:
    check(preset)
    assert list(preset.models) == [
        "text",
        "image",
        *(f"judges.{n}" for n in ("scorer", "detector", "vlm", "ocr")),
    ]
    assert list(load(tiny()).judges) == ["scorer"]


def test_two_judges_of_one_stage_have_their_own_names(tiny: Tiny, judges: dict[str, dict[str, Any]]) -> None:
    eyes = {"near": judges["vlm"], "far": judges["vlm"]}
    preset = tiny(judges=eyes, judge={"routes": {"setting": ["near", "far"], "object": ["scorer"]}})
    sick = load(broken(preset, "far", "error", "nothing"))
    answers = {name: sick.judges[name].ask([request("vlm")]).answers[0] for name in eyes}
    assert answers["near"].degraded is None
    assert answers["far"].degraded == "far, RuntimeError: the model broke (injected) → a person"


def test_their_answers_are_recorded_and_kept(preset: Preset, tmp_path: Path) -> None:
    store = Store(tmp_path)
    first: dict[str, Any] = {}
    for again in (False, True):
        models = load(preset, store.results)
        for stage in ("detector", "vlm", "ocr"):
            reply = stage_of(models, stage).ask([request(stage)])
            (answer,), (call,) = reply.answers, reply.calls
            assert answer.kept is again
            assert (call.stage, call.kept) == (stage, (0,) if again else ())
            assert answer.value == first.setdefault(stage, answer.value)
            if stage == "vlm":
                assert isinstance(answer.value, YesNo)
                assert call.inputs == (["Is there a cat?", "Is it night?"],)
                assert call.outputs[0]["probabilities"] == list(answer.value.probabilities)
                assert call.tokens_with_kept == answer.value.input_tokens > 0
                assert call.tokens == (0 if again else answer.value.input_tokens)
            if stage == "ocr":
                assert [line["text"] for line in call.outputs[0]] == ["Sale"]
            if stage == "detector":
                assert call.inputs == (["polar bear", "cat"],)
                assert {seen["label"] for seen in call.outputs[0]} <= {"polar bear", "cat"}
    assert store.results.count() == {"detector": 1, "vlm": 1, "ocr": 1}


def test_questions_and_names_decide_the_answer(preset: Preset, tmp_path: Path) -> None:
    store = Store(tmp_path)
    models = load(preset, store.results)
    models.judges["vlm"].ask(
        [AskRequest(picture(), (q,)) for q in ("Is it day?", "Is it night?", "Is it day?")]
    )
    models.judges["detector"].ask([DetectRequest(picture(), (name,)) for name in ("cat", "dog", "cat")])
    assert store.results.count() == {"vlm": 2, "detector": 2}


def test_names_do_not_decide_what_a_closed_vocabulary_answers(tiny: Tiny, tmp_path: Path) -> None:
    store = Store(tmp_path)
    grid = {"kind": "grid", "model": "package:models/mini/detector", "device": "cpu"}
    reply = (
        load(tiny(judges={"detector": grid}), store.results)
        .judges["detector"]
        .ask([DetectRequest(picture(), (name,)) for name in ("cat", "dog")])
    )
    assert reply.answers[0].value == reply.answers[1].value
    assert store.results.count() == {"detector": 1}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", ["detector", "vlm", "ocr"])
def test_a_fallback_answers_and_is_named(preset: Preset, stage: StageName, fault: Fault) -> None:
    whole = stage_of(load(preset), stage).ask([request(stage)]).answers[0]
    sick = load(broken(preset, stage, fault, "a healthy rung", 0.05))
    (answer,) = stage_of(sick, stage).ask([request(stage)]).answers
    assert answer.value == whole.value
    assert str(answer.degraded).startswith(f"{stage}, {TRIGGER[fault][stage]} → ")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "not_loaded"])
@pytest.mark.parametrize("stage", ["detector", "vlm", "ocr"])
def test_without_a_fallback_there_is_no_answer(preset: Preset, stage: StageName, fault: Fault) -> None:
    models = load(broken(preset, stage, fault, "nothing", 0.05))
    (answer,) = stage_of(models, stage).ask([request(stage)]).answers
    assert answer.value is None
    assert answer.degraded == f"{stage}, {TRIGGER[fault][stage]} → a person"


def test_the_loop_tells_a_detector_what_a_brief_names(preset: Preset) -> None:
    brief = Brief(text="a cat to the left of a dog, no birds, flat style", seed=1)
    events = list(run([brief], preset, load(preset)))
    calls = [call for event in events if isinstance(event, Attempt) for call in event.calls]
    asked = [names for call in calls if call.stage == "detector" for names in call.inputs]
    assert asked
    assert all(sorted(names) == ["bird", "cat", "dog"] for names in asked)
