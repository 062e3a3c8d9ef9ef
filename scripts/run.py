"""`easel run`: one brief through the loop, told on the console as it happens, kept in a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.protocols import Step
from pipeline.brief import Brief, Reading
from pipeline.config import Preset
from pipeline.keep import Keep
from pipeline.load import load
from pipeline.loop import Attempt, Outcome, Started, run
from pipeline.run_folder import RunFolder
from pipeline.store import Store
from pipeline.telemetry import Telemetry
from scripts.easel import ACCEPTED, INTERRUPTED, NOT_MET, Interrupt

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unsure": "[yellow]? unsure[/]",
    "unchecked": "[dim]– unchecked[/]",
}


def run_brief(brief: Brief, preset: Preset, out: Path, as_json: bool, fresh: bool = False) -> int:
    """Exit status of the run; prints as it goes (to standard error when `as_json`)."""
    console = Console(stderr=as_json, highlight=False)
    store = Store(out)
    id = uuid4().hex
    folder = RunFolder(out / store.runs.begin(id, brief, preset, out), brief, preset)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(f"loading {preset.name}", total=None)
        models = load(preset, None if fresh else Keep(store.results))
        telemetry = Telemetry(preset, store.spans.add)
        progress.update(bar, description="reading the brief")
        started: Started | None = None
        outcome: Outcome | None = None
        with Interrupt() as interrupt:

            def on_step(step: Step) -> None:
                interrupt.check()
                progress.update(bar, description="painting", completed=step.index, total=step.total)

            for event in run([brief], preset, models, on_step):
                folder.take(event)
                store.runs.take(id, event)
                telemetry.take(id, event)
                if isinstance(event, Started):
                    started = event
                    _tell_reading(console, event.reading)
                elif isinstance(event, Attempt):
                    _tell_attempt(console, event)
                else:
                    outcome = event
    if lost := telemetry.close():
        console.print(f"[yellow]traces:[/] {escape(lost)}")
    assert started is not None
    assert outcome is not None
    _tell_outcome(console, started.reading, outcome, folder.path, preset.machine.currency)
    if as_json:
        print(json.dumps(folder.record() | {"folder": str(folder.path)}, ensure_ascii=False))
    if interrupt.asked:
        return INTERRUPTED
    return ACCEPTED if outcome.status == "accepted" else NOT_MET


def _tell_reading(console: Console, reading: Reading) -> None:
    wants = ", ".join(r.text + ("" if r.must else " (nice to have)") for r in reading.requirements)
    console.print(f"[bold]Wants[/] ({reading.reader}): {wants or 'nothing that can be checked'}")
    if reading.degraded:
        console.print(f"[yellow]degraded:[/] {escape(reading.degraded)}")
    for r in reading.requirements:
        if r.flag:
            console.print(f"[yellow]{r.flag}:[/] {r.text}: {r.note}")


def _tell_attempt(console: Console, attempt: Attempt) -> None:
    for candidate, verdict in zip(attempt.candidates, attempt.verdicts, strict=True):
        counts = {o: sum(c.outcome == o for c in verdict.checks) for o in MARKS}
        tally = ", ".join(f"{n} {o}" for o, n in counts.items() if n)
        prompt = candidate.plan.prompt
        console.print(f"[bold]{candidate.id}[/] {attempt.change.action}, seed {candidate.plan.seed}: {tally}")
        console.print(
            f"    [dim]{prompt.origin}: {prompt.text}[/]"
            + (f" [yellow]({prompt.note})[/]" if prompt.note else "")
        )
    for text in attempt.degraded:
        console.print(f"    [yellow]degraded:[/] {escape(text)}")
    if attempt.next:
        console.print(f"    → {attempt.next.action}: {attempt.next.reason}")


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
                want.text if want else "a picture at all",
                "yes" if want is None or want.must else "no",
                MARKS[check.outcome],
                "" if check.probability is None else f"{check.probability:.2f}",
                check.judge,
                check.reason,
            )
        console.print(table)
    colour = {"accepted": "green", "needs_review": "yellow"}.get(outcome.status, "red")
    console.print(
        f"[bold {colour}]{outcome.status.replace('_', ' ')}[/]: {outcome.reason} ({spent(outcome, currency)})"
    )
    for text in outcome.degraded:
        console.print(f"[yellow]degraded:[/] {escape(text)}")
    shown = {"accepted": "accepted.png"}.get(outcome.status, "best.png") if outcome.best else "run.json"
    console.print(f"{folder / shown}", soft_wrap=True)
