"""Commands about evaluation sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import load_preset
from scripts.declared.options import AsJson, Out, Overrides, PresetName, StoreUrl

app = typer.Typer()
group = typer.Typer(invoke_without_command=True)
app.add_typer(group, name="eval")

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="the folder of the set; default: easel.eval in the output folder"),
]


@group.callback()
def evaluate(
    context: typer.Context,
    preset: PresetName = "mini",
    at_least: Annotated[
        float, typer.Option("--at-least", min=0, max=1, help="the least agreement for exit status 0")
    ] = 0.95,
    out: Out = Path("out"),
    folder: Folder = None,
    overrides: Overrides = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let the judges of a preset judge an evaluation set, and compare with what people said. Kept answers are used
    where nothing changed. Exit status: 0 they agree, 1 less than --at-least, 2 bad input. `add`, `export` and `import`
    make sets."""
    if context.invoked_subcommand is not None:
        return
    chosen = load_preset(preset, overrides or [])

    from scripts.commands.eval import run_eval

    raise typer.Exit(run_eval(chosen, at_least, out, folder, store, as_json))


@group.command()
def add(
    what: Annotated[
        str, typer.Argument(metavar="RUN|BATCH", help="a run's folder or id, or the name of a batch")
    ],
    out: Out = Path("out"),
    folder: Folder = None,
    store: StoreUrl = None,
) -> None:
    """Add the pictures of a run or a batch that people approved or rejected."""
    from scripts.commands.eval import run_add

    run_add(what, out, folder, store)


@group.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="the file to write")],
    out: Out = Path("out"),
    folder: Folder = None,
) -> None:
    """Write a set into one file, pictures included."""
    from scripts.commands.eval import run_export

    run_export(file, out, folder)


@group.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="a file that `easel eval export` wrote")],
    out: Out = Path("out"),
    folder: Folder = None,
) -> None:
    """Add the cases of an exported file to a set."""
    from scripts.commands.eval import run_import

    run_import(file, out, folder)
