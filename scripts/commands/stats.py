"""`easel stats`: print the statistics of a store."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.results.stats import Stats, gather
from pipeline.store import Store
from pipeline.work.lock import stop_abandoned
from scripts.commands.plain import escape

_OUTCOMES = ("pass", "fail", "unsure", "unchecked")


def show(out: Path, store_url: str | None, batch: str | None, as_json: bool) -> None:
    """Print the statistics of all runs, or of the runs of one batch."""
    store = Store.existing(out, store_url)
    stop_abandoned(store)
    stats = gather(store, batch)
    if as_json:
        print(stats.model_dump_json())
        return
    console = Console(highlight=False)
    for table in tables(stats):
        console.print(table)
        console.print()
    for text, runs in stats.degraded.items():
        console.print(f"[yellow]degraded:[/] {escape(text)} ({runs} runs)")


def tables(stats: Stats) -> list[Table]:
    briefs = stats.funnel["briefs"]
    funnel = _table("how far briefs come", "", "briefs", "share")
    for stage, count in stats.funnel.items():
        funnel.add_row(stage, str(count), f"{count / briefs:.0%}" if briefs else "")
    latency = _table(
        "model calls", "stage", "calls", "p50 s", "p90 s", "p99 s", "tokens", "errors", "degraded",
        "handed up",
    )  # fmt: skip
    for row in (row for row in stats.latency if row.calls or row.errors):
        latency.add_row(
            row.stage, str(row.calls), f"{row.p50:.3f}", f"{row.p90:.3f}", f"{row.p99:.3f}", f"{row.tokens:,}",
            str(row.errors), str(row.degraded),
            f"{row.handed_up} ({row.handed_up_seconds:.1f} s)" if row.handed_up else "0",
        )  # fmt: skip
    failures = _table("checks of must-haves", "kind", *_OUTCOMES, "not passed")
    for kind, counts in sorted(
        stats.failures.items(), key=lambda item: item[1].get("pass", 0) - sum(item[1].values())
    ):
        share = 1 - counts.get("pass", 0) / sum(counts.values())
        failures.add_row(kind, *(str(counts.get(outcome, 0)) for outcome in _OUTCOMES), f"{share:.0%}")
    spend = _table("spend", "day", "runs", "images", "model s", "joules", stats.currency or "money")
    for day in stats.spend:
        note = "" if day.measured else " estimated"
        spend.add_row(
            day.day,
            str(day.runs),
            str(day.images),
            f"{day.seconds:.1f}",
            f"{day.joules:,.0f}{note}",
            f"{day.money:.4f}",
        )
    return [funnel, latency, failures, spend]


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    return table
