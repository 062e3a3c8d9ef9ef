"""Stages under injected faults, on tiny real models: every stage against every trigger."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from models.specs import Fault, FaultPlan
from pipeline.brief import Brief
from pipeline.calls.load import Models, load
from pipeline.calls.record import Call, StageName
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder, read_metadata
from scripts.benches.chaos_faults import FAULTS, broken, play
from tests.pipeline.test_loop import ALWAYS_PASS, BUNDLED, NEVER_PASS

Tiny = Callable[..., Preset]
TRIGGER = {
    "error": "RuntimeError: the model broke (injected)",
    "out_of_memory": "CUDA out of memory",
    "hang": "no answer within 0.05 s",
    "not_loaded": "the model cannot be loaded (injected)",
    "nan": {"text": "malformed output, also when asked again", "image": "blank output: one flat colour",
            "scorer": "NaN output"},
    "blank": {"text": "blank output", "image": "blank output: one flat colour",
              "scorer": "blank output: no probabilities"},
    "malformed": {"text": "malformed output, also when asked again", "image": "malformed output: an answer is missing",
                  "scorer": "malformed output: a number outside 0 to 1"},
}  # fmt: skip


def trigger(stage: StageName, fault: Fault) -> str:
    said: Any = TRIGGER[fault]
    return said if isinstance(said, str) else said[stage]


@pytest.fixture
def preset(tiny: Tiny, tiny_text: str) -> Preset:
    loop = {"images": 2, "reader": "model"}
    # What a random text model writes counts only where the range and the rules hold it.
    return tiny(judge=ALWAYS_PASS, loop=loop, text={"model": tiny_text}, range=BUNDLED)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", ["text", "image", "scorer"])
def test_a_fallback_saves_the_run_and_is_named(preset: Preset, stage: StageName, fault: Fault) -> None:
    end = play(broken(preset, stage, fault, "a healthy rung", 0.05), stage, fault, "a healthy rung")
    assert end.outcome is not None
    assert end.outcome.status == "accepted"
    name = {"text": "text", "image": "sd_tiny_vae", "scorer": "siglip"}[stage]
    assert end.outcome.degraded == (f"{stage}, {trigger(stage, fault)} → {name}",)
    assert end.reader == "text + rules"
    assert end.honest


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "not_loaded"])
def test_rules_read_when_the_text_model_always_fails(preset: Preset, fault: Fault) -> None:
    end = play(broken(preset, "text", fault, "nothing", 0.05), "text", fault, "nothing")
    assert end.outcome is not None
    assert end.reader == "rules"
    assert end.outcome.degraded == (f"text, {trigger('text', fault)} → rules",)
    assert end.outcome.status == "accepted"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "not_loaded"])
def test_an_image_that_no_scorer_checked_is_never_accepted(preset: Preset, fault: Fault) -> None:
    """The bands of this preset let everything through that has a probability."""
    end = play(broken(preset, "scorer", fault, "nothing", 0.05), "scorer", fault, "nothing")
    assert end.outcome is not None
    assert end.outcome.status == "needs_review"
    assert end.outcome.degraded == (f"scorer, {trigger('scorer', fault)} → pixel checks and a person",)
    assert end.outcome.verdict is not None
    by_judge = {c.judge: c.outcome for c in end.outcome.verdict.checks}
    assert by_judge == {"pixels": "pass", "none": "unchecked"}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "not_loaded"])
def test_an_image_model_that_always_fails_ends_the_run_with_the_reason(preset: Preset, fault: Fault) -> None:
    end = play(broken(preset, "image", fault, "nothing", 0.05), "image", fault, "nothing")
    assert end.outcome is not None
    if fault in ("nan", "blank"):  # a picture, if a flat one: its verdict says what it is
        assert end.outcome.status == "exhausted"
        assert "everything is whole" in end.outcome.reason
    else:
        assert end.outcome.status == "failed"
        assert end.outcome.reason == f"nothing could be painted: {trigger('image', fault)}"


def test_a_fallback_is_named_in_call_candidate_and_png(preset: Preset, tmp_path: Any) -> None:
    sick = broken(preset, "image", "out_of_memory", "a healthy rung")
    folder = RunFolder(tmp_path / "run", Brief(text="a cat"), sick)
    events = []
    for event in run([Brief(text="a cat")], sick, load(sick)):
        folder.take(event)
        events.append(event)
    (attempt,) = (e for e in events if isinstance(e, Attempt))
    said = "image, CUDA out of memory → sd_tiny_vae"
    *failed, painted = (call for call in attempt.calls if call.stage == "image")
    # Tried again after the other models were unloaded.
    assert [(call.error is None, call.degraded) for call in failed] == [(False, None)] * 2
    assert (painted.error, painted.degraded) == (None, said)
    assert attempt.candidates[0].degraded == said
    assert read_metadata(folder.path / "accepted.png")["degraded"] == [said]


def test_the_calls_of_an_attempt_that_painted_nothing_are_recorded(preset: Preset) -> None:
    sick = broken(preset, "image", "error", "nothing")
    events = list(run([Brief(text="a cat")], sick, load(sick)))
    (attempt,) = (e for e in events if isinstance(e, Attempt))
    assert attempt.candidates == ()
    assert [call.error for call in attempt.calls] == ["RuntimeError: the model broke (injected)"]
    assert isinstance(events[-1], Outcome)
    assert events[-1].status == "failed"


def calls_of(models: Models, preset: Preset, briefs: int = 1) -> list[tuple[Call, ...]]:
    """The image calls of each attempt."""
    given = [Brief(text=f"{n + 1} cats", seed=n) for n in range(briefs)]
    attempts = [e for e in run(given, preset, models) if isinstance(e, Attempt)]
    return [tuple(c for c in a.calls if c.stage == "image") for a in attempts]


def faulty(preset: Preset, *plan: Fault, forever: bool = False, **more: Any) -> Preset:
    spec = broken(preset, "image", "error", "a healthy rung").image
    changes = {"faults": FaultPlan(plan=plan, forever=forever), **more}
    return preset.model_copy(update={"image": spec.model_copy(update=changes)})


def test_a_retry_is_not_degraded(tiny: Tiny) -> None:
    preset = faulty(tiny(judge=ALWAYS_PASS), "error", retries=1)
    ((first, second),) = calls_of(load(preset), preset)
    assert first.error
    assert (second.error, second.degraded) == (None, None)


def test_an_open_circuit_makes_no_calls(tiny: Tiny) -> None:
    preset = faulty(
        tiny(judge=NEVER_PASS, loop={"images": 5}), "error", forever=True, break_after=2, rest_s=3600
    )
    calls = calls_of(load(preset), preset)
    assert [len(mine) for mine in calls] == [2, 2, 1, 1, 1]
    last = calls[-1][0].degraded
    assert last == "image, circuit open after: RuntimeError: the model broke (injected) → sd_tiny_vae"


def test_the_first_rung_is_used_again_when_it_recovers(tiny: Tiny) -> None:
    preset = faulty(tiny(judge=NEVER_PASS, loop={"images": 4}), "error", "error", break_after=2, rest_s=0)
    calls = calls_of(load(preset), preset)
    assert [mine[-1].degraded is not None for mine in calls] == [True, True, False, False]
    assert len(calls[-1]) == 1


def test_a_batch_that_does_not_fit_is_halved(tiny: Tiny) -> None:
    preset = faulty(tiny(judge=ALWAYS_PASS), "out_of_memory", "out_of_memory")
    events = list(run([Brief(text=f"{n + 1} cats", seed=n) for n in range(4)], preset, load(preset)))
    attempts = [e for e in events if isinstance(e, Attempt)]
    assert all(a.candidates[0].degraded is None for a in attempts)
    assert [[c.batch for c in a.calls if c.stage == "image"] for a in attempts] == [[4, 4, 2]] * 4
    healthy = tiny(judge=ALWAYS_PASS)
    for attempt, alone in zip(attempts, run_all(healthy, 4), strict=True):
        assert np.array_equal(np.asarray(attempt.candidates[0].image), np.asarray(alone))


def run_all(preset: Preset, briefs: int) -> list[Any]:
    given = [Brief(text=f"{n + 1} cats", seed=n) for n in range(briefs)]
    return [e.candidates[0].image for e in run(given, preset, load(preset)) if isinstance(e, Attempt)]


def test_one_bad_item_affects_only_its_own_brief(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 1}, settings={"paint_size": 64})
    briefs = [Brief(text="a cat"), Brief(text="a dog", width=64, height=96), Brief(text="a bus")]
    outcomes = [e for e in run(briefs, preset, load(preset)) if isinstance(e, Outcome)]
    status = {o.brief: o.status for o in outcomes}
    assert status == {0: "exhausted", 1: "failed", 2: "exhausted"}


def test_a_fallback_may_change_a_few_keys(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 1}, settings={"steps": 4, "fallback": [{"steps": 2}]})
    assert preset.image.fallback[0].model == preset.image.model
    models = load(preset)
    first, second = models.image.rungs
    assert first.model is second.model  # one set of weights for both
    assert second.name == "2 steps"
    first.breaker.open()
    ((call,),) = calls_of(models, preset)
    assert call.outputs[0]["steps"] == 2
    assert str(call.degraded).endswith("→ 2 steps")


def test_a_smaller_picture_than_requested_fails(tiny: Tiny) -> None:
    preset = tiny(judge=ALWAYS_PASS, loop={"images": 1}, settings={"fallback": [{"width": 32, "height": 32}]})
    models = load(preset)
    models.image.rungs[0].breaker.open()
    asked, free = Brief(text="a cat", width=64, height=64), Brief(text="a cat")
    ended = [e for e in run([asked, free], preset, models) if isinstance(e, Outcome)]
    assert ended[0].status == "exhausted"
    assert ended[0].verdict is not None
    assert "32 × 32 pixels instead of 64 × 64" in ended[0].verdict.checks[0].reason
    assert ended[1].status == "accepted"
    assert ended[1].best is not None
    assert ended[1].best.image.size == (32, 32)


def test_a_fallback_scorer_with_other_weights_is_unmeasured(tiny: Tiny, tiny_folder: Any) -> None:
    from tests.models.scorer.tiny_scorer import make_clip

    if not (tiny_folder / "clip").exists():
        make_clip(tiny_folder / "clip")
    preset = tiny(judge=ALWAYS_PASS, loop={"images": 1})
    scorer = preset.judges["scorer"]
    other = scorer.model_copy(update={"model": "./clip"})
    preset = preset.model_copy(
        update={"judges": {"scorer": scorer.model_copy(update={"fallback": (other,)})}}
    )
    models = load(preset)
    outcomes = []
    for _ in range(2):
        outcomes += [e for e in run([Brief(text="a cat")], preset, models) if isinstance(e, Outcome)]
        models.judges["scorer"].rungs[0].breaker.open()
    assert [o.status for o in outcomes] == ["accepted", "needs_review"]
    assert outcomes[1].reason == "not checked yet: 22 more decisions on objects"
    assert outcomes[1].degraded == ("scorer, circuit open → clip",)


def test_a_hung_call_is_given_up_and_recorded(tiny: Tiny) -> None:
    preset = faulty(tiny(judge=NEVER_PASS, loop={"images": 2}), "hang", patience_s=0.05)
    models = load(preset)
    calls = calls_of(models, preset)
    assert "no answer within" in str(calls[0][0].error)
    assert str(calls[1][-1].degraded).startswith("image, an earlier call still hangs")
    assert len(calls[1]) == 1
    assert [e for e in run([Brief(text="a cat")], preset, models) if isinstance(e, Started)]


def test_the_fallback_of_a_text_model_whose_numbers_are_nan(
    tiny: Tiny, tiny_folder: Any, tiny_text: str
) -> None:
    if not (tiny_folder / "nan").exists():
        shutil.copytree(tiny_folder / "text", tiny_folder / "nan")
        file = tiny_folder / "nan/model.safetensors"
        damaged = {name: weight * float("nan") for name, weight in load_file(file).items()}
        save_file(damaged, file, {"format": "pt"})
    text = {"model": "./nan", "retries": 0, "fallback": [{"model": tiny_text}]}
    preset = tiny(judge=ALWAYS_PASS, loop={"images": 1, "reader": "model"}, text=text, range=BUNDLED)
    started, *_ = run([Brief(text="a cat")], preset, load(preset))
    assert isinstance(started, Started)
    assert "NaN" in str(started.calls[0].error)
    assert any(call.error is None for call in started.calls)
