"""`easel clean`: show what can be freed in an output folder, and free it with `--yes`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.store import Store
from pipeline.work.clean import Cleaned, Freed, age, clean


def show(out: Path, store_url: str | None, older_than: str, remove: bool, as_json: bool) -> None:
    """Print what was freed, or would be. Raises BriefError for an age that cannot be read."""
    retention = age(older_than)
    found = clean(Store.existing(out, store_url), retention, remove)
    if as_json:
        print(found.model_dump_json())
        return
    console = Console(highlight=False)
    console.print(table(found, older_than))
    if not found.total.count:
        console.print("nothing to free")
    elif remove:
        console.print(
            f"freed {megabytes(found.total)} in {out}; the database file keeps its size and reuses the space"
        )
    else:
        console.print(
            f"would free {megabytes(found.total)} in {out}; nothing was removed. Add --yes to remove it"
        )


def table(found: Cleaned, older_than: str) -> Table:
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate(("what", "number", "size")):
        rows.add_column(heading, justify="right" if i else "left")
    for label, freed in (
        (f"kept results older than {older_than}", found.results),
        ("pictures that no run and no kept result names", found.pictures),
        ("unfinished files of processes that ended", found.leftovers),
        ("previews of jobs that ended", found.previews),
    ):
        rows.add_row(label, f"{freed.count:,}", megabytes(freed))
    return rows


def megabytes(freed: Freed) -> str:
    return f"{freed.bytes / 1e6:,.1f} MB"
