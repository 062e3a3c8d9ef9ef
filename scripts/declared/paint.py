"""Commands that make pictures, and the report of a batch."""

from __future__ import annotations

import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from pipeline.brief import Brief
from pipeline.config import load_preset, unsuited
from pipeline.errors import BriefError, fault
from scripts.declared.options import AsJson, Out, Overrides, PresetName, StoreUrl, TrustRows

LONGEST_INPUT = 1_000_000  # bytes read from standard input; a brief is far shorter
MOST_PICTURES = 100  # of `easel run`; more than that is a batch

app = typer.Typer()


class RetryOf(StrEnum):
    """Which rows `easel batch --retry` runs again."""

    NOT_MET = "not-met"
    FAILED = "failed"


def _seed(said: object) -> int:
    """The value of --seed. Raises ValueError."""
    if said == "random":
        return secrets.randbelow(2**31)
    try:
        return int(str(said))
    except ValueError:
        raise typer.BadParameter(f"{str(said)[:40]!r} is not a whole number; give one, or random") from None


@app.command()
def run(
    text: Annotated[
        str, typer.Argument(metavar="BRIEF", help="what you want, in your words; - reads standard input")
    ],
    preset: PresetName = "mini",
    seed: Annotated[
        int,
        typer.Option(
            parser=_seed, metavar="N|random", help="the same brief, preset and seed give the same images"
        ),
    ] = 0,
    pictures: Annotated[
        int, typer.Option(min=1, max=MOST_PICTURES, help="make so many pictures, each with the next seed")
    ] = 1,
    out: Out = Path("out"),
    name: Annotated[str, typer.Option(help="name of the run folder; default: made from the brief")] = "",
    width: Annotated[int | None, typer.Option(help="width in pixels")] = None,
    height: Annotated[int | None, typer.Option(help="height in pixels")] = None,
    images: Annotated[int | None, typer.Option(help="paint at most this many images")] = None,
    image_steps: Annotated[int | None, typer.Option(help="take at most this many denoising steps")] = None,
    seconds: Annotated[float | None, typer.Option(help="stop after this many seconds")] = None,
    tokens: Annotated[int | None, typer.Option(help="use at most this many text tokens")] = None,
    joules: Annotated[float | None, typer.Option(help="use at most this many joules in model calls")] = None,
    money: Annotated[
        float | None, typer.Option(help="spend at most this much, at machine.price an hour")
    ] = None,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option(help="call the models, also where an answer is kept")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make images for one brief. Limits hold for each picture. Exit status: 0 all accepted, 3 not met or needs a
    person, 2 bad input, 130 stopped."""
    if text == "-":
        text = sys.stdin.buffer.read(LONGEST_INPUT).decode("utf-8", "replace")
    try:
        first = Brief(text=text, name=name, seed=seed, width=width, height=height)
    except ValidationError as error:
        raise BriefError(fault(error, "--")) from None
    limits = {
        "images": images, "image_steps": image_steps, "seconds": seconds, "tokens": tokens, "joules": joules,
        "money": money,
    }  # fmt: skip
    given = {key: value for key, value in limits.items() if value is not None}
    checked = load_preset(preset, overrides or [], given)
    if why := unsuited(first, checked):
        raise BriefError(why)
    briefs = [first.model_copy(update={"seed": (seed + n) % 2**63}) for n in range(pictures)]

    from scripts.commands.run import run_briefs

    raise typer.Exit(run_briefs(briefs, checked, out, as_json, fresh, store))


@app.command()
def batch(
    briefs: Annotated[Path, typer.Argument(help="a .csv, .jsonl or .yaml file with one brief per row")],
    preset: PresetName = "mini",
    out: Out = Path("out"),
    seed: Annotated[int, typer.Option(help="seed of the rows that name none")] = 0,
    overrides: Overrides = None,
    retry: Annotated[
        list[RetryOf] | None,
        typer.Option(
            help="run rows again that ended so; may be repeated. A row that was not met gets another seed"
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            help="call the models, also where an answer is kept, and without --retry run finished rows again too"
        ),
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="only print what the batch will take, from recorded speeds")
    ] = False,
    trust: TrustRows = False,
    store: StoreUrl = None,
) -> None:
    """Make images for a file of briefs. After any interruption, the same command continues. Exit status: 0 all
    accepted, 3 some not, 2 bad input, 130 stopped."""
    from pipeline.work.rows import read_rows

    rows = read_rows(briefs, preset, overrides or (), seed, trust)

    from scripts.commands.batch import estimate_batch, run_batch

    raise typer.Exit(
        estimate_batch(rows, out, store)
        if estimate
        else run_batch(rows, out, store, fresh, [one.value for one in retry or ()])
    )


@app.command()
def report(
    briefs: Annotated[Path, typer.Argument(help="the file of briefs that the batch was run with")],
    preset: PresetName = "mini",
    out: Out = Path("out"),
    seed: Annotated[int, typer.Option(help="seed of the rows that name none")] = 0,
    overrides: Overrides = None,
    trust: TrustRows = False,
    store: StoreUrl = None,
) -> None:
    """Write the report of a batch anew, with what people decided since. Give the same options as to easel batch."""
    from pipeline.work.rows import read_rows

    rows = read_rows(briefs, preset, overrides or (), seed, trust)

    from scripts.commands.batch import report_again

    report_again(rows, out, store)


@app.command()
def worker(
    out: Out = Path("out"),
    idle: Annotated[
        float, typer.Option(min=0, help="seconds without a job after which the models are unloaded")
    ] = 300.0,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="end when the queue is empty")] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="end when standard input ends; so the app starts its worker")
    ] = False,
    store: StoreUrl = None,
) -> None:
    """Do the jobs that the app queues, one at a time."""
    from scripts.commands.worker import run_worker

    raise typer.Exit(run_worker(out, store, idle, until_empty, until_eof))


@app.command()
def ui(
    out: Out = Path("out"),
    host: Annotated[
        str, typer.Option(help="address to listen on; other machines need a password")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on; 0: any free one")] = 7860,
    store: StoreUrl = None,
    preset: Annotated[
        list[Path] | None,
        typer.Option(
            "--preset", "-p", metavar="FILE", help="offer this preset file in the app too; may be repeated"
        ),
    ] = None,
    proxy: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            envvar="EASEL_PROXY",
            help="address of the reverse proxy whose X-Forwarded headers are believed",
        ),
    ] = "",
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="start a worker with the app")
    ] = True,
) -> None:
    """Open the app on this machine."""
    from scripts.commands.ui import open_app

    open_app(out, store, host, port, with_worker, preset or (), proxy)


@app.command()
def password(out: Annotated[Path, typer.Option(help="output folder of the app")] = Path("out")) -> None:
    """Set the password of the app; it is stored as an Argon2 hash."""
    from ui.access import set_password

    set_password(out, typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    print(
        f"easel: the app asks for the password from its next start on; to remove it, delete {out / 'easel.password'}"
    )
