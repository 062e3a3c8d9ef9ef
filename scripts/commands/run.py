"""`easel run`: run one brief, show each event on the console, and leave a run folder."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.machine import this_machine
from models.protocols import Step
from pipeline.brief import Brief, Reading
from pipeline.calls.load import check, quiet_libraries
from pipeline.calls.record import Paid
from pipeline.config import Preset
from pipeline.errors import EaselError
from pipeline.events import Attempt, Outcome, Started
from pipeline.judging.verdict import ALWAYS
from pipeline.results.run_folder import RECORD, one_line
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.fit import note_memory
from pipeline.work.lock import exclusive
from pipeline.work.play import Undelivered, play
from pipeline.work.row import Row, Unstarted
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, NOT_MET, end_process, on_interrupt
from scripts.commands.plain import escape

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unsure": "[yellow]? unsure[/]",
    "unchecked": "[dim]– unchecked[/]",
}


def run_brief(
    brief: Brief, preset: Preset, out: Path, as_json: bool, fresh: bool = False, store_url: str | None = None
) -> int:
    """Run a brief and print each event; returns the exit status. With `as_json` events go to standard error, and the
    record to standard output. Raises EaselError or ModelError if the run cannot start."""
    console = Console(stderr=as_json, highlight=False)
    quiet_libraries()
    check(preset)
    store, stop = Store(out, store_url), Stop()
    row = Row(1, brief, preset, run=uuid4().hex)
    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    reading: Reading | None = None
    outcome: Outcome | None = None
    loaded = Event()
    # No progress bar in a log or a pipe.
    with (
        exclusive(store),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task(f"loading the models of {preset.name}", total=None)

        def doing(what: str, done: int | None = None, of: int | None = None) -> None:
            progress.update(bar, description=what, completed=done or 0, total=of)

        def stopping() -> None:
            if not loaded.is_set():  # models are loading, so there is nothing to complete
                end_process()
            console.print("[yellow]stopping after this step;[/] press Ctrl-C again to stop at once")
            stop.finish()

        def on_step(step: Step) -> None:
            if step.index < step.total:
                doing(f"painting, step {step.index} of {step.total}", step.index, step.total)
            else:
                doing("judging")

        with on_interrupt(stopping):
            for happened in play([row], store, stop=stop, on_step=on_step, on_loaded=loaded.set, fresh=fresh):
                if isinstance(happened, Unstarted):
                    raise EaselError(happened.why)
                if isinstance(happened, Undelivered):
                    console.print(f"[yellow]traces:[/] {escape(happened.why)}")
                    continue
                _, event = happened
                if isinstance(event, Started):
                    reading = event.reading
                    _tell_reading(console, reading)
                    doing("painting")
                elif isinstance(event, Attempt):
                    _tell_attempt(console, event)
                    doing("preparing the next attempt")
                else:
                    outcome = event
    assert reading is not None
    assert outcome is not None
    stored = store.runs.get(row.id)
    assert stored is not None
    folder = out / stored.folder
    _tell_outcome(console, reading, outcome, folder, preset.machine.currency)
    note_memory(preset, this_machine())
    status = ACCEPTED if outcome.status == "accepted" else NOT_MET
    if stop.requested:
        status = INTERRUPTED
    if as_json:
        print(one_line(folder / RECORD, folder=str(folder), exit_status=status))
    return status


def _tell_reading(console: Console, reading: Reading) -> None:
    texts = ", ".join(r.text + ("" if r.must else " (nice to have)") for r in reading.requirements)
    console.print(f"[bold]Wants[/] ({reading.reader}): {escape(texts) or 'nothing that can be checked'}")
    if reading.degraded:
        console.print(f"[yellow]degraded:[/] {escape(reading.degraded)}")
    for r in reading.requirements:
        if r.flag:
            console.print(f"[yellow]{r.flag}:[/] {escape(f'{r.text}: {r.note}')}")


def _tell_attempt(console: Console, attempt: Attempt) -> None:
    for candidate, verdict in zip(attempt.candidates, attempt.verdicts, strict=True):
        counts = {o: sum(c.outcome == o for c in verdict.checks) for o in MARKS}
        tally = ", ".join(f"{n} {o}" for o, n in counts.items() if n)
        prompt = candidate.plan.prompt
        console.print(f"[bold]{candidate.id}[/] {attempt.change.action}, seed {candidate.plan.seed}: {tally}")
        console.print(
            f"    [dim]{prompt.origin}: {escape(prompt.text)}[/]"
            + (f" [yellow]({escape(prompt.note)})[/]" if prompt.note else "")
        )
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


def _tell_outcome(console: Console, reading: Reading, outcome: Outcome, folder: Path, currency: str) -> None:
    if outcome.verdict:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("want", "must", "verdict", "p", "judge", "why"):
            table.add_column(heading, overflow="fold")
        requirements = {r.id: r for r in reading.requirements}
        for check in outcome.verdict.checks:
            requirement = requirements.get(check.requirement)
            table.add_row(
                escape(requirement.text if requirement else ALWAYS.get(check.requirement, check.requirement)),
                "yes" if requirement is None or requirement.must else "no",
                MARKS[check.outcome],
                "" if check.probability is None else f"{check.probability:.2f}",
                check.judge,
                escape(check.reason),
            )
        console.print(table)
    colour = {"accepted": "green", "needs_review": "yellow"}.get(outcome.status, "red")
    console.print(
        f"[bold {colour}]{outcome.status.replace('_', ' ')}[/]: {escape(outcome.reason)} ({spent(outcome, currency)})"
    )
    for degraded in outcome.degraded:
        console.print(f"[yellow]degraded:[/] {escape(degraded)}")
    shown = {"accepted": "accepted.png"}.get(outcome.status, "best.png") if outcome.best else "run.json"
    console.print(str(folder / shown), soft_wrap=True, markup=False)
