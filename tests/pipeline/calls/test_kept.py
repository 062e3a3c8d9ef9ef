"""Kept results: what was answered is not asked again, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from models.load import load_image
from models.protocols import ImageModel, Message, OnStep, Paint, Painted, Step, Text
from pipeline.brief import Brief
from pipeline.calls.load import Models, load
from pipeline.calls.operations import TextRequest
from pipeline.calls.pool import ModelPool
from pipeline.config import Machine, Preset
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.loop import run
from pipeline.stopping import Stop
from pipeline.store import Store
from tests.models.text.tiny_text import save_tiny

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}
BRIEFS = [Brief(text=t, seed=9) for t in ("two dogs on a red background", "a cat", "a red apple", "a cat")]


class StopAfter(Stop):
    """Pauses after so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def before_batch(self, stage: str) -> None:
        self.left -= 1
        if self.left < 0:
            self.pause()
        super().before_batch(stage)


def pictures(events: Sequence[Event]) -> dict[tuple[int, str], np.ndarray]:
    return {
        (e.brief, c.id): np.asarray(c.image) for e in events if isinstance(e, Attempt) for c in e.candidates
    }


def told(events: Sequence[Event]) -> list[object]:
    """What happened, without the time it took."""
    return [
        e.model_dump(exclude={"calls"} if isinstance(e, Attempt) else {"seconds", "joules", "money", "calls"})
        for e in events
    ]


@pytest.fixture
def preset(tiny: Tiny) -> Preset:
    return tiny(judge=NEVER_PASS, loop={"images": 4, "together": 2})


def play(preset: Preset, models: Models, stop: Stop | None = None) -> list[Event]:
    return list(run(BRIEFS, preset, models, stop=stop))


def test_kept_results_give_the_same_run_without_model_calls(preset: Preset, tmp_path: Path) -> None:
    store = Store(tmp_path)
    bare, first, second = (
        play(preset, load(preset, results)) for results in (None, store.results, store.results)
    )
    assert told(bare) == told(first) == told(second)
    for one, two in ((bare, first), (first, second)):
        a, b = pictures(one), pictures(two)
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[key], b[key]) for key in a)
    calls = [call for e in second if isinstance(e, Attempt) for call in e.calls]
    assert calls
    assert all(call.kept == tuple(range(len(call.inputs))) and call.seconds == 0 for call in calls)
    spent = [call for e in first if isinstance(e, Attempt) for call in e.calls if not call.kept]
    assert all(call.seconds > 0 for call in spent)
    # The same cat twice: painted once.
    assert store.results.count()["image"] == 12


def test_kept_answers_are_charged_their_original_cost(preset: Preset, tmp_path: Path) -> None:
    """Or a batch that is killed often enough would never reach its budget."""
    preset = preset.model_copy(update={"machine": Machine(price=36.0, energy="assumed", watts=100.0)})
    results = Store(tmp_path).results
    first, second = (play(preset, load(preset, results)) for _ in range(2))
    for events in (first, second):
        for i in range(len(BRIEFS)):
            calls = [c for e in events if isinstance(e, Attempt) and e.brief == i for c in e.calls]
            calls += [c for e in events if isinstance(e, Started) and e.brief == i for c in e.calls]
            (end,) = [e for e in events if isinstance(e, Outcome) and e.brief == i]
            assert end.money == pytest.approx(sum(c.with_kept.money for c in calls))
            assert end.joules == pytest.approx(sum(c.with_kept.joules for c in calls))
            assert end.money > 0
            assert events is first or all(c.money == 0 for c in calls)


@pytest.mark.parametrize("after", [1, 2, 5, 9])
def test_an_interrupted_run_continues_with_kept_results(preset: Preset, tmp_path: Path, after: int) -> None:
    store = Store(tmp_path)
    cut = play(preset, load(preset, store.results), StopAfter(after))
    assert sum(isinstance(e, Outcome) for e in cut) < len(BRIEFS)
    had = sum(store.results.count().values())
    assert had >= after
    events = play(preset, load(preset, store.results))
    undisturbed = play(preset, load(preset))
    assert told(events) == told(undisturbed)
    assert all(np.array_equal(v, pictures(undisturbed)[k]) for k, v in pictures(events).items())
    fresh = sum(
        len(call.inputs) - len(call.kept) for e in events if isinstance(e, Attempt) for call in e.calls
    )
    # Two equal briefs in one wave share an answer that is paid once.
    assert sum(store.results.count().values()) - had <= fresh
    assert store.results.count()["image"] == 12


class Counting:
    """Counts what a real painter is asked."""

    def __init__(self, model: ImageModel) -> None:
        self.model, self.batches = model, list[list[int]]()
        self.identity = model.identity

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        self.batches.append([r.seed for r in requests])
        return self.model.paint(requests, on_step)


def test_only_missing_images_are_painted_and_steps_have_the_callers_positions(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tiny(image="prx_pixel", settings={"guidance": 1.0, "max_batch": 2})
    counting = Counting(load_image(preset.image, preset.base, offline=True))
    monkeypatch.setattr("models.load.load_image", lambda *_, **__: counting)
    painter = load(preset, Store(tmp_path).results).image
    requests = [Paint("a cat", seed, steps=2 + seed % 2) for seed in range(6)]
    painter.ask([requests[3]])
    assert counting.batches == [[3]]
    seen: set[int] = set()

    def on_step(step: Step) -> None:
        seen.update(step.requests)

    answers = painter.ask(requests, on_step).answers
    assert [i for i, answer in enumerate(answers) if answer.kept] == [3]
    assert seen == {0, 1, 2, 4, 5}
    assert counting.batches[1:] == [[0, 2], [4, 1], [5]] or counting.batches[1:] == [[0, 2], [4], [1, 5]]
    painted = [answer.value for answer in answers if answer.value]
    assert [p.settings["seed"] for p in painted] == list(range(6))
    alone = counting.model.paint(requests)
    assert all(
        np.array_equal(np.asarray(a.image), np.asarray(b.image)) for a, b in zip(painted, alone, strict=True)
    )


def test_settings_model_and_seed_are_part_of_the_key(tiny: Tiny, tmp_path: Path) -> None:
    results = Store(tmp_path).results
    for change in ({}, {"steps": 3}, {"guidance": 1.0}, {"max_batch": 1}):
        preset = tiny(settings=change)
        load(preset, results).image.ask([Paint("a cat", 1)])
    assert results.count()["image"] == 3  # how many go in a batch decides nothing
    load(preset, results).image.ask([Paint("a cat", 2), Paint("a cat", 1, negative="dog")])
    assert results.count()["image"] == 5


def test_a_text_is_kept_with_its_temperature_seed_and_schema(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(loop={"writer": "model"})
    save_tiny(tmp_path / "text")
    spec = {"model": str(tmp_path / "text"), "device": "cpu", "dtype": "float32"}
    preset = preset.model_copy(update={"text": preset.text.model_copy(update=spec)})
    model = load(preset, Store(tmp_path / "out").results).text
    assert model is not None

    def ask(count: int = 2, temperature: float = 0.0, seed: int = 0) -> tuple[list[Text | None], list[bool]]:
        asked = [TextRequest((Message("user", "hello"),), None, 8, temperature, seed)] * count
        answers = model.ask(asked).answers
        return [answer.value for answer in answers], [answer.kept for answer in answers]

    warm, kept = ask(temperature=1.0, seed=3)
    assert warm[0] != warm[1]
    assert kept == [False, False]
    assert ask(temperature=1.0, seed=3) == (warm, [True, True])
    other, kept = ask(temperature=1.0, seed=4)
    assert other != warm
    assert kept == [False, False]
    cold, _ = ask()
    assert cold[0] == cold[1]
    assert ask(1) == (cold[:1], [True])


def test_models_one_at_a_time_give_the_same_images(tiny: Tiny) -> None:
    together = tiny(judge=NEVER_PASS, loop={"images": 2})
    in_turn = together.model_copy(update={"residency": "by_phase"})
    pool = ModelPool()
    models = load(in_turn, pool=pool)
    loaded: list[int] = []
    events = []
    for event in run(BRIEFS[:2], in_turn, models, lambda step: loaded.append(len(pool.loaded))):
        events.append(event)
        loaded.append(len(pool.loaded))
    assert set(loaded) == {1}
    assert told(events) == told(list(run(BRIEFS[:2], together, load(together))))
    assert pool.unload() == 1
    assert pool.loaded == []
    assert [e for e in run(BRIEFS[:1], in_turn, models) if isinstance(e, Outcome)]


def test_presets_share_equal_models(tiny: Tiny) -> None:
    pool, one = ModelPool(), tiny()
    first = load(one, pool=pool)
    second = load(one.model_copy(update={"loop": one.loop.model_copy(update={"images": 1})}), pool=pool)
    assert first.image.rungs[0].model is second.image.rungs[0].model
    assert len(pool.loaded) == 2


def test_a_model_says_how_much_memory_its_weights_take(tiny: Tiny, tiny_text: str) -> None:
    pool, preset = ModelPool(), tiny(loop={"reader": "model"}, text={"model": tiny_text})
    load(preset, pool=pool)
    files = {
        "diffusers": [*(preset.base / preset.image.model).rglob("*.safetensors")],
        "open_clip": [*(preset.base / preset.judges["scorer"].model).rglob("*.safetensors")],
        "transformers": [*(preset.base / str(preset.text.model)).rglob("*.safetensors")],
    }
    assert {model.identity.kind for model in pool.loaded} == set(files)
    for model in pool.loaded:
        on_disk = sum(file.stat().st_size for file in files[model.identity.kind])  # float32
        size = getattr(torch, model.identity.dtype).itemsize / torch.float32.itemsize
        # Files also hold headers, and models hold buffers that are not saved.
        assert model.bytes == pytest.approx(on_disk * size, rel=0.3)
    pool.unload()
    assert [model.bytes for model in pool._models.values()] == [None] * 3
