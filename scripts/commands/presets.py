"""`easel presets`: what each preset does and needs, whether it is here, and whether it fits this machine."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from models.machine import this_machine
from pipeline.config import available, load_preset
from pipeline.work.fit import fit_of


def show(as_json: bool) -> None:
    """Print the bundled presets. Asks no network."""
    machine = this_machine()
    fits = [fit_of(load_preset(name), machine) for name in available()]
    if as_json:
        rows = [
            fit.preset.model_dump(mode="json", by_alias=True) | {"state": str(fit), "left": fit.left}
            for fit in fits
        ]
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 2, 1, 0))
    for heading in ("preset", "state", "does", "needs", "models"):
        table.add_column(heading, overflow="fold")
    for fit in fits:
        preset = fit.preset
        models = "\n".join(f"{name:16} {getattr(spec, 'model', '')}" for name, spec in preset.models.items())
        state = str(fit) if fit.fits else f"{fit}: {fit.demand}"
        table.add_row(preset.name, state, preset.about, preset.needs, models)
    Console().print(table)
