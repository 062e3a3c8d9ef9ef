"""`easel bands`: what judges may decide, learned from people's decisions; reset it, or write it to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.config import Judge, Preset
from pipeline.errors import BriefError
from pipeline.files import write
from pipeline.judging.learned import Known, Learned, standing
from pipeline.results.bands import FEW, SOURCES, as_measured, grouped, in_words
from pipeline.store import Store

ALL = "all"


def show(
    preset: Preset, out: Path, store_url: str | None, reset: Sequence[str], export: Path | None, as_json: bool
) -> None:
    """Print the bands of all judges in a store, by the preset's wanted risk. Raises BriefError for an unknown key."""
    store = Store.existing(out, store_url)
    known = store.bases.known()
    console = Console(highlight=False)
    if reset:
        keys = {one.basis.key for one in known}
        if unknown := [key for key in reset if key != ALL and key not in keys]:
            raise BriefError(f"there is no band {unknown[0]!r}; `easel bands` lists them")
        count = store.bases.reset(keys if ALL in reset else reset)
        console.print(
            f"reset {count} of {len(keys)}; decisions from now on count. The log of decisions is kept"
        )
        known = store.bases.known()
    learned = standing(known, preset.judge)
    content = json.dumps(as_measured(known, learned), indent=2, ensure_ascii=False)
    if export is not None:
        write(export, (content + "\n").encode())
        console.print(f"written to {export}; name it as judge.measured in a preset")
    elif as_json:
        print(content)
    else:
        console.print(*tables(known, learned, preset.judge), sep="\n\n")


def tables(known: Sequence[Known], learned: Mapping[str, Learned], rules: Judge) -> list[Table]:
    """A table for each set of judges with each painter: one line for each kind that they judged."""
    found = []
    for title, group in grouped(known).items():
        rows = Table(
            title=escape(title), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for heading in ("key", "kind", "by", "answers", "disagrees", "may decide"):
            rows.add_column(heading, no_wrap=heading in ("key", "kind"))
        for one in group:
            band = learned.get(one.basis.key)
            rows.add_row(
                one.basis.key, one.basis.kind, SOURCES[band.band.source] if band else "",
                str(band.answers) if band else "0",
                f"{band.before:.0%} → {band.after:.0%}" if band and band.answers >= FEW else "",
                in_words(one.basis, band, rules),
            )  # fmt: skip
        found.append(rows)
    return found
