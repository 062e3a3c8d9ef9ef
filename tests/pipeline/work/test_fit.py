"""Whether a preset is here and fits: by its files, by what it says, by what a run measured."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from models.machine import Machine
from pipeline.config import available, load_preset
from pipeline.work.fit import MAIN_BESIDE, Fit, best, computed, fit_of, note_memory
from tests.hub import Hub
from tests.pipeline.tiny_preset import write_preset

LARGE, SMALL = Machine(main=64 * 10**9, gpu=48 * 10**9), Machine(main=4 * 10**9)
MIDDLE, NO_GPU = Machine(main=16 * 10**9, gpu=8 * 10**9), Machine(main=64 * 10**9)
Disk = Callable[[int], None]


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Sets how many bytes of disk are free."""
    usage = namedtuple("usage", "total used free")

    def free(bytes: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage(bytes, 0, bytes))

    free(10**12)
    return free


def fits(machine: Machine) -> list[Fit]:
    return [fit_of(load_preset(name), machine) for name in available()]


def name(fit: Fit | None) -> str | None:
    return fit and fit.preset.name


def test_a_preset_that_is_not_here(hub: Hub, disk: Disk) -> None:
    studio = load_preset("studio")
    assert str(fit_of(studio, LARGE)) == "to download (43.0 GB)"
    assert "text" in fit_of(studio, LARGE).missing
    assert str(fit_of(studio, SMALL)) == (
        "does not fit: takes 20.0 GB of GPU memory and 20.0 GB of main memory (as its preset says); this machine has "
        "no GPU and 4.0 GB of main memory"
    )
    assert str(fit_of(load_preset("turbo"), NO_GPU)) == "to download (17.0 GB); slow without a GPU"
    disk(10**9)
    assert str(fit_of(studio, LARGE)) == "does not fit: 43.0 GB to download, and the disk has 1.0 GB free"
    assert hub.requests == []


def test_the_preset_that_fits_best_is_named(hub: Hub, disk: Disk) -> None:
    assert name(best(fits(LARGE), downloads=True)) == "studio"
    assert name(best(fits(MIDDLE), downloads=True)) == "turbo"
    assert name(best(fits(SMALL), downloads=True)) == "mini"
    assert (
        name(best(fits(NO_GPU), downloads=True)) == "mini"
    )  # a CPU takes minutes for a picture of the others
    assert best(fits(Machine(main=10**9)), downloads=True) is None


def test_a_preset_that_cannot_be_had_is_not_the_best(hub: Hub, disk: Disk) -> None:
    assert name(best(fits(LARGE), downloads=False)) == "mini"
    disk(20 * 10**9)
    assert name(best(fits(LARGE), downloads=True)) == "turbo"


def test_what_is_here_is_computed_until_a_run_measures_it(tmp_path: Path) -> None:
    path = write_preset(tmp_path)
    preset = load_preset(str(path))
    fit = fit_of(preset, SMALL)
    assert str(fit) == "here"
    assert fit.demand == computed(preset)
    assert MAIN_BESIDE < fit.demand.main < MAIN_BESIDE + 50e6
    note_memory(preset, SMALL)
    assert fit_of(preset, SMALL).demand.source == "measured"
    other = load_preset(str(path), ["image.dtype=bfloat16"])
    assert fit_of(other, SMALL).demand.source == "computed"
    assert fit_of(preset, Machine(SMALL.main, 10**9, "a new GPU")).demand.source == "computed"


def test_a_smaller_run_does_not_hide_what_a_larger_one_took(tmp_path: Path) -> None:
    preset = load_preset(str(write_preset(tmp_path)))
    note_memory(preset, SMALL)
    (note,) = (tmp_path / "cache").rglob("*.json")
    note.write_text('{"gpu": 0, "main": 9e12}')
    note_memory(preset, SMALL)
    assert fit_of(preset, SMALL).demand.main == 9e12


def test_half_a_preset_is_not_here(tmp_path: Path) -> None:
    preset = load_preset(str(write_preset(tmp_path)))
    next((tmp_path / "sd_tiny_vae" / "unet").glob("*.safetensors")).unlink()
    assert fit_of(preset, SMALL).missing == ("image",)
