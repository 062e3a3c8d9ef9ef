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

from models.protocols import ModelError
from pipeline.config import Preset, available, load_preset

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
    findings = [*_machine(), *_packages(), *(f for name in available() for f in _preset(load_preset(name)))]
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        marks = {"ready": "[green]✓[/]", "missing": "[red]✗[/]", "note": "[dim]·[/]"}
        console = Console(highlight=False)
        for finding in findings:
            console.print(f"{marks[finding.state]} [bold]{finding.what}[/]  {finding.detail}", soft_wrap=True)
    return 0 if all(f.state != "missing" for f in findings if f.what.startswith(("package", "mini"))) else 3


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


def _preset(preset: Preset) -> list[Finding]:
    """Whether the weights of each model are on this machine; nothing is loaded or downloaded."""
    from models.load import present, stage_of

    found = []
    for name, spec in preset.models.items():
        what = f"{preset.name} {name}"
        try:
            found.append(Finding(what, "ready", present(stage_of(spec), spec, preset.base)))
        except ModelError as error:
            found.append(Finding(what, "missing", str(error)))
    return found
