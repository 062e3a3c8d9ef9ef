"""Commands about presets and their models."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.config import load_preset
from pipeline.errors import BriefError
from scripts.declared.options import AsJson, Overrides

app = typer.Typer()


@app.command()
def presets(
    check: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="check this preset without painting, and list its keys with their defaults"
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="with --check: change a key first")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the presets: what each does and needs, and whether it is here and fits this machine. With --check, look at
    one. Exit status: 0 it can run here, 2 its file is wrong, 3 models or memory are missing."""
    if check is None:
        if overrides:
            raise BriefError("--set changes a preset that --check names; give both")

        from scripts.commands.presets import show

        show(as_json)
        return
    checked = load_preset(check, overrides or [])

    from scripts.commands.check import show_keys

    raise typer.Exit(show_keys(checked, overrides or [], as_json))


@app.command()
def pull(
    preset: Annotated[str, typer.Argument(help="a bundled preset, or a path to a YAML file")],
    yes: Annotated[bool, typer.Option("--yes", help="download without asking")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="only show what would be downloaded")] = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Download the models of a preset. Shows repositories, licences and sizes first, and asks. After an interruption,
    the same command continues. Exit status: 0 all here, 2 cannot, 130 stopped."""
    checked = load_preset(preset, overrides or [])

    from scripts.commands.pull import run_pull

    raise typer.Exit(run_pull(checked, yes, plan, as_json))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what this machine can run, and what is missing."""
    from scripts.commands.doctor import examine

    raise typer.Exit(examine(as_json))
