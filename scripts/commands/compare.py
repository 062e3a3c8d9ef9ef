"""`easel compare`: run the same briefs through several variants, and say which does best for what it takes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.table import Table

from pipeline.comparing.advice import advice, multiple, percent
from pipeline.comparing.comparison import Comparison, compare
from pipeline.comparing.page import as_json, write_comparison
from pipeline.comparing.variants import Variant
from pipeline.config import Preset
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.estimate import estimate
from pipeline.work.lock import exclusive
from pipeline.work.play import unfinished
from pipeline.work.report import duration
from pipeline.work.row import Bad, Row, Rows, Unstarted
from scripts.commands.batch import watch, written
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED, end_process, on_interrupt
from scripts.commands.plain import escape


def run_compare(
    variants: Sequence[Variant],
    bad: Sequence[Bad],
    name: str,
    out: Path,
    store_url: str | None = None,
    second: Preset | None = None,
    as_json_: bool = False,
) -> int:
    """Run what is left of every variant, and write and print the comparison; returns the exit status. `second`: see
    `comparison.compare`."""
    console = Console(highlight=False, soft_wrap=True, stderr=as_json_)
    for one in bad:
        console.print(f"[yellow]line {one.line}[/] left out: {escape(one.why)}")
    rows = Rows(f"{name}-compared", tuple(row for variant in variants for row in variant.rows))
    store = Store(out, store_url)
    of_variant = {row.id: variant.name for variant in variants for row in variant.rows}

    def named(row: Row) -> str:
        return f"{row.brief.name} with {of_variant[row.id]}"

    unstarted: list[Unstarted] = []
    stop, loaded = Stop(), Event()
    with exclusive(store):
        todo = unfinished(rows.good, store)
        if before := len(rows.good) - len(todo):
            console.print(f"{before} of {len(rows.good)} runs are done already")
        if expected := estimate(todo, store):
            console.print(str(expected))
        with on_interrupt(lambda: stop.pause() if loaded.is_set() else end_process()):
            watch(console, rows, before, store, stop, loaded, False, unstarted, named=named)
        made = compare(name, variants, store, second)
        page = write_comparison(made, store)
    if as_json_:
        print(as_json(made))
    for group in unstarted:
        console.print(f"[red]not started[/]: {len(group.rows)} runs: {escape(group.why)}")
    if not as_json_:
        show(console, made)
    console.print(f"{written(page)} and {page.with_suffix('.json').name}")
    if stop.requested and len(made.ended) < len(made.lines):
        command = shlex.join(["easel", *sys.argv[1:]])
        console.print(
            f"stopped; everything made so far is kept. The same command continues: {escape(command)}"
        )
        return INTERRUPTED
    return ACCEPTED if made.ended else BAD_INPUT


def show(console: Console, made: Comparison) -> None:
    """Print the variants as a table, and the advice."""
    table = Table(box=None, pad_edge=False)
    for head in ("", "good", "wrong", "model time", "× the first's"):
        table.add_column(head, justify="left" if not head else "right", overflow="fold")
    for i, one in enumerate(made.standings):
        table.add_row(
            ("[green]●[/] " if one.best_of_its_cost else "  ") + escape(one.name),
            percent(one.good), percent(one.wrong), duration(one.each["seconds"]) if one.count else "–",
            multiple(one.multiple[made.cost]) if i and one.count else "–",
        )  # fmt: skip
    console.print(table)
    console.print(
        "[dim]good: accepted, and found wrong by nobody. wrong: of the accepted pictures that somebody looked at. "
        "Model time is for each good picture, kept answers included. ●: no other variant has as many good pictures "
        "for less.[/]"
    )
    console.print(f"[bold]{escape(advice(made))}[/]")
