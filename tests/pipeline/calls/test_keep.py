"""Kept results: what was answered is not asked again, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from models.protocols import Message, OnStep, Paint, Painted, Step
from pipeline.brief import Brief
from pipeline.calls.keep import Keep, KeptImage, KeptText
from pipeline.calls.load import Models, load
from pipeline.calls.residency import House
from pipeline.config import Machine, Preset
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.loop import run
from pipeline.store import Store
from tests.models.text.tiny_text import save_tiny

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}
BRIEFS = [Brief(text=t, seed=9) for t in ("two dogs on a red background", "a cat", "a red apple", "a cat")]


class Stop(BaseException):
    pass


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


def play(preset: Preset, models: Models) -> list[Event]:
    return list(run(BRIEFS, preset, models))


def test_kept_results_give_the_same_run_for_nothing(preset: Preset, tmp_path: Path) -> None:
    store = Store(tmp_path)
    bare, first, second = (
        play(preset, load(preset, keep)) for keep in (None, Keep(store.results), Keep(store.results))
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


def test_what_was_kept_is_charged_as_if_it_were_made_now(preset: Preset, tmp_path: Path) -> None:
    """Or a batch that is killed often enough would never reach its budget."""
    preset = preset.model_copy(update={"machine": Machine(price=36.0, energy="assumed", watts=100.0)})
    results = Store(tmp_path).results
    first, second = (play(preset, load(preset, Keep(results))) for _ in range(2))
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
def test_work_that_was_cut_short_goes_on_where_it_stood(preset: Preset, tmp_path: Path, after: int) -> None:
    store, done = Store(tmp_path), 0

    def between(stage: str) -> None:
        nonlocal done
        done += 1
        if done > after:
            raise Stop

    with pytest.raises(Stop):
        play(preset, load(preset, Keep(store.results, between)))
    had = sum(store.results.count().values())
    assert had >= after
    done = -(10**9)
    events = play(preset, load(preset, Keep(store.results, between)))
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
    """A painter that counts what it is asked; paints by a real one."""

    def __init__(self, model: object) -> None:
        self.model, self.batches = model, []
        self.identity = model.identity  # type: ignore[attr-defined]

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        self.batches.append([r.seed for r in requests])  # type: ignore[attr-defined]
        return self.model.paint(requests, on_step)  # type: ignore[attr-defined, no-any-return]


def test_only_what_is_missing_is_painted_and_steps_name_the_callers_positions(
    tiny: Tiny, tmp_path: Path
) -> None:
    preset = tiny(image="prx_pixel", settings={"guidance": 1.0, "max_batch": 2})
    counting = Counting(load(preset).image)
    painter = KeptImage(counting, preset.image, Keep(Store(tmp_path).results))
    requests = [Paint("a cat", seed, steps=2 + seed % 2) for seed in range(6)]
    painter.paint([requests[3]])
    assert counting.batches == [[3]]
    seen: set[int] = set()

    def on_step(step: Step) -> None:
        seen.update(step.requests)

    painted = painter.paint(requests, on_step)
    assert list(painter.answered) == [3]
    assert seen == {0, 1, 2, 4, 5}
    assert counting.batches[1:] == [[0, 2], [4, 1], [5]] or counting.batches[1:] == [[0, 2], [4], [1, 5]]
    assert [p.settings["seed"] for p in painted] == list(range(6))
    alone = load(preset).image.paint(requests)
    assert all(
        np.array_equal(np.asarray(a.image), np.asarray(b.image)) for a, b in zip(painted, alone, strict=True)
    )


def test_settings_model_and_seed_all_decide(tiny: Tiny, tmp_path: Path) -> None:
    results = Store(tmp_path).results
    for change in ({}, {"steps": 3}, {"guidance": 1.0}, {"max_batch": 1}):
        preset = tiny(settings=change)
        load(preset, Keep(results)).image.paint([Paint("a cat", 1)])
    assert results.count()["image"] == 3  # how many go in a batch decides nothing
    load(preset, Keep(results)).image.paint([Paint("a cat", 2), Paint("a cat", 1, negative="dog")])
    assert results.count()["image"] == 5


def test_a_text_is_kept_with_its_temperature_seed_and_schema(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(loop={"writer": "model"})
    save_tiny(tmp_path / "text")
    spec = {"model": str(tmp_path / "text"), "device": "cpu", "dtype": "float32"}
    preset = preset.model_copy(update={"text": preset.text.model_copy(update=spec)})
    keep = Keep(Store(tmp_path / "out").results)
    model = load(preset, keep).text
    assert model is not None
    turns = [[Message("user", "hello")], [Message("user", "hello")]]
    warm = model.generate(turns, max_tokens=8, temperature=1.0, seed=3)
    assert warm[0].text != warm[1].text
    inner = model.rungs[0].model._model  # type: ignore[attr-defined]
    assert isinstance(inner, KeptText)
    assert inner.answered == {}
    assert model.generate(turns, max_tokens=8, temperature=1.0, seed=3) == warm
    assert list(inner.answered) == [0, 1]
    assert model.generate(turns, max_tokens=8, temperature=1.0, seed=4) != warm
    cold = model.generate(turns, max_tokens=8)
    assert cold[0] == cold[1]
    assert model.generate(turns[:1], max_tokens=8) == cold[:1]
    assert list(inner.answered) == [0]


def test_models_take_turns_and_give_the_same(tiny: Tiny) -> None:
    together = tiny(judge=NEVER_PASS, loop={"images": 2})
    in_turn = together.model_copy(update={"residency": "by_phase"})
    house = House()
    models = load(in_turn, house=house)
    loaded: list[int] = []
    events = []
    for event in run(BRIEFS[:2], in_turn, models, lambda step: loaded.append(len(house.loaded))):
        events.append(event)
        loaded.append(len(house.loaded))
    assert set(loaded) == {1}
    assert told(events) == told(list(run(BRIEFS[:2], together, load(together))))
    assert house.unload() == 1
    assert house.loaded == []
    assert [e for e in run(BRIEFS[:1], in_turn, models) if isinstance(e, Outcome)]


def test_presets_share_the_models_they_have_in_common(tiny: Tiny) -> None:
    house, one = House(), tiny()
    first = load(one, house=house)
    second = load(one.model_copy(update={"loop": one.loop.model_copy(update={"images": 1})}), house=house)
    lodgers = [models.image.rungs[0].model._model._lodger for models in (first, second)]  # type: ignore[attr-defined]
    assert lodgers[0] is lodgers[1]
    assert len(house.loaded) == 2


def test_a_model_says_how_much_memory_its_weights_take(tiny: Tiny, tiny_text: str) -> None:
    house, preset = House(), tiny(loop={"reader": "model"}, text={"model": tiny_text})
    load(preset, house=house)
    files = {
        "diffusers": [*(preset.base / preset.image.model).rglob("*.safetensors")],
        "open_clip": [*(preset.base / preset.scorer.model).rglob("*.safetensors")],
        "transformers": [*(preset.base / str(preset.text.model)).rglob("*.safetensors")],
    }
    assert {lodger.identity.kind for lodger in house.loaded} == set(files)
    for lodger in house.loaded:
        on_disk = sum(file.stat().st_size for file in files[lodger.identity.kind])  # float32
        size = getattr(torch, lodger.identity.dtype).itemsize / torch.float32.itemsize
        # Files also hold headers, and models hold buffers that are not saved.
        assert lodger.bytes == pytest.approx(on_disk * size, rel=0.3)
    house.unload()
    assert [lodger.bytes for lodger in house._lodgers.values()] == [None] * 3
