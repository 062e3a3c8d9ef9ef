"""The command that makes pieces: pictures with words and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from pipeline.brief import Brief
from pipeline.config import load_preset
from pipeline.errors import BriefError, fault
from pipeline.pieces.given import given_words
from pipeline.pieces.workflow import available, load_workflow
from scripts.declared.options import AsJson, Out, Overrides, PresetName, StoreUrl

app = typer.Typer()


@app.command()
def make(
    workflow: Annotated[
        str,
        typer.Argument(metavar="WORKFLOW", help=f"{', '.join(available())}, or a path to a YAML file"),
    ],
    text: Annotated[str, typer.Argument(metavar="BRIEF", help="what you want, in your words")],
    preset: PresetName = "mini",
    seed: Annotated[int, typer.Option(help="the same brief, preset and seed give the same piece")] = 0,
    out: Out = Path("out"),
    name: Annotated[str, typer.Option(help="name of the folder; default: made from the brief")] = "",
    words: Annotated[
        list[str] | None,
        typer.Option(
            "--words", metavar="FIELD=TEXT", help="words of your own, for example headline='Fresh apples'"
        ),
    ] = None,
    overrides: Overrides = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a piece of a brief: a picture, its words and a page, or a sheet. Exit status: 0 accepted, 3 not met or needs
    a person, 2 bad input, 130 stopped."""
    chosen = load_workflow(workflow)
    given = given_words(chosen, words or ())
    checked = load_preset(preset, overrides or [])
    try:
        brief = Brief(text=text, seed=seed)
    except ValidationError as error:
        raise BriefError(fault(error, "--")) from None

    from scripts.commands.make import run_make

    raise typer.Exit(run_make(chosen, brief, checked, out, name, given, store, as_json))
