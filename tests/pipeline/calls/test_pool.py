"""Models in memory on tiny real pipelines: fallbacks that only move a model load nothing, and a model without memory
has the others moved away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import models.image.diffusers_image
from models.protocols import Paint
from pipeline.calls.load import Models, load
from pipeline.calls.pool import ModelPool
from pipeline.config import Preset

Tiny = Callable[..., Preset]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The specs whose weights were read from disk, in order."""
    specs: list[Any] = []
    real = models.image.diffusers_image.open_pipeline

    def counting(spec: Any, *rest: Any) -> Any:
        specs.append(spec)
        return real(spec, *rest)

    monkeypatch.setattr(models.image.diffusers_image, "open_pipeline", counting)
    return specs


def painted(models: Models, count: int = 1) -> list[Any]:
    reply = models.image.ask([Paint("a red cat", seed=n) for n in range(count)])
    return [answer for answer in reply.answers if answer.value is not None]


def test_a_fallback_that_moves_the_model_loads_no_second_copy(tiny: Tiny, opened: list[Any]) -> None:
    rungs = [{"vae_tiling": True, "offload": "model"}, {"width": 32, "height": 32, "offload": "sequential"}]
    pool = ModelPool()
    models = load(tiny(image="sd", settings={"fallback": rungs}), pool=pool)
    first, second, third = models.image.rungs
    assert len(opened) == 1
    before = painted(models)[0].value.image.tobytes()
    first.breaker.open()
    (tiled,) = painted(models)
    assert first.model.shares(second.model)
    vae = second.model.get()._pipe.vae
    assert (vae.use_tiling, tiled.degraded) == (True, "image, circuit open → offload model, vae_tiling True")
    second.breaker.open()
    (small,) = painted(models)
    assert small.value.image.size == (32, 32)
    assert not vae.use_tiling
    assert [model.loaded for model in (first.model, second.model, third.model)] == [False, False, True]
    assert len(pool.loaded) == 2  # with the scorer
    first.breaker.close()
    assert painted(models)[0].value.image.tobytes() == before  # back in its first place
    assert len(opened) == 1


def test_other_weights_are_loaded(tiny: Tiny, opened: list[Any]) -> None:
    models = load(tiny(settings={"fallback": [{"dtype": "bfloat16"}]}))
    models.image.rungs[0].breaker.open()
    painted(models)
    assert [spec.dtype for spec in opened] == ["float32", "bfloat16"]


def test_a_model_whose_call_hangs_is_not_moved(tiny: Tiny, opened: list[Any]) -> None:
    models = load(tiny(image="sd", settings={"fallback": [{"vae_tiling": True}]}))
    first, second = models.image.rungs
    with first.model.use() as busy:
        first.breaker.open()
        (answer,) = painted(models)
        assert answer.value is not None
        assert not busy._pipe.vae.use_tiling
    assert not first.model.shares(second.model)
    assert len(opened) == 2


def test_a_model_that_cannot_be_moved_is_loaded_again(tiny: Tiny, opened: list[Any]) -> None:
    models = load(tiny(image="sd", settings={"fallback": [{"vae_tiling": True}], "retries": 0}))
    first, _second = models.image.rungs
    pipe = first.model.get()._pipe

    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    pipe.remove_all_hooks = full
    first.breaker.open()
    (answer,) = painted(models)
    assert answer.value is not None
    assert len(opened) == 2


def test_out_of_memory_moves_the_other_models_away_first(tiny: Tiny) -> None:
    preset = tiny(settings={"faults": {"plan": ["out_of_memory"]}, "fallback": [{"faults": None}]})
    pool = ModelPool()
    models = load(preset, pool=pool)
    assert len(pool.loaded) == 2
    (answer,) = painted(models)
    assert answer.degraded is None  # the first rung, tried again
    assert [model.identity.kind for model in pool.loaded] == ["diffusers"]


def test_out_of_memory_again_takes_the_next_rung(tiny: Tiny) -> None:
    always = {"plan": ["out_of_memory"], "forever": True}
    preset = tiny(image="sd", settings={"faults": always, "fallback": [{"vae_tiling": True}]})
    models = load(preset)
    reply = models.image.ask([Paint("a red cat", seed=1), Paint("a dog", seed=2)])
    assert [len(call.items) for call in reply.calls] == [2, 2, 1, 2]
    assert {answer.degraded for answer in reply.answers} == {"image, CUDA out of memory → vae_tiling True"}
