"""`easel doctor`: show what this machine can run, and what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape

from models.load import present, stage_of
from models.machine import Machine, this_machine
from models.protocols import ModelError, WeightsMissing
from pipeline.config import DEFAULT, Preset, available, load_preset
from pipeline.work.fit import best, fit_of
from scripts.commands.interrupt import ACCEPTED, NOT_MET

State = Literal["ready", "missing", "note"]
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
    findings = [*_machine(), *packages]
    able = all(f.state != "missing" for f in packages)
    if able:
        machine = this_machine()
        for name in available():
            found = _preset(load_preset(name), machine)
            findings += found
            able = able and not (name == DEFAULT and any(f.state == "missing" for f in found))
        findings.append(_advice(machine))
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        marks = {"ready": "[green]✓[/]", "missing": "[red]✗[/]", "note": "[dim]·[/]"}
        console = Console(highlight=False)
        for finding in findings:
            console.print(
                f"{marks[finding.state]} [bold]{finding.what}[/]  {escape(finding.detail)}", soft_wrap=True
            )
    return ACCEPTED if able else NOT_MET


def _machine() -> list[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    found = [
        Finding("python", "note", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("cpu", "note", f"{os.cpu_count()} cores, {memory:.0f} GiB of memory"),
        Finding("disk", "note", f"{shutil.disk_usage('.').free / 2**30:.0f} GiB free here"),
    ]
    try:
        import torch
    except ImportError:
        return [*found, Finding("gpu", "note", "unknown without torch")]
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(i)
            found.append(Finding("gpu", "ready", f"{card.name}, {card.total_memory / 2**30:.0f} GiB"))
    elif torch.backends.mps.is_available():
        found.append(Finding("gpu", "ready", "Apple MPS"))
    else:
        found.append(Finding("gpu", "note", "none; mini runs on the CPU, the larger presets would be slow"))
    return found


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding(f"package {name}", "ready", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(f"package {name}", "missing", f"install it with: pip install {name}"))
    return found


def _preset(preset: Preset, machine: Machine) -> list[Finding]:
    """Whether the files of each model are on this machine, and whether its memory is enough; nothing is loaded or
    downloaded."""
    found = []
    for name, spec in preset.models.items():
        what = f"{preset.name} {name}"
        try:
            found.append(Finding(what, "ready", present(stage_of(spec), spec, preset.base)))
        except ModelError as error:
            hint = error.by(f"easel pull {preset.given}") if isinstance(error, WeightsMissing) else error
            found.append(Finding(what, "missing", str(hint)))
    fit = fit_of(preset, machine)
    has = (
        f"this machine has {machine.gpu / 1e9:.1f} GB of GPU memory and "
        if machine.gpu
        else "this machine has no GPU and "
    )
    memory = f"{fit.demand}; {has}{machine.main / 1e9:.1f} GB of main memory"
    return [*found, Finding(f"{preset.name} memory", "ready" if fit.fits else "missing", memory)]


def _advice(machine: Machine) -> Finding:
    fit = best(machine)
    if fit is None:
        return Finding(
            "best preset", "missing", "none fits into the memory of this machine; close other programs"
        )
    what_next = "it is here" if fit.here else f"get it with: easel pull {fit.preset.name}"
    return Finding("best preset", "ready", f"{fit.preset.name} is the largest that fits; {what_next}")
