"""`easel presets`: what each preset does and needs, whether it is here, and whether it fits this machine."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from models.machine import this_machine
from pipeline.config import available, load_preset
from pipeline.work.fit import Fit, fit_of
from scripts.commands.plain import escape


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
    else:
        console = Console(highlight=False)
        for number, fit in enumerate(fits):
            if number:
                console.print()
            console.print(_described(fit))


def _described(fit: Fit) -> Table:
    """One preset: what it does, then its models."""
    preset = fit.preset
    colour = "red" if fit.obstacle else "green" if fit.here else "yellow"
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(f"[bold]{escape(preset.name)}[/]", f"[{colour}]{escape(str(fit))}[/]")
    table.add_row("", escape(preset.about))
    table.add_row("", f"needs {escape(preset.needs)}")
    for name, spec in preset.models.items():
        table.add_row(f"  {escape(name)}", f"[dim]{escape(str(getattr(spec, 'model', '')))}[/]")
    return table
