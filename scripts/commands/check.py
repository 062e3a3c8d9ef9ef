"""`easel presets --check`: whether a preset can run here, and all its keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.machine import this_machine
from models.protocols import ModelError
from pipeline.calls.load import check, quiet_libraries
from pipeline.config import Preset
from pipeline.preset_file import read_preset_file
from pipeline.preset_keys import PresetKey, preset_keys
from pipeline.work.fit import fit_of
from scripts.commands.interrupt import ACCEPTED, NOT_MET
from scripts.commands.plain import escape


def show_keys(preset: Preset, overrides: Sequence[str], as_json: bool) -> int:
    """Print whether a preset can run on this machine, and each of its keys; returns the exit status. Nothing is loaded
    or downloaded. Raises ConfigError for a wrong data file."""
    obstacle = _obstacle(preset)
    keys = list(preset_keys(preset, read_preset_file(preset.source, overrides), preset.own))
    if as_json:
        print(
            json.dumps({"preset": preset.given, "obstacle": obstacle, "keys": [asdict(key) for key in keys]})
        )
    else:
        console = Console(highlight=False)
        console.print(_table(preset, keys))
        console.print(f"\n[bold]{escape(preset.given)}[/]: every key is valid", soft_wrap=True)
        said = f"[yellow]it cannot run here:[/] {escape(obstacle)}" if obstacle else "it can run here"
        console.print(said, soft_wrap=True)
    return NOT_MET if obstacle else ACCEPTED


def _obstacle(preset: Preset) -> str:
    """Why a preset cannot run on this machine; empty where it can."""
    quiet_libraries()
    try:
        check(preset)
    except ModelError as error:
        return str(error)
    return fit_of(preset, this_machine()).obstacle


def _table(preset: Preset, keys: Sequence[PresetKey]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("key", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for key in keys:
        default = "has no default" if key.required else f"default: {_words(key.default)}"
        given = f"{_short(key.place, preset.source)}; {default}" if key.place else "default"
        if key.model:
            given = f"the model: {key.model}; {default}"
        style = "" if key.place or key.model else "dim"
        table.add_row(escape(key.name), escape(_words(key.value)), escape(given), style=style)
    return table


def _short(place: str, file: Path) -> str:
    return place.replace(f"{file}:", "line ")


def _words(value: Any) -> str:
    """As in YAML: text without quotes, nothing as null."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
