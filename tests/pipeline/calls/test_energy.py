"""Meters: what measures says so, what does not is named an estimate, and what is missing says how to get it."""

from __future__ import annotations

import shutil
import time

import pytest

from models.protocols import DependencyMissing
from pipeline.brief import Brief
from pipeline.calls.energy import Assumed, CodeCarbon, has_counter, meter
from pipeline.calls.load import load
from pipeline.config import Machine
from pipeline.events import Outcome
from pipeline.loop import run
from tests.pipeline.test_loop import NEVER_PASS, Tiny


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_codecarbon_counts_while_it_runs() -> None:
    found = meter(Machine(energy="codecarbon"))
    assert isinstance(found, CodeCarbon)
    assert found.measured is has_counter()
    read = [found.joules()]
    for _ in range(2):
        busy(1.1)
        read.append(found.joules())
    assert read[0] < read[1] < read[2] < 2000  # not even a server takes a kilowatt for this


def test_a_run_under_codecarbon_has_its_joules(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 2}, machine={"energy": "codecarbon"})
    (end,) = [e for e in run([Brief(text="a cat", seed=1)], preset, load(preset)) if isinstance(e, Outcome)]
    assert end.images == 2
    assert end.joules >= 0
    assert end.measured is has_counter()


def test_without_a_counter_energy_is_watts_times_seconds() -> None:
    found = Assumed(50.0)
    before = found.joules()
    busy(0.05)
    assert found.joules() - before >= 2.5
    assert not found.measured


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be an NVIDIA GPU here")
def test_a_meter_that_cannot_measure_says_what_to_do() -> None:
    with pytest.raises(DependencyMissing, match="energy: auto"):
        meter(Machine(energy="nvml"))
    assert isinstance(meter(Machine()), Assumed | CodeCarbon)
