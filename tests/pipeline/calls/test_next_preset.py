"""One preset after another in one pool: what works stays in memory until its successor is in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.protocols import ModelError
from pipeline.calls import pool as pools
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool
from pipeline.config import Preset, load_preset
from tests.models.image.tiny_image import MAKERS
from tests.pipeline.tiny_preset import write_preset

Other = Callable[..., Preset]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preset `tiny.yaml`, and a second painter beside its own."""
    made = tmp_path_factory.mktemp("presets")
    write_preset(made)
    MAKERS["sd_tiny_vae"](made / "other")
    return made


@pytest.fixture
def first(folder: Path) -> Preset:
    return load_preset(str(folder / "tiny.yaml"))


@pytest.fixture
def other(folder: Path) -> Other:
    """The preset with another painter and changes."""
    return lambda *changes: load_preset(str(folder / "tiny.yaml"), ["image.model=./other", *changes])


def names(pool: ModelPool) -> set[str]:
    return {model.identity.name for model in pool.loaded}


@pytest.mark.parametrize("residency", ["together", "by_phase"])
def test_a_preset_that_cannot_be_loaded_leaves_the_one_before(
    first: Preset, other: Other, residency: str
) -> None:
    pool = ModelPool()
    load(first, pool=pool)
    before = pool.loaded
    with pytest.raises(ModelError, match="nowhere"):
        load(other("image.model=./nowhere", f"residency={residency}"), pool=pool)
    assert pool.loaded == before
    assert pool.crowded == ()
    load(first, pool=pool)
    assert pool.loaded == before  # nothing was loaded again


def test_models_of_the_preset_before_stay_until_all_new_ones_are_in(first: Preset, other: Other) -> None:
    pool = ModelPool()
    load(first, pool=pool)
    (old,) = (model for model in pool.loaded if model.identity.kind == "diffusers")
    seen: list[bool] = []
    before_load = pool.before_load
    pool.before_load = lambda newcomer: (before_load(newcomer), seen.append(old.loaded))[0]  # type: ignore[method-assign, func-returns-value]
    load(other(), pool=pool)
    assert seen == [True]
    assert not old.loaded
    assert names(pool) == {"other", "siglip"}


def test_where_memory_does_not_hold_both_the_models_before_go_first_and_it_is_said(
    first: Preset, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ModelPool()
    load(first, pool=pool)
    monkeypatch.setattr(pools, "holds", lambda weights: False)
    load(other(), pool=pool)
    assert pool.crowded == ("sd_tiny_vae",)  # the scorer is shared
    assert names(pool) == {"other", "siglip"}
    monkeypatch.undo()
    load(first, pool=pool)
    assert pool.crowded == ()


def test_a_load_that_runs_out_of_memory_is_tried_again_without_the_models_before(
    first: Preset, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    import models.load

    pool, real, tries = ModelPool(), models.load.load_image, []

    def full(spec: object, base: Path, offline: bool) -> object:
        tries.append(names(pool) | {model.identity.name for model in pool._former.values() if model.loaded})
        if len(tries) == 1:
            raise ModelError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(spec, base, offline)  # type: ignore[arg-type]

    load(first, pool=pool)
    monkeypatch.setattr(models.load, "load_image", full)
    load(other(), pool=pool)
    assert tries == [{"siglip", "sd_tiny_vae"}, {"siglip"}]
    assert pool.crowded == ("sd_tiny_vae",)
    assert names(pool) == {"other", "siglip"}
