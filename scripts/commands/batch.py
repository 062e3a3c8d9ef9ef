"""`easel batch`: run a file of briefs, show the progress on the console, and write a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline.errors import StoreError
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.report import ENDED, gather, write_report
from pipeline.work.retry import Retry, enter
from pipeline.work.row import Rows
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED, NOT_MET
from scripts.commands.rows import begin, run_rows, tell_how_to_go_on


def estimate_batch(rows: Rows, out: Path, store_url: str | None = None) -> int:
    """Print what a batch will take; returns the exit status. Runs and writes nothing."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        store = Store.existing(out, store_url)
    except StoreError:
        store = None  # the batch will make it
    begin(console, rows, store)
    return ACCEPTED if rows.good else BAD_INPUT


def run_batch(
    rows: Rows, out: Path, store_url: str | None = None, fresh: bool = False, retry: Sequence[Retry] = ()
) -> int:
    """Run a batch, which begins with an estimate; returns its exit status. `retry`: run the rows again that ended so;
    `fresh`: call the models even where an answer is kept, and without `retry` run all finished rows again."""
    console = Console(highlight=False, soft_wrap=True)
    store = Store(out, store_url)
    asked: Sequence[Retry] = retry or (("all",) if fresh else ())
    with exclusive(store):
        if asked:
            _say_retries(console, *enter(rows.good, store, asked, rows.name))
        before = begin(console, rows, store)
        ran = run_rows(console, rows, before, store, fresh)
        report = gather(rows, store, ran.unstarted)
        page = write_report(report, store)
    counts = report.counts
    console.print(f"[bold]{report.summary}[/] ({report.spent})")
    ran.tell_unstarted(console)
    console.print(written(page))
    if ran.stopped and counts["open"]:
        tell_how_to_go_on(console)
        return INTERRUPTED
    if not any(counts[status] for status in ENDED):
        return BAD_INPUT
    # Not by the counts: the status of the same command does not change when people decide later.
    return ACCEPTED if report.met else NOT_MET


def _say_retries(console: Console, entered: int, unfinished: int) -> None:
    if unfinished:
        console.print(
            f"{unfinished} briefs that were to be run again are unfinished; these come first. To run others again, "
            "give the command once more afterwards"
        )
    elif entered:
        console.print(f"{entered} briefs are run again")


def report_again(rows: Rows, out: Path, store_url: str | None) -> None:
    """Write the report of a batch anew, with what people decided since. Paints nothing."""
    store = Store.existing(out, store_url)
    report = gather(rows, store)
    page = write_report(report, store)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{report.summary}[/] ({report.spent})")
    console.print(written(page))


def written(page: Path) -> str:
    return f"report: {page} and {page.with_suffix('.csv').name}"
