"""Commands that compare models and measure judges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import load_preset
from pipeline.errors import OutputError
from scripts.declared.options import AsJson, Out, Overrides, PresetName, StoreUrl, TrustRows

app = typer.Typer()


@app.command()
def compare(
    briefs: Annotated[Path, typer.Argument(help="a .csv, .jsonl or .yaml file with one brief per row")],
    preset: Annotated[
        list[str] | None,
        typer.Option("--preset", "-p", help="a bundled preset, or a path to a YAML file; may be repeated"),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,VALUE", help="compare values of a key: image.steps=1,4,25; may be repeated"
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="the preset whose judges look again at what was accepted and nobody reviewed"),
    ] = None,
    out: Out = Path("out"),
    seed: Annotated[int, typer.Option(help="seed of the rows that name none")] = 0,
    overrides: Overrides = None,
    trust: TrustRows = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Run the same briefs through several presets or settings, and say which does best for what it takes. What they
    share is computed once. After an interruption, the same command continues. Exit status: 0 compared, 2 bad input, 130
    stopped."""
    from pipeline.comparing.variants import variants

    found, bad = variants(briefs, preset or ["mini"], vary or (), overrides or (), seed, trust)
    second = load_preset(judge) if judge else None

    from pipeline.files import slug
    from scripts.commands.compare import run_compare

    raise typer.Exit(run_compare(found, bad, slug(briefs.stem), out, store, second, as_json))


@app.command()
def replay(
    what: Annotated[
        str, typer.Argument(metavar="RUN|BATCH", help="a run's folder or id, or the name of a batch")
    ],
    overrides: Overrides = None,
    preset: Annotated[
        Path | None,
        typer.Option("--preset", "-p", help="the file of the preset, where it is not a bundled one"),
    ] = None,
    out: Out = Path("out"),
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Run a run or a batch once more with keys of its preset changed, and say what that changes, requirement by
    requirement. What the change does not concern comes from kept answers. Exit status: 0 done, 2 bad input, 130
    stopped."""
    from scripts.commands.replay import run_replay

    raise typer.Exit(run_replay(what, overrides or [], out, store, preset, as_json))


@app.command()
def measure(
    preset: Annotated[str, typer.Argument(help="a bundled preset, or a path to a YAML file")],
    out: Out = Path("out"),
    each: Annotated[int, typer.Option(min=2, help="prompts of each kind; two statements about each")] = 60,
    file: Annotated[
        Path | None,
        typer.Option("--to", dir_okay=False, help="write the bands to this JSON file instead of the store"),
    ] = None,
    overrides: Overrides = None,
    store: StoreUrl = None,
) -> None:
    """Let the judge of a preset measure itself: paint simple prompts, score statements that match and that do not.
    After an interruption, the same command continues."""
    checked = load_preset(preset, overrides or [])
    if file is not None and not file.absolute().parent.is_dir():
        raise OutputError(f"--to {file}: there is no folder {file.absolute().parent}; make it first")

    from scripts.commands.measure import run_measure

    raise typer.Exit(run_measure(checked, out, store, each, file))


@app.command()
def bands(
    preset: PresetName = "mini",
    out: Out = Path("out"),
    reset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="begin anew for this band, or for all")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="write the bands to this JSON file")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what judges may decide alone, by people's decisions; the preset says the wanted risk. Reset or export it."""
    checked = load_preset(preset)

    from scripts.commands.bands import show

    show(checked, out, store, reset or (), export, as_json)
