"""Rows that are run again: those that were not met, those that failed, or all.

A retry is a run of its own, and takes the place of the one before in reports and statistics. It is entered in the store
when it is asked for: after an interruption, the same command continues the retries, and so does the command without
the request.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pipeline.store import Store
from pipeline.store.runs import OPEN
from pipeline.work.row import Row

Retry = Literal["not-met", "failed", "all"]
_ENDED = {"not-met": ("exhausted",), "failed": ("failed",)}
# From one retry to the next of a row that was not met: all its images have other seeds than before, also than those of
# rows with neighbouring seeds. What failed, or is asked anew as a whole, keeps its seed.
SEED_STEP = 1_000_000


def newest(rows: Sequence[Row], store: Store) -> list[Row]:
    """Each row as its newest run has it: the last retry that was entered, else the first run."""
    found, again = list(rows), list(range(len(rows)))
    while again:
        following = {i: found[i].tried(found[i].retry + 1, found[i].brief.seed) for i in again}
        seeds = store.runs.seeds([row.id for row in following.values()])
        again = [i for i in again if following[i].id in seeds]
        for i in again:
            found[i] = found[i].tried(following[i].retry, seeds[following[i].id])
    return found


def enter(rows: Sequence[Row], store: Store, asked: Collection[Retry], batch: str | None) -> tuple[int, int]:
    """Enter a retry of every row whose newest run ended as asked. While retries of an earlier request are unfinished,
    none is entered. Returns how many were entered, and how many of an earlier request are unfinished."""
    rows = newest(rows, store)
    status = store.runs.statuses([row.id for row in rows])
    if unfinished := sum(row.retry > 0 and status[row.id] in OPEN for row in rows):
        return 0, unfinished
    ended = {one for word in asked for one in _ENDED.get(word, ())}
    retries = {}
    for row in rows:
        was = status.get(row.id)
        if was is not None and was not in OPEN and (was in ended or "all" in asked):
            moved = SEED_STEP if was == "exhausted" and "all" not in asked else 0
            retries[row.id] = row.tried(row.retry + 1, (row.brief.seed + moved) % 2**63)
    store.runs.begin_again(
        {old: (row.id, row.brief, row.preset) for old, row in retries.items()}, store.out, batch
    )
    return len(retries), 0
