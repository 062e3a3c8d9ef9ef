"""Whether a preset is on this machine and fits into its memory: measured by a run, else computed from the files, else
by what the preset says."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.hub.cache import find, free_disk
from models.load import footprint_of, needs, stage_of
from models.machine import Machine
from models.memory import Footprint
from models.protocols import ModelError
from pipeline.config import Preset
from pipeline.files import write
from pipeline.work.pull import gigabytes

# Beside the weights: libraries, pictures and activations in main memory, activations and caches on the GPU. A process
# with the bundled models, 0.2 GB of weights, held 1.3 GB while they loaded; the number for the GPU is a guess. What a
# run measures replaces both.
GPU_BESIDE, MAIN_BESIDE = 2.0e9, 1.3e9  # bytes
Source = Literal["measured", "computed", "stated"]
_SOURCES = {
    "measured": "measured here",
    "computed": "computed from its files",
    "stated": "as its preset says",
}


@dataclass(frozen=True)
class Demand:
    """Bytes that a preset takes at a time; `source`: how that is known. `widened`: models whose number format makes
    them clearly larger than their files."""

    gpu: float
    main: float
    source: Source
    widened: tuple[str, ...] = ()

    def fits(self, machine: Machine) -> bool:
        if machine.shared:
            return self.gpu + self.main <= machine.main
        return self.gpu <= machine.gpu and self.main <= machine.main

    def __str__(self) -> str:
        parts = [
            f"{bytes / 1e9:.1f} GB of {what}"
            for bytes, what in ((self.gpu, "GPU memory"), (self.main, "main memory"))
            if bytes
        ]
        wide = f"; float32 doubles {', '.join(self.widened)}" if self.widened else ""
        return f"takes {' and '.join(parts)} ({_SOURCES[self.source]}{wide})"


@dataclass(frozen=True)
class Fit:
    """`left`: bytes to download; `missing`: models that are not all here; `free`: bytes of disk for downloads."""

    preset: Preset
    demand: Demand
    left: float
    missing: tuple[str, ...]
    machine: Machine
    free: int

    @property
    def here(self) -> bool:
        return not self.missing

    @property
    def obstacle(self) -> str:
        """Why it does not fit; empty where it does."""
        if not self.demand.fits(self.machine):
            return f"{self.demand}; this machine has {self.machine}"
        if self.left > self.free:
            return f"{gigabytes(self.left)} to download, and the disk has {gigabytes(self.free)} free"
        return ""

    @property
    def slow(self) -> bool:
        """Whether it is meant for a GPU and would run without one."""
        return self.preset.takes.gpu_gb > 0 and not self.demand.gpu

    def __str__(self) -> str:
        if self.obstacle:
            return f"does not fit: {self.obstacle}"
        here = "here" if self.here else f"to download ({gigabytes(self.left)})"
        return f"{here}; slow without a GPU" if self.slow else here


def fit_of(preset: Preset, machine: Machine) -> Fit:
    """Whether a preset is here and fits. Asks no network."""
    missing, here, left, known = [], 0, 0, True
    for name, spec in preset.used.items():
        for need in needs(stage_of(spec), spec, preset.base):
            found = find(need)
            here += found.bytes
            left += found.left or 0
            known = known and (found.complete or found.left is not None)
            if not found.complete:
                missing.append(name)
    if not known:
        left = max(0, int(preset.takes.download_gb * 1e9) - here)
    demand = _demand(preset, machine, bool(missing))
    return Fit(preset, demand, left, tuple(dict.fromkeys(missing)), machine, free_disk())


def best(fits: Iterable[Fit], downloads: bool) -> Fit | None:
    """The preset that fits best and needs no server, of those that are here or, with `downloads`, may be downloaded:
    one that is not slow on this machine. On a GPU that is the largest, because larger models follow a brief better; a
    CPU takes minutes for a picture of those, so there it is the smallest."""
    able = [f for f in fits if not f.obstacle and (f.here or (downloads and not f.preset.offline))]
    alone = [fit for fit in able if not any(spec.kind == "server" for spec in fit.preset.used.values())]
    return max(
        alone,
        key=lambda fit: (not fit.slow, fit.preset.takes.download_gb * (1 if fit.machine.gpu else -1)),
        default=None,
    )


def _demand(preset: Preset, machine: Machine, missing: bool) -> Demand:
    measured = _read(preset, machine)
    if measured is not None:
        return measured
    if not missing:
        try:
            return computed(preset)
        except ModelError:
            pass  # a device that this machine lacks
    takes = preset.takes
    on_gpu = machine.gpu >= takes.gpu_gb * 1e9 or takes.cpu_gb is None
    if takes.gpu_gb and on_gpu:
        return Demand(takes.gpu_gb * 1e9, takes.memory_gb * 1e9, "stated")
    return Demand(0, (takes.cpu_gb or takes.memory_gb) * 1e9, "stated")


def computed(preset: Preset) -> Demand:
    """What a preset takes on this machine, from its files: under `residency: by_phase` the largest of its models, else
    all of them. Raises ModelError where files are missing, or the machine lacks a device that the preset names."""
    found: dict[str, Footprint] = {}
    shared: set[str] = set()  # checkpoints that count once
    for name, spec in preset.used.items():
        if spec.checkpoint in shared:
            continue
        shared |= {spec.checkpoint} if spec.checkpoint else set()
        if (one := footprint_of(stage_of(spec), spec, preset.base)) is not None:
            found[name] = one
    together = max if preset.residency == "by_phase" else sum
    gpu = together([one.gpu for one in found.values()] or [0])
    main = together([one.main for one in found.values()] or [0])
    wide = tuple(name for name, one in found.items() if one.widened and one.dtype == "float32")
    return Demand(gpu + GPU_BESIDE if gpu else 0, main + MAIN_BESIDE, "computed", wide)


def note_memory(preset: Preset, machine: Machine) -> None:
    """Note the most memory that this process has taken so far, as what the preset takes on this machine, unless an
    earlier run took more. Call it at the end of a process that ran this preset only."""
    try:
        import resource
    except ImportError:
        return  # Windows does not tell
    unit = 1 if sys.platform == "darwin" else 1024
    main = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    torch = sys.modules.get("torch")
    gpu = torch.cuda.max_memory_reserved() if torch is not None and torch.cuda.is_available() else 0
    if (before := _read(preset, machine)) is not None:
        main, gpu = max(main, int(before.main)), max(gpu, int(before.gpu))
    file = _file(preset, machine)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, json.dumps({"preset": preset.name, "gpu": gpu, "main": main}).encode())
    except OSError:
        pass  # the next run may have a cache folder that it can write to


def _read(preset: Preset, machine: Machine) -> Demand | None:
    try:
        noted = json.loads(_file(preset, machine).read_text())
        return Demand(float(noted["gpu"]), float(noted["main"]), "measured")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(preset: Preset, machine: Machine) -> Path:
    """The note of a preset on a machine: other models, other settings and another GPU have another one."""
    from platformdirs import user_cache_path

    said = preset.model_dump_json(include={"text", "image", "judges", "residency"})
    key = hashlib.sha256(f"{said}|{preset.base}|{machine.name}".encode()).hexdigest()[:16]
    return user_cache_path("easel") / "memory" / f"{key}.json"
