"""`easel compare`: run the same briefs through several variants, and say which does best for what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.comparing.advice import advice, multiple, percent
from pipeline.comparing.comparison import Comparison, compare
from pipeline.comparing.page import as_json, write_comparison
from pipeline.comparing.variants import Variant
from pipeline.config import Preset
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.report import duration
from pipeline.work.row import Bad, Rows
from scripts.commands.batch import written
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED
from scripts.commands.plain import escape
from scripts.commands.rows import begin, run_rows, tell_how_to_go_on


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
    rows = Rows(f"{name}-compared", tuple(row for variant in variants for row in variant.rows), tuple(bad))
    of_variant = {row.first: variant.name for variant in variants for row in variant.rows}
    store = Store(out, store_url)
    with exclusive(store):
        before = begin(console, rows, store)
        ran = run_rows(
            console, rows, before, store, named=lambda row: f"{row.brief.name} with {of_variant[row.first]}"
        )
        made = compare(name, variants, store, second)
        page = write_comparison(made, store)
    if as_json_:
        print(as_json(made))
    else:
        show(console, made)
    ran.tell_unstarted(console)
    console.print(f"{written(page)} and {page.with_suffix('.json').name}")
    if ran.stopped and len(made.ended) < len(made.lines):
        tell_how_to_go_on(console)
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
