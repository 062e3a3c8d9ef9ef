"""`easel batch`: run a file of briefs, show the progress on the console, and write a report."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from models.protocols import Step
from pipeline.errors import StoreError
from pipeline.events import Attempt, Outcome
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.estimate import estimate
from pipeline.work.lock import exclusive
from pipeline.work.play import Undelivered, play, unfinished
from pipeline.work.report import ENDED, OUTCOMES, duration, gather, write_report
from pipeline.work.retry import Retry, enter, newest
from pipeline.work.row import Row, Rows, Unstarted
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED, NOT_MET, end_process, on_interrupt
from scripts.commands.plain import escape

BAD_SHOWN = 10  # rows that are left out
SAID_EVERY = 20  # finished briefs, where no bar is shown
_COLOURS = {"accepted": "green", "needs_review": "yellow"}


class Pace(ProgressColumn):
    """Briefs per minute and the time left. Only briefs that this process finished count."""

    def render(self, task: Task) -> Text:
        done, began = task.fields["done"], task.fields["began"]
        if not done:
            return Text("")
        return Text(pace(done, time.monotonic() - began, int((task.total or 0) - task.completed)))


def pace(done: int, seconds: float, left: int) -> str:
    """The speed and the time that is left, in words. `done`: briefs that took these seconds."""
    each = seconds / done
    return f"{60 / each:.1f} briefs/min, {duration(each * left)} left"


def estimate_batch(rows: Rows, out: Path, store_url: str | None = None) -> int:
    """Print what a batch will take; returns the exit status. Runs and writes nothing."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        store = Store.existing(out, store_url)
    except StoreError:
        store = None  # the batch will make it
    _begin(console, rows, store)
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
        before = _begin(console, rows, store)
        unstarted: list[Unstarted] = []
        stop, loaded = Stop(), Event()
        # While models load there is nothing to complete.
        with on_interrupt(lambda: stop.pause() if loaded.is_set() else end_process()):
            watch(console, rows, before, store, stop, loaded, fresh, unstarted)
        report = gather(rows, store, unstarted)
        page = write_report(report, store)
    counts = report.counts
    console.print(f"[bold]{report.summary}[/] ({report.spent})")
    for group in unstarted:
        console.print(f"[red]not started[/]: {len(group.rows)} briefs: {escape(group.why)}")
    console.print(written(page))
    if stop.requested and counts["open"]:
        command = shlex.join(["easel", *sys.argv[1:]])
        console.print(
            f"stopped; everything made so far is kept. The same command continues: {escape(command)}"
        )
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


def _begin(console: Console, rows: Rows, store: Store | None) -> int:
    """Print which rows are left out, how many are done, and an estimate for the others. Returns how many are done."""
    for bad in rows.bad[:BAD_SHOWN]:
        console.print(f"[yellow]line {bad.line}[/] left out: {escape(bad.why)}")
    if (more := len(rows.bad) - BAD_SHOWN) > 0:
        console.print(f"[yellow]{more:,} more[/] left out; the report lists each")
    todo = unfinished(rows.good, store) if store else list(rows.good)
    before = len(rows.good) - len(todo)
    if before:
        rest = "continuing with the others" if todo else "nothing is left to do"
        console.print(f"{before} of {len(rows.good)} briefs are done already; {rest}")
    if expected := estimate(todo, store):
        console.print(str(expected))
    return before


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


def watch(
    console: Console,
    rows: Rows,
    before: int,
    store: Store,
    stop: Stop,
    loaded: Event,
    fresh: bool,
    unstarted: list[Unstarted],
    named: Callable[[Row], str] = lambda row: row.brief.name,
) -> None:
    """Run rows, and print the progress and each outcome. `before`: how many are done already; `unstarted` receives
    those whose models cannot be loaded."""
    columns = (
        TextColumn("{task.completed}/{task.total}"),
        BarColumn(24),
        TextColumn("{task.fields[accepted]} accepted, {task.fields[spent]}"),
        Pace(),
        TextColumn("[dim]{task.description}"),
    )
    status = store.runs.statuses([row.id for row in newest(rows.good, store)])
    tally, began = Counter(status.values()), time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(
            "loading", total=len(rows.good), completed=before, accepted=tally["accepted"],
            spent="0 images painted", done=0, began=began,
        )  # fmt: skip
        images = done = 0
        money = 0.0
        currency = rows.good[0].preset.machine.currency if rows.good else ""

        def on_step(step: Step) -> None:
            words = (
                "stopping after the current images" if stop.requested else f"step {step.index}/{step.total}"
            )
            progress.update(bar, description=words)

        for happened in play(
            rows.good, store, batch=rows.name, stop=stop, on_step=on_step, on_loaded=loaded.set, fresh=fresh
        ):
            if isinstance(happened, Unstarted):
                unstarted.append(happened)
                continue
            if isinstance(happened, Undelivered):
                progress.console.print(f"[yellow]traces:[/] {escape(happened.why)}")
                continue
            row, event = happened
            if isinstance(event, Attempt):
                images += event.painted
                money += sum(call.money for call in event.calls)
            elif isinstance(event, Outcome):
                done += 1
                tally[event.status] += 1
                colour = _COLOURS.get(event.status, "red")
                progress.console.print(
                    f"[{colour}]{OUTCOMES[event.status].lower()}[/] {escape(named(row))}: {escape(event.reason)}"
                )
                progress.update(bar, advance=1)
                if not console.is_terminal and done % SAID_EVERY == 0:  # a log has no bar
                    now, seconds = before + done, time.monotonic() - began
                    console.print(
                        f"[bold]{now}/{len(rows.good)}[/], {tally['accepted']} accepted, "
                        f"{pace(done, seconds, len(rows.good) - now)}"
                    )
            spent = f"{images} images painted" + (f", {money:.2f} {currency}" if money else "")
            progress.update(bar, accepted=tally["accepted"], spent=spent, done=done)
