"""Run rows through the loop, and write each run into its run folder and the store. Used for one brief and for batches.

No progress is stored apart from the runs. A row's run has the same id each time the file is read, and so has each of
its retries. A run with an outcome, the loop's or a person's, is done; any other is played again from its start, with
kept results instead of model calls made before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from models.protocols import ModelError, OnStep
from pipeline.brief import Brief, Limits
from pipeline.budget import Budget
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool
from pipeline.calls.record import Paid
from pipeline.config import Preset
from pipeline.events import Event, Outcome, Started
from pipeline.judging.learned import standing
from pipeline.loop import run
from pipeline.results.decided import catch_up, follow
from pipeline.results.run_folder import RunFolder
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.store.runs import OPEN, RUNNING
from pipeline.telemetry.export import Exporter
from pipeline.work.retry import newest
from pipeline.work.row import Row, Unstarted, shared_limits


@dataclass(frozen=True)
class Undelivered:
    """Spans that did not reach the collector. `why` says how many, and its address."""

    why: str


Happened = tuple[Row, Event] | Unstarted | Undelivered


def unfinished(rows: Sequence[Row], store: Store) -> list[Row]:
    """The rows whose newest run has no outcome yet."""
    rows = newest(rows, store)
    status = store.runs.statuses([row.id for row in rows])
    return [row for row in rows if status.get(row.id, RUNNING) in OPEN]


def play(
    rows: Sequence[Row],
    store: Store,
    *,
    batch: str | None = None,
    job: str | None = None,
    stop: Stop | None = None,
    pool: ModelPool | None = None,
    on_step: OnStep | None = None,
    on_loaded: Callable[[], None] | None = None,
    fresh: bool = False,
) -> Generator[Happened, None, None]:
    """Run the rows that have no outcome yet. Yields each event after it was written; ends early if a stop is requested.

    `batch`, `job`: what the runs belong to; `pool`: keeps models loaded from one call to the next; `fresh`: ignore kept
    results, and keep none. Raises StoreError or OutputError."""
    stop, pool = stop or Stop(), pool or ModelPool()
    budget = shared_budget(rows, store)
    store.pictures.sweep()
    catch_up(store)
    for preset, group in _by_preset(unfinished(rows, store)):
        try:
            # What is played again is judged as before: by what was known when it began.
            learned = standing(store.bases.known(store.runs.began([row.id for row in group])), preset.judge)
            models = load(preset, None if fresh else store.results, pool, learned)
        except ModelError as error:
            yield Unstarted(tuple(group), str(error))
            continue
        if on_loaded is not None:
            on_loaded()
        exporter, folders = Exporter(preset), dict[int, RunFolder]()
        try:
            for event in run([row.brief for row in group], preset, models, on_step, budget, stop):
                row = group[event.brief]
                if isinstance(event, Started):
                    name = store.runs.begin(row.id, row.brief, preset, store.out, batch, job)
                    folders[event.brief] = RunFolder(store.out / name, row.brief, preset)
                if isinstance(event, Outcome):
                    paid = store.figures.paid([row.id]).get(row.id, Paid())
                    event = event.model_copy(update={"paid": paid})
                # The folder first, so that a run that is done in the store is complete there.
                folders[event.brief].take(event)
                store.runs.take(row.id, event)
                if isinstance(event, Outcome) and store.reviews.standing([row.id]):
                    with store.reviews.settling(row.id) as settled:
                        follow(store.out, *settled)
                exporter.take(row.id, event)
                if isinstance(event, Outcome):
                    del folders[event.brief]
                yield row, event
        finally:
            undelivered = exporter.close()
            # Those that have no outcome: after a stop, an error, or where the caller ended early.
            store.runs.stop([row.id for row in group])
        if undelivered:
            yield Undelivered(undelivered)
        if stop.requested:
            return


def play_one(brief: Brief, preset: Preset, store: Store, on_step: OnStep | None = None) -> Outcome:
    """Run one brief to its outcome. Raises ModelError where the preset's models cannot be loaded."""
    row = Row(1, brief, preset, run=uuid4().hex)
    for happened in play([row], store, on_step=on_step):
        if isinstance(happened, Unstarted):
            raise ModelError(happened.why)
        if isinstance(happened, tuple) and isinstance(happened[1], Outcome):
            return happened[1]
    raise AssertionError("without a stop, a run has an outcome")


def shared_budget(rows: Sequence[Row], store: Store) -> Budget:
    """The budget of a batch, charged with what was paid for its runs before. Raises BriefError as `shared_limits`."""
    if not rows:
        return Budget(Limits())
    limits = shared_limits(rows)
    budget = Budget(limits, currency=rows[0].preset.machine.currency)
    if limits.set:
        for paid in store.figures.paid([row.id for row in newest(rows, store)]).values():
            budget.used.recall(paid)
    return budget


def _by_preset(rows: Sequence[Row]) -> list[tuple[Preset, list[Row]]]:
    """The rows grouped by equal presets, in the order of their first rows."""
    groups: dict[str, tuple[Preset, list[Row]]] = {}
    for row in rows:
        key = f"{row.preset.source}|{row.preset.model_dump_json()}"
        groups.setdefault(key, (row.preset, []))[1].append(row)
    return list(groups.values())
