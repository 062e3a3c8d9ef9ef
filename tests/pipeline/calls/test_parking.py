"""Models that take turns on a GPU are parked in main memory, where it has room. There is no GPU here: the models of
these tests only say that they are on one, and count what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import models.load
from models.load import load_text, load_vlm, parse_spec
from models.protocols import Identity, ModelError
from pipeline.calls.pool import ModelPool, PooledModel
from tests.models.echo_backend import BACKEND, EchoText
from tests.models.vlm.tiny_vlm import make_qwen3_5


class OnGpu:
    """Takes `to_park` bytes of main memory when it is parked."""

    to_park = 1000

    def __init__(self, spec: EchoText, log: list[str]) -> None:
        self.identity = Identity("echo", spec.model, "", "cuda:0", "")
        self._log = log
        log.append(f"load {spec.model}")

    def park(self) -> None:
        self._log.append(f"park {self.identity.name}")

    def place(self, spec: EchoText) -> None:
        self._log.append(f"place {spec.model}")


Request = Callable[..., PooledModel]


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def request_of(log: list[str], monkeypatch: pytest.MonkeyPatch) -> Request:
    monkeypatch.setattr(models.load, "BACKENDS", (*models.load.BACKENDS, BACKEND))

    def request(pool: ModelPool, name: str, kind: Any = OnGpu) -> PooledModel:
        return pool.request(EchoText(kind="echo", model=name), Path(), lambda spec, base: kind(spec, log))

    return request


def test_models_that_take_turns_are_read_once(log: list[str], request_of: Request) -> None:
    pool = ModelPool()
    with pool.next_preset("by_phase"):
        one, two = request_of(pool, "one"), request_of(pool, "two")
    for _ in range(2):
        one.get()
        assert (one.loaded, two.loaded, two.parked) == (True, False, True)
        two.get()
    turn = ["park two", "place one", "park one", "place two"]
    assert log == ["load one", "park one", "load two", *turn, *turn]
    assert pool.unload() == 2  # what is parked too
    one.get()
    assert log[-1] == "load one"


def test_where_main_memory_is_full_they_are_unloaded(log: list[str], request_of: Request) -> None:
    class Large(OnGpu):
        to_park = 1 << 60

    pool = ModelPool()
    with pool.next_preset("by_phase"):
        one, two = request_of(pool, "one", Large), request_of(pool, "two")
    one.get()
    two.get()
    one.get()
    assert log == ["load one", "load two", "park two", "load one", "place two", "park two", "load one"]


def test_a_model_without_memory_has_the_others_parked(log: list[str], request_of: Request) -> None:
    pool = ModelPool()
    with pool.next_preset("together"):
        one, two = request_of(pool, "one"), request_of(pool, "two")
    assert two.make_room() == 1
    assert (one.parked, two.loaded) == (True, True)
    one.get()
    assert (one.loaded, two.loaded) == (True, True)
    assert log == ["load one", "load two", "park one", "place one"]


def test_the_next_preset_frees_what_is_parked(request_of: Request) -> None:
    pool = ModelPool()
    with pool.next_preset("by_phase"):
        one = request_of(pool, "one")
        request_of(pool, "two")
    assert one.parked
    with pool.next_preset("by_phase"):
        request_of(pool, "three")
    assert not one.held


def test_a_call_that_hangs_is_not_parked(log: list[str], request_of: Request) -> None:
    pool = ModelPool()
    with pool.next_preset("by_phase"):
        one, two = request_of(pool, "one"), request_of(pool, "two")
    with one.use():
        two.get()
        assert not one.held
    assert "park one" not in log[3:]


def test_one_checkpoint_for_two_stages_stays_in_memory(tmp_path: Path) -> None:
    make_qwen3_5(tmp_path)
    given = {"model": str(tmp_path), "device": "cpu", "dtype": "float32"}
    pool, loads = ModelPool(), list[str]()

    def counted(load: Any) -> Any:
        def one(spec: Any, base: Path) -> Any:
            loads.append(spec.kind)
            return load(spec, base, offline=True)

        return one

    with pool.next_preset("by_phase"):
        viewer = pool.request(parse_spec("vlm", {"kind": "image_text", **given}), tmp_path, counted(load_vlm))
        writer = pool.request(
            parse_spec("text", {"kind": "transformers", **given}), tmp_path, counted(load_text)
        )
    assert viewer.loaded
    assert writer.loaded
    assert viewer.get()._placed is writer.get()._read.placed
    assert loads == ["image_text", "transformers"]


def test_a_model_that_cannot_be_placed_again_is_loaded_at_its_next_use(
    log: list[str], request_of: Request
) -> None:
    class Stuck(OnGpu):
        def place(self, spec: EchoText) -> None:
            raise ModelError("CUDA error")

    pool = ModelPool()
    with pool.next_preset("by_phase"):
        one = request_of(pool, "one", Stuck)
        request_of(pool, "two")
    with pytest.raises(ModelError, match="CUDA error"):
        one.get()
    one.get()
    assert log.count("load one") == 2
