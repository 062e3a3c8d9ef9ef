"""Rows of a file as commands run them: what is left out and done already, the progress, and how to go on."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from models.protocols import Step
from pipeline.events import Attempt, Outcome
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.estimate import estimate
from pipeline.work.play import Undelivered, play, unfinished
from pipeline.work.report import OUTCOMES, duration
from pipeline.work.retry import newest
from pipeline.work.row import Row, Rows, Unstarted
from scripts.commands.interrupt import end_process, on_interrupt
from scripts.commands.plain import escape

BAD_SHOWN = 10  # rows that are left out
SAID_EVERY = 20  # finished briefs, where no bar is shown
_COLOURS = {"accepted": "green", "needs_review": "yellow"}


@dataclass
class Ran:
    """`unstarted`: rows whose models cannot be loaded; `stopped`: whether Ctrl-C ended the work."""

    unstarted: list[Unstarted] = field(default_factory=list)
    stopped: bool = False

    def tell_unstarted(self, console: Console) -> None:
        for group in self.unstarted:
            console.print(f"[red]not started[/]: {len(group.rows)} briefs: {escape(group.why)}")


def tell_how_to_go_on(console: Console) -> None:
    command = shlex.join(["easel", *sys.argv[1:]])
    console.print(f"stopped; everything made so far is kept. The same command continues: {escape(command)}")


def begin(console: Console, rows: Rows, store: Store | None) -> int:
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


def run_rows(
    console: Console,
    rows: Rows,
    before: int,
    store: Store,
    fresh: bool = False,
    named: Callable[[Row], str] = lambda row: row.brief.name,
) -> Ran:
    """Run rows until they are done or Ctrl-C asks to stop, and print the progress and each outcome. `before`: how many
    are done already; `fresh`: ignore kept results; `named`: what a line calls a row."""
    ran, stop, loaded = Ran(), Stop(), Event()
    # While models load there is nothing to complete.
    with on_interrupt(lambda: stop.pause() if loaded.is_set() else end_process()):
        _watch(console, rows, before, store, stop, loaded, fresh, ran.unstarted, named)
    ran.stopped = stop.requested
    return ran


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


def _watch(
    console: Console,
    rows: Rows,
    before: int,
    store: Store,
    stop: Stop,
    loaded: Event,
    fresh: bool,
    unstarted: list[Unstarted],
    named: Callable[[Row], str],
) -> None:
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
