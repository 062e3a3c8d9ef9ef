"""The energy of model calls in joules: measured where the machine has counters, otherwise estimated from watts.

NVML reads the counter of an NVIDIA GPU; a reading takes microseconds. codecarbon reads the counters of processors
(RAPL, Apple's powermetrics); it runs a thread of its own and is read at most once a second. Neither is imported unless
it can measure. Without a counter, energy is watts × seconds.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from pathlib import Path
from typing import Any, Protocol

from models.protocols import DependencyMissing
from pipeline.config import Machine

_RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
_REST = 1.0  # seconds between two readings of codecarbon, each of which takes milliseconds


def format_joules(joules: float) -> str:
    """Joules as text with a suitable unit: 840 J, 12 kJ, 45 Wh, 1.2 kWh."""
    for most, size, unit in ((1e3, 1.0, "J"), (1e5, 1e3, "kJ"), (3.6e6, 3.6e3, "Wh")):
        if joules < most:
            amount = joules / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{joules / 3.6e6:,.1f} kWh"


class Meter(Protocol):
    """Counts energy: `joules()` increases from an arbitrary start. `measured`: whether a counter is read; else it is an
    estimate."""

    measured: bool
    name: str

    def joules(self) -> float: ...


class Assumed:
    """An estimate: `watts` × seconds."""

    measured = False

    def __init__(self, watts: float) -> None:
        self.watts, self.name = watts, f"assumed at {watts:g} W"

    def joules(self) -> float:
        return time.perf_counter() * self.watts


class Nvml:
    """The energy of all visible NVIDIA GPUs since the driver was loaded. The processor is not included."""

    measured = True
    name = "NVML"

    def __init__(self) -> None:
        import pynvml

        self._nvml: Any = pynvml
        pynvml.nvmlInit()
        self._gpus = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        if not self._gpus:
            raise OSError("no NVIDIA GPU")
        self.joules()

    def joules(self) -> float:
        return sum(float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)) for gpu in self._gpus) / 1000


class CodeCarbon:
    """codecarbon's sum of processor, memory and GPU. `measured` only where the processor has a counter."""

    def __init__(self) -> None:
        from codecarbon import OfflineEmissionsTracker

        logging.getLogger("codecarbon").setLevel(logging.ERROR)
        self._tracker: Any = OfflineEmissionsTracker(
            country_iso_code="USA",  # required offline; used for grams of CO2, which are not read
            measure_power_secs=15, save_to_file=False, log_level="error", allow_multiple_runs=True,
        )  # fmt: skip
        self._tracker.start_task()
        self.measured = has_counter()
        self.name = "codecarbon"
        self._asked, self._joules, self._watts = time.perf_counter(), 0.0, 0.0

    def joules(self) -> float:
        now = time.perf_counter()
        if (elapsed := now - self._asked) >= _REST:
            # codecarbon reports energy only when a task or the tracker is stopped, so each reading is a task.
            used = float(self._tracker.stop_task().energy_consumed) * 3.6e6
            self._tracker.start_task()
            self._watts, self._asked = used / elapsed, now
            self._joules += used
            return self._joules
        return self._joules + self._watts * elapsed


def has_counter() -> bool:
    """Whether the processor's energy counter can be read."""
    return os.access(_RAPL, os.R_OK)


def meter(machine: Machine) -> Meter:
    """The best meter of this machine, or the one that the preset names. Raises DependencyMissing where that one cannot
    measure here."""
    if machine.energy == "nvml" or (machine.energy == "auto" and _has("pynvml")):
        try:
            return Nvml()
        except Exception as error:  # NVML has an error class of its own, known only where it is installed
            if machine.energy == "nvml":
                raise _missing("nvml", "nvidia-ml-py", error) from None
    if machine.energy == "codecarbon" or (machine.energy == "auto" and has_counter() and _has("codecarbon")):
        try:
            return CodeCarbon()
        except ImportError as error:
            raise _missing("codecarbon", "codecarbon", error) from None
    return Assumed(machine.watts)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _missing(kind: str, package: str, error: Exception) -> DependencyMissing:
    return DependencyMissing(
        f"`machine.energy: {kind}` cannot measure here ({error or type(error).__name__}); install it with "
        f"pip install {package}, or set `energy: auto`, which falls back to watts"
    )
