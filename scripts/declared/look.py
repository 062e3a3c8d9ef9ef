"""Commands about runs that are in the store, and their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.declared.options import AsJson, Out, StoreUrl

app = typer.Typer()
Action = Literal["list", "approve", "reject", "undo"]


@app.command()
def review(
    what: Annotated[Action, typer.Argument(help="what to do; list shows what waits for a person")] = "list",
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="the run's folder, its id, or the beginning of its id"),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="who decides")] = "",
    candidate: Annotated[
        str | None, typer.Option(help="a candidate of the run, for example 2-1; default: its best one")
    ] = None,
    reason: Annotated[str, typer.Option(help="why, for the whole picture")] = "",
    yes: Annotated[
        list[str] | None, typer.Option("--yes", metavar="ID", help="the picture shows this requirement: r1")
    ] = None,
    no: Annotated[
        list[str] | None,
        typer.Option("--no", metavar="ID[=WHY]", help="it does not show this requirement: r1='five legs'"),
    ] = None,
    out: Out = Path("out"),
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the pictures that wait for a person; approve or reject one; or undo your last decision, on a run or of all.
    The outcome of the run follows."""
    from scripts.commands.review import do

    do(what, run, by, out, store, candidate, reason, yes or (), no or (), as_json)


@app.command()
def trace(
    run: Annotated[str, typer.Argument(help="the run's folder, its id, or the beginning of its id")],
    out: Out = Path("out"),
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a run as a tree: every model call and check, with shares of time and cost."""
    from scripts.commands.trace import show

    show(run, out, store, as_json)


@app.command()
def stats(
    out: Out = Path("out"),
    batch: Annotated[str | None, typer.Option(help="only the runs of the batch with this name")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how many briefs were accepted, the latency of models, what fails, and the cost by day."""
    from scripts.commands.stats import show

    show(out, store, batch, as_json)


@app.command()
def verify(
    pictures: Annotated[list[Path], typer.Argument(help="PNGs that Easel wrote")],
    again: Annotated[
        bool, typer.Option("--again", help="let the judges look at them once more, offline")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option("--preset", "-p", help="whose judges look again; default: the recorded preset"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show whether pictures and their records are as Easel wrote them, who signed them, and which models made them.
    Exit status: 0 all intact, 2 one has no record, 3 one was changed or has no seal."""
    from scripts.commands.verify import run_verify

    raise typer.Exit(run_verify(pictures, again, preset, as_json))


@app.command()
def key() -> None:
    """Make a key that signs the pictures that Easel writes from then on, and print its public part."""
    from scripts.commands.verify import run_key

    run_key()


@app.command()
def clean(
    out: Out = Path("out"),
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE", envvar="EASEL_RETENTION", help="free kept results older than this: 12h, 30d or 6w"
        ),
    ] = "30d",
    yes: Annotated[
        bool, typer.Option("--yes", help="remove it; without this, only print what would be removed")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Free disk space: old kept results, and pictures that no run, review or kept result uses."""
    from scripts.commands.clean import show

    show(out, store, older_than, yes, as_json)
