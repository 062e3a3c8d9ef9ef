"""`easel doctor`: show what this machine can run, and what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from models.hub.faults import out_of_reach
from models.load import present, stage_of
from models.machine import Machine, this_machine
from models.protocols import ModelError, WeightsMissing
from pipeline.config import DEFAULT, available, load_preset
from pipeline.work.fit import Fit, best, fit_of
from scripts.commands.interrupt import ACCEPTED, NOT_MET
from scripts.commands.plain import escape

State = Literal["ready", "missing", "note"]
MARKS = {"ready": "[green]✓[/]", "missing": "[red]✗[/]", "note": "[dim]·[/]"}
PACKAGES = (
    "torch",
    "transformers",
    "diffusers",
    "accelerate",
    "open_clip_torch",
    "gradio",
    "llguidance",
    "peft",
)


@dataclass(frozen=True)
class Finding:
    what: str
    state: State
    detail: str


def examine(as_json: bool) -> int:
    """Print the findings. Returns exit status 0 if the default preset can run, 3 if not."""
    packages = _packages()
    able = all(f.state == "ready" for f in packages)
    groups = [[*_system(), *packages]]
    if able:
        machine = this_machine()
        fits = [fit_of(load_preset(name), machine) for name in available()]
        presets = {fit.preset.name: _preset(fit) for fit in fits}
        able = all(f.state == "ready" for f in presets[DEFAULT])
        groups = [[*groups[0], _gpu(machine)], *presets.values(), _advice(fits)]
    if as_json:
        print(json.dumps([asdict(f) for group in groups for f in group], indent=1))
    else:
        _print(groups)
    return ACCEPTED if able else NOT_MET


def _print(groups: Sequence[Sequence[Finding]]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, group in enumerate(groups):
        if number:
            table.add_row()
        for found in group:
            table.add_row(MARKS[found.state], f"[bold]{escape(found.what)}[/]", escape(found.detail))
    Console(highlight=False).print(table)


def _system() -> list[Finding]:
    return [
        Finding("python", "note", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("disk", "note", f"{shutil.disk_usage('.').free / 1e9:.0f} GB free here"),
    ]


def _gpu(machine: Machine) -> Finding:
    cpu = f"{os.cpu_count()} CPU cores"
    return Finding("machine", "note", f"{cpu}; {machine}{f' ({machine.name})' if machine.name else ''}")


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding(f"package {name}", "ready", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(f"package {name}", "missing", f"install it with: pip install {name}"))
    return found


def _preset(fit: Fit) -> list[Finding]:
    """Whether a preset fits, and whether the files of each of its models are on this machine. Nothing is loaded or
    downloaded; a server is asked."""
    preset, found = fit.preset, []
    for name, spec in preset.used.items():
        what = f"{preset.name} {name}"
        try:
            found.append(Finding(what, "ready", present(stage_of(spec), spec, preset.base)))
        except ModelError as error:
            said = error.message if isinstance(error, WeightsMissing) else str(error)
            found.append(Finding(what, "missing", said))
    get = "" if fit.here or fit.obstacle else f"; get it with: easel pull {preset.given}"
    about = str(fit) if fit.obstacle else f"{fit}; {fit.demand}{get}"
    return [Finding(preset.name, "missing" if fit.obstacle or get else "ready", about), *found]


def _advice(fits: Sequence[Fit]) -> list[Finding]:
    """The preset that fits best, of those whose files are here or can be downloaded."""
    why = None if all(fit.here for fit in fits) else out_of_reach()
    hub = [Finding("downloads", "note", f"not now: {why}")] if why else []
    fit = best(fits, downloads=not why)
    if fit is None:
        return [*hub, Finding("fits best", "missing", "none; free memory or disk, or go online")]
    what_next = "it is here" if fit.here else f"get it with: easel pull {fit.preset.name}"
    return [*hub, Finding("fits best", "ready", f"{fit.preset.name}; {what_next}")]
