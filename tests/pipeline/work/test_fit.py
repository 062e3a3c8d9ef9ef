"""Whether a preset is here and fits: by its files, by what it says, by what a run measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.machine import Machine
from pipeline.config import load_preset
from pipeline.work.fit import MAIN_BESIDE, best, computed, fit_of, note_memory
from tests.hub import Hub
from tests.pipeline.tiny_preset import write_preset

LARGE, SMALL = Machine(main=64 * 10**9, gpu=48 * 10**9), Machine(main=4 * 10**9)


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_preset_that_is_not_here(hub: Hub) -> None:
    studio = load_preset("studio")
    assert str(fit_of(studio, LARGE)) == "to download (34 GB)"
    assert "text" in fit_of(studio, LARGE).missing
    assert str(fit_of(studio, SMALL)) == "does not fit"
    assert "16.0 GB of GPU memory and 20.0 GB of main memory (as its preset says)" in str(
        fit_of(studio, SMALL).demand
    )
    assert hub.requests == []


def test_the_largest_that_fits_is_named(hub: Hub) -> None:
    of = {machine: fit.preset.name for machine in (LARGE, SMALL) if (fit := best(machine))}
    assert of == {LARGE: "studio", SMALL: "mini"}
    assert best(Machine(main=16 * 10**9, gpu=8 * 10**9)).preset.name == "turbo"  # type: ignore[union-attr]
    assert best(Machine(main=10**9)) is None


def test_what_is_here_is_computed_until_a_run_measures_it(tmp_path: Path) -> None:
    path = write_preset(tmp_path)
    preset = load_preset(str(path))
    fit = fit_of(preset, SMALL)
    assert str(fit) == "here"
    assert fit.demand == computed(preset)
    assert MAIN_BESIDE < fit.demand.main < MAIN_BESIDE + 50e6
    note_memory(preset)
    assert fit_of(preset, SMALL).demand.source == "measured"
    assert fit_of(load_preset(str(path), ["image.dtype=bfloat16"]), SMALL).demand.source == "computed"


def test_half_a_preset_is_not_here(tmp_path: Path) -> None:
    preset = load_preset(str(write_preset(tmp_path)))
    next((tmp_path / "sd_tiny_vae" / "unet").glob("*.safetensors")).unlink()
    fit = fit_of(preset, SMALL)
    assert fit.missing == ("image",)
