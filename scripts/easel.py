"""The console command. Imports stay light here: help and config errors answer before any library of models loads."""

from __future__ import annotations

from scripts.commands.interrupt import (  # first: it installs the handler of Ctrl-C
    BAD_INPUT,
    INTERRUPTED,
    OUTPUT_LOST,
)

# isort: split
import importlib.metadata
import json
import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from models.protocols import ModelError
from pipeline.brief import Brief
from pipeline.config import load_preset, unsuited
from pipeline.errors import BriefError, EaselError, OutputError, fault
from scripts.commands.output import complaint, outlive_streams
from scripts.commands.plain import clean as without_control
from scripts.direct import reach_loopback_directly

LONGEST_INPUT = 1_000_000  # bytes read from standard input; a brief is far shorter
MOST_PICTURES = 100  # of `easel run`; more than that is a batch

app = typer.Typer(
    help="Turn a brief into images that meet it, with models that run on your own machine.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PresetName = Annotated[str, typer.Option("--preset", "-p", help="a bundled preset, or a path to a YAML file")]
Out = Annotated[Path, typer.Option(help="output folder")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change a key of the preset, for example image.steps=12"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON on standard output")]


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


Action = Literal["list", "approve", "reject", "undo"]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", help="postgresql://USER@HOST/DATABASE; default: easel.db in the --out folder"),
]
TrustRows = Annotated[
    bool,
    typer.Option(
        "--trust-rows",
        help="the file is your own: its rows may set any key of a preset, and name preset files",
    ),
]


@app.callback()
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(f"easel {importlib.metadata.version('easel')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


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


@app.command()
def password(out: Annotated[Path, typer.Option(help="output folder of the app")] = Path("out")) -> None:
    """Set the password of the app; it is stored as an Argon2 hash."""
    from ui.access import set_password

    set_password(out, typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    print(
        f"easel: the app asks for the password from its next start on; to remove it, delete {out / 'easel.password'}"
    )


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


def main() -> None:
    """Run the command. An error that the user can fix is printed as one line, with exit status 2."""
    output = outlive_streams()
    reach_loopback_directly()
    try:
        status = app(standalone_mode=False)  # outside standalone mode, the status of typer.Exit is returned
    except (EaselError, ModelError) as error:
        status = _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = _refuse("stopped", INTERRUPTED)
    except Exception as error:
        # click's usage errors can format themselves.
        if not hasattr(error, "format_message"):
            raise
        said = error.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's
        status = _refuse(f"{said}; see easel --help")
    sys.stdout.flush()
    if said := complaint(output):
        status = _refuse(said, status or OUTPUT_LOST)
    sys.exit(status)


def _refuse(message: str, status: int = BAD_INPUT) -> int:
    message = without_control(" ".join(message.split()))  # messages of libraries may have several lines
    if "--json" in sys.argv:
        print(json.dumps({"error": message, "exit_status": status}, ensure_ascii=False))
    print(f"easel: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
