"""`easel pull`: download the models of a preset, after showing what that takes."""

from __future__ import annotations

import json
import sys
import threading

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from models.hub.plan import Item, Plan
from pipeline.calls.load import quiet_libraries
from pipeline.config import Preset
from pipeline.errors import PullError
from pipeline.work.pull import Cancelled, Progress, gigabytes, plan_of, pull
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, on_interrupt


def run_pull(preset: Preset, yes: bool, only_plan: bool, as_json: bool) -> int:
    """Show the plan, ask, download. Returns the exit status. Raises PullError, which says what to do."""
    quiet_libraries()
    console = Console(highlight=False, stderr=as_json)
    plan = plan_of(preset)
    if as_json:
        print(json.dumps(as_data(plan), indent=1))
    else:
        console.print(*summary(preset, plan), sep="\n\n")
    if only_plan or not plan.left:
        return ACCEPTED
    if not yes and not _confirmed(plan):
        console.print("nothing was downloaded")
        return INTERRUPTED
    return _download(plan, console)


def summary(preset: Preset, plan: Plan) -> list[Table | str]:
    """The plan as a table, and below it what it takes."""
    if not plan.items:
        return [f"{preset.name} needs nothing from the hub: its models are local, or on a server"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("repository", "revision", "licence", "size", "to download", "for"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("size",) else "left")
    for item in plan.items:
        revision = item.commit[:12] if item.need.revision else f"{item.commit[:12]} (newest; not pinned)"
        table.add_row(
            item.hub_id, revision, licence(item), gigabytes(item.size),
            gigabytes(item.left) if item.left else "all here", ", ".join(item.uses),
        )  # fmt: skip
    if not plan.left:
        return [table, f"everything is here, in {plan.folder}"]
    room = "" if plan.fits else "; that is not enough"
    return [
        table,
        f"{gigabytes(plan.left)} to download into {plan.folder}, where {gigabytes(plan.free)} are free{room}",
    ]


def licence(item: Item) -> str:
    words = item.licence or "none named; ask its owner"
    return f"{words}, gated: accept it on the hub" if item.gated else words


def as_data(plan: Plan) -> dict[str, object]:
    """The plan as JSON data; sizes are bytes."""
    rows = [
        {
            "repository": item.hub_id, "revision": item.commit, "pinned": item.need.revision is not None,
            "licence": item.licence, "gated": item.gated, "size": item.size, "left": item.left,
            "files": [file.name for file in item.files], "for": list(item.uses),
        }
        for item in plan.items
    ]  # fmt: skip
    return {"left": plan.left, "free": plan.free, "folder": str(plan.folder), "repositories": rows}


def _confirmed(plan: Plan) -> bool:
    if not sys.stdin.isatty():
        raise PullError("nobody is here to ask; add --yes to download")
    return plan.fits is False or typer.confirm(f"Download {gigabytes(plan.left)}?", default=True, err=True)


def _download(plan: Plan, console: Console) -> int:
    stopped = threading.Event()
    columns = (
        TextColumn("{task.description}"), BarColumn(24), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    try:
        with Bars(*columns, console=console) as shown, on_interrupt(stopped.set):
            bar = shown.add_task("downloading", total=plan.left)

            def show(progress: Progress) -> None:
                shown.update(bar, completed=progress.done)

            pull(plan, show, stopped.is_set)
    except Cancelled:
        console.print("easel: stopped; files that are complete are kept, and the same command continues")
        return INTERRUPTED
    console.print("everything is here; runs of this preset use the network no more")
    return ACCEPTED
