"""`easel make`: make a piece, show each event on the console, and leave a folder with everything that is needed to use
it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.machine import this_machine
from models.protocols import Step
from pipeline.brief import Brief
from pipeline.calls import load as models
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.pieces.folder import RECORD, PieceFolder
from pipeline.pieces.make import make
from pipeline.pieces.record import Made, PieceAttempt, PieceOutcome
from pipeline.pieces.workflow import Workflow
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.fit import note_memory
from pipeline.work.lock import exclusive
from pipeline.work.play import Undelivered
from pipeline.work.row import Unstarted
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, NOT_MET, finishing, on_interrupt
from scripts.commands.plain import escape
from scripts.commands.run import MARKS, tell_attempt, tell_reading


def run_make(
    workflow: Workflow,
    brief: Brief,
    preset: Preset,
    out: Path,
    name: str,
    given: Mapping[str, str],
    store_url: str | None = None,
    as_json: bool = False,
) -> int:
    """Make a piece and print each event; returns the exit status. With `as_json` events go to standard error, and
    piece.json as one line to standard output. Raises EaselError or ModelError if it cannot start."""
    console = Console(stderr=as_json, highlight=False)
    models.quiet_libraries()
    models.check(preset)
    store, stop, loaded = Store(out, store_url), Stop(), Event()
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        exclusive(store),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task(f"loading the models of {preset.name}", total=None)
        folder = PieceFolder(out, name or f"{brief.text} {workflow.name}")

        def on_step(step: Step) -> None:
            progress.update(bar, description=f"painting, step {step.index} of {step.total}")

        with on_interrupt(finishing(stop, loaded, console.print)):
            outcome = None
            events = make(
                workflow, brief.text, preset, store, folder, seed=brief.seed, given=given, stop=stop,
                on_step=on_step, on_loaded=loaded.set,
            )  # fmt: skip
            for event in events:
                _tell(console, event)
                progress.update(bar, description="making the piece")
                if isinstance(event, PieceOutcome):
                    outcome = event
    assert outcome is not None
    note_memory(preset, this_machine())
    status = ACCEPTED if outcome.status == "accepted" else NOT_MET
    status = INTERRUPTED if stop.requested else status
    _tell_outcome(console, outcome, out, preset.machine.currency)
    if as_json:
        record = json.loads((folder.path / RECORD).read_text(encoding="utf-8"))
        more = {"folder": str(folder.path), "exit_status": status}
        print(json.dumps(record | more, ensure_ascii=False))
    return status


def _tell(console: Console, event: object) -> None:
    if isinstance(event, Made):
        _tell_made(console, event)
    elif isinstance(event, PieceAttempt):
        for step, reasons in event.next.items():
            console.print(f"    → {step} again: {escape('; '.join(reasons))}")
    elif isinstance(event, Undelivered):
        console.print(f"[yellow]traces:[/] {escape(event.why)}")
    elif isinstance(event, tuple) and not isinstance(event, Unstarted):
        _, happened = event
        if isinstance(happened, Started):
            tell_reading(console, happened.reading)
        elif isinstance(happened, Attempt):
            tell_attempt(console, happened)
        elif isinstance(happened, Outcome):
            console.print(f"    picture: {happened.status.replace('_', ' ')}: {escape(happened.reason)}")


def _tell_made(console: Console, made: Made) -> None:
    """A step: a line, and those of its checks that did not pass, or for words what was written."""
    passed = sum(check.outcome == "pass" for check in made.checks)
    console.print(f"[bold]{made.step}[/] ({made.kind}): {passed} of {len(made.checks)} checks pass")
    product = made.product.model_dump()
    for field, text in product.get("fields", {}).items():
        console.print(f"    [dim]{field}, by {product['writer'][field]}: {escape(text)}[/]")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for check in made.checks:
        if check.outcome != "pass":
            table.add_row("   ", MARKS[check.outcome], escape(check.name), escape(check.reason))
    if table.row_count:
        console.print(table)


def _tell_outcome(console: Console, outcome: PieceOutcome, out: Path, currency: str) -> None:
    colour = {"accepted": "green", "needs_review": "yellow"}.get(outcome.status, "red")
    paid = outcome.paid
    spent = f"images: {paid.images}, seconds: {outcome.seconds:.1f}, tokens: {paid.tokens}"
    if paid.money:
        spent += f", {currency}: {paid.money:.4f}"
    console.print(f"[bold {colour}]{outcome.status.replace('_', ' ')}[/]: {escape(outcome.reason)} ({spent})")
    folder = out / outcome.folder
    for name in filter(None, (outcome.main or RECORD, outcome.zip)):
        console.print(str(folder / name), soft_wrap=True, markup=False)
