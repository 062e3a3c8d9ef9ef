"""`easel run`: one brief through the loop, told on the console as it happens, kept in a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.protocols import Cancelled, Step
from pipeline.brief import Brief, Reading
from pipeline.calls.keep import Keep
from pipeline.calls.load import check, load, quiet_libraries
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder
from pipeline.store import Store
from pipeline.telemetry.spans import Telemetry
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, NOT_MET, Interrupt

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unsure": "[yellow]? unsure[/]",
    "unchecked": "[dim]– unchecked[/]",
}


def run_brief(brief: Brief, preset: Preset, out: Path, as_json: bool, fresh: bool = False) -> int:
    """Exit status of the run; prints as it goes (to standard error when `as_json`)."""
    console = Console(stderr=as_json, highlight=False)
    quiet_libraries()
    check(preset)
    store = Store(out)
    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    # In a log or a pipe a bar would be litter.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"loading the models of {preset.name}", total=None)

        def doing(what: str, done: int | None = None, of: int | None = None) -> None:
            progress.update(bar, description=what, completed=done or 0, total=of)

        def stopping() -> None:
            console.print("[yellow]stopping after this step;[/] Ctrl-C again stops at once")

        models = load(preset, None if fresh else Keep(store.results))
        id = uuid4().hex
        folder = RunFolder(out / store.runs.begin(id, brief, preset, out), brief, preset)
        telemetry = Telemetry(preset, store.spans.add)
        doing("reading the brief")
        started: Started | None = None
        outcome: Outcome | None = None
        with Interrupt(stopping, Cancelled) as interrupt:

            def on_step(step: Step) -> None:
                interrupt.check()
                if step.index < step.total:
                    doing(f"painting, step {step.index} of {step.total}", step.index, step.total)
                else:
                    doing("judging")

            for event in run([brief], preset, models, on_step):
                folder.take(event)
                store.runs.take(id, event)
                telemetry.take(id, event)
                if isinstance(event, Started):
                    started = event
                    _tell_reading(console, event.reading)
                    doing("painting")
                elif isinstance(event, Attempt):
                    _tell_attempt(console, event)
                    doing("preparing the next attempt")
                else:
                    outcome = event
    if lost := telemetry.close():
        console.print(f"[yellow]traces:[/] {escape(lost)}")
    assert started is not None
    assert outcome is not None
    _tell_outcome(console, started.reading, outcome, folder.path, preset.machine.currency)
    status = ACCEPTED if outcome.status == "accepted" else NOT_MET
    if interrupt.asked:
        status = INTERRUPTED
    if as_json:
        record = folder.record() | {"folder": str(folder.path), "exit_status": status}
        print(json.dumps(record, ensure_ascii=False))
    return status


def _tell_reading(console: Console, reading: Reading) -> None:
    wants = ", ".join(r.text + ("" if r.must else " (nice to have)") for r in reading.requirements)
    console.print(f"[bold]Wants[/] ({reading.reader}): {escape(wants) or 'nothing that can be checked'}")
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
    """What a brief took, in words."""
    parts = [f"images: {outcome.images}", f"seconds: {outcome.seconds:.1f}", f"tokens: {outcome.tokens}"]
    if outcome.joules:
        parts.append(f"joules: {outcome.joules:.0f}{'' if outcome.measured else ' estimated'}")
    if outcome.money:
        parts.append(f"{currency}: {outcome.money:.4f}")
    return ", ".join(parts)


def _tell_outcome(console: Console, reading: Reading, outcome: Outcome, folder: Path, currency: str) -> None:
    if outcome.verdict:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("want", "must", "verdict", "p", "judge", "why"):
            table.add_column(heading, overflow="fold")
        text = {r.id: r for r in reading.requirements}
        for check in outcome.verdict.checks:
            want = text.get(check.requirement)
            table.add_row(
                escape(want.text) if want else "a picture at all",
                "yes" if want is None or want.must else "no",
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
    for text in outcome.degraded:
        console.print(f"[yellow]degraded:[/] {escape(text)}")
    shown = {"accepted": "accepted.png"}.get(outcome.status, "best.png") if outcome.best else "run.json"
    console.print(str(folder / shown), soft_wrap=True, markup=False)
