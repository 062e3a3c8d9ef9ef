"""`easel run`: run a brief once or with several seeds, show each event on the console, and leave a folder for each
run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.machine import this_machine
from models.protocols import Step
from pipeline.brief import Brief, Reading
from pipeline.calls import load as models
from pipeline.calls.record import Paid
from pipeline.config import Preset
from pipeline.errors import EaselError
from pipeline.events import Attempt, Outcome, Started
from pipeline.judging.verdict import ALWAYS, Verdict
from pipeline.results.run_folder import RECORD, one_line
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.fit import note_memory
from pipeline.work.lock import exclusive
from pipeline.work.play import Undelivered, play
from pipeline.work.row import Row, Unstarted
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, NOT_MET, finishing, on_interrupt
from scripts.commands.plain import escape

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unsure": "[yellow]? unsure[/]",
    "unchecked": "[dim]– unchecked[/]",
}


def run_briefs(
    briefs: Sequence[Brief],
    preset: Preset,
    out: Path,
    as_json: bool,
    fresh: bool = False,
    store_url: str | None = None,
) -> int:
    """Run a brief, or the same one with several seeds, and print each event; returns the exit status. With `as_json`
    events go to standard error, and the record of each run to standard output, on a line of its own. Raises EaselError
    or ModelError if the runs cannot start."""
    console = Console(stderr=as_json, highlight=False)
    models.quiet_libraries()
    models.check(preset)
    store, stop = Store(out, store_url), Stop()
    rows = [Row(number, brief, preset, run=uuid4().hex) for number, brief in enumerate(briefs, 1)]
    several = len(rows) > 1
    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    readings: dict[int, Reading] = {}  # by the number of the picture
    accepted = told = 0  # told: the picture that the last line is about
    loaded = Event()
    # No progress bar in a log or a pipe.
    with (
        exclusive(store),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task(f"loading the models of {preset.name}", total=None)

        def doing(what: str, done: int | None = None, of: int | None = None) -> None:
            progress.update(bar, description=what, completed=done or 0, total=of)

        def on_step(step: Step) -> None:
            if step.index < step.total:
                doing(f"painting, step {step.index} of {step.total}", step.index, step.total)
            else:
                doing("judging")

        with on_interrupt(finishing(stop, loaded, console.print)):
            for happened in play(rows, store, stop=stop, on_step=on_step, on_loaded=loaded.set, fresh=fresh):
                if isinstance(happened, Unstarted):
                    raise EaselError(happened.why)
                if isinstance(happened, Undelivered):
                    console.print(f"[yellow]traces:[/] {escape(happened.why)}")
                    continue
                row, event = happened
                if isinstance(event, Started):
                    if not readings:  # that of the others is the same
                        tell_reading(console, event.reading)
                    readings[row.line] = event.reading
                    doing("painting")
                    continue
                if several and row.line != told:
                    console.print(f"[bold]picture {row.line} of {len(rows)}[/], seed {row.brief.seed}")
                    told = row.line
                if isinstance(event, Attempt):
                    tell_attempt(console, event)
                    doing("preparing the next attempt")
                    continue
                stored = store.runs.get(row.id)
                assert stored is not None
                folder = out / stored.folder
                if event.verdict and not several:
                    console.print(_checks(readings[row.line], event.verdict))
                _tell_outcome(console, event, folder, preset.machine.currency)
                accepted += event.status == "accepted"
                if as_json:
                    status = ACCEPTED if event.status == "accepted" else NOT_MET
                    status = INTERRUPTED if stop.requested else status
                    print(one_line(folder / RECORD, folder=str(folder), exit_status=status))
    note_memory(preset, this_machine())
    if several:
        console.print(f"{accepted} of {len(rows)} pictures accepted")
    if stop.requested:
        return INTERRUPTED
    return ACCEPTED if accepted == len(rows) else NOT_MET


def tell_reading(console: Console, reading: Reading) -> None:
    texts = ", ".join(r.text + ("" if r.must else " (nice to have)") for r in reading.requirements)
    console.print(f"[bold]Wants[/] ({reading.reader}): {escape(texts) or 'nothing that can be checked'}")
    for text in reading.handed_up:
        console.print(f"[cyan]handed up to[/] {escape(text)}")
    if reading.degraded:
        console.print(f"[yellow]degraded:[/] {escape(reading.degraded)}")
    for r in reading.requirements:
        if r.flag:
            console.print(f"[yellow]{r.flag}:[/] {escape(f'{r.text}: {r.note}')}")


def tell_attempt(console: Console, attempt: Attempt) -> None:
    for candidate, verdict in zip(attempt.candidates, attempt.verdicts, strict=True):
        counts = {o: sum(c.outcome == o for c in verdict.checks) for o in MARKS}
        tally = ", ".join(f"{n} {o}" for o, n in counts.items() if n)
        prompt = candidate.plan.prompt
        console.print(f"[bold]{candidate.id}[/] {attempt.change.action}, seed {candidate.plan.seed}: {tally}")
        console.print(
            f"    [dim]{prompt.origin}: {escape(prompt.text)}[/]"
            + (f" [yellow]({escape(prompt.note)})[/]" if prompt.note else "")
        )
        for text in verdict.handed_up:
            console.print(f"    [cyan]handed up to[/] {escape(text)}")
    for text in attempt.degraded:
        console.print(f"    [yellow]degraded:[/] {escape(text)}")
    if attempt.next:
        console.print(f"    → {attempt.next.action}: {escape(attempt.next.reason)}")


def spent(outcome: Outcome, currency: str) -> str:
    """What was paid for a brief, in words, and what came from kept answers."""
    paid, kept = outcome.paid or Paid(), outcome.kept
    parts = [f"images: {paid.images}", f"seconds: {outcome.seconds:.1f}", f"tokens: {paid.tokens}"]
    if paid.joules:
        parts.append(f"joules: {paid.joules:.0f}{'' if outcome.measured else ' estimated'}")
    if paid.money:
        parts.append(f"{currency}: {paid.money:.4f}")
    if kept.images or kept.tokens:
        parts.append(f"kept: {kept.images} images, {kept.tokens} tokens")
    return ", ".join(parts)


def _checks(reading: Reading, verdict: Verdict) -> Table:
    """The checks of a picture."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("want", "must", "verdict", "p", "judge", "why"):
        table.add_column(heading, overflow="fold")
    requirements = {r.id: r for r in reading.requirements}
    for check in verdict.checks:
        requirement = requirements.get(check.requirement)
        table.add_row(
            escape(requirement.text if requirement else ALWAYS.get(check.requirement, check.requirement)),
            "yes" if requirement is None or requirement.must else "no",
            MARKS[check.outcome],
            "" if check.probability is None else f"{check.probability:.2f}",
            check.judge,
            escape(check.reason),
        )
    return table


def _tell_outcome(console: Console, outcome: Outcome, folder: Path, currency: str) -> None:
    colour = {"accepted": "green", "needs_review": "yellow"}.get(outcome.status, "red")
    console.print(
        f"[bold {colour}]{outcome.status.replace('_', ' ')}[/]: {escape(outcome.reason)} ({spent(outcome, currency)})"
    )
    for degraded in outcome.degraded:
        console.print(f"[yellow]degraded:[/] {escape(degraded)}")
    shown = {"accepted": "accepted.png"}.get(outcome.status, "best.png") if outcome.best else "run.json"
    console.print(str(folder / shown), soft_wrap=True, markup=False)
