"""Many briefs: rows through the loop in waves, each into its run folder and the store, and on again after any stop.

Nothing here remembers where it stood. A row's run has the same id whenever the file is read; a run with an outcome
is done, any other is played again from its start, with what models answered before taken from the kept results.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from models.protocols import Cancelled, ModelError, OnStep
from pipeline.brief import Limits
from pipeline.budget import Budget
from pipeline.calls.keep import Keep
from pipeline.calls.load import load
from pipeline.calls.record import Stage
from pipeline.calls.residency import House
from pipeline.config import Preset
from pipeline.errors import OutputError
from pipeline.events import Event, Outcome, Started
from pipeline.files import sweep
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder
from pipeline.store import Store
from pipeline.store.runs import OPEN, RUNNING
from pipeline.telemetry.spans import Telemetry
from pipeline.work.rows import Row, Unstarted

LOCK = "easel.lock"


class Stopped(KeyboardInterrupt):
    """Asked to stop, and stopped between two pieces of work. Like Ctrl-C, no handler of errors holds it up."""


class Stop:
    """A wish to stop. Work in hand is finished and kept; `between` ends the work before the next piece. With `end`
    the briefs end there, with what they have; else they go on another time. What such a brief has painted is
    still judged, which takes a moment."""

    def __init__(self) -> None:
        self._wish, self._end = threading.Event(), False

    @property
    def asked(self) -> bool:
        return self._wish.is_set()

    def ask(self, end: bool = False) -> None:
        self._end = self._end or end
        self._wish.set()

    def between(self, stage: Stage | None = None) -> None:
        """`stage`: whose piece is next."""
        if self.asked and not self._end:
            raise Stopped
        if self.asked and stage != "scorer":
            raise Cancelled

    def after(self) -> None:
        """After an event was written down. Briefs that are to end say so themselves, before their next piece."""
        if not self._end:
            self.between()


def unfinished(rows: Sequence[Row], store: Store) -> list[Row]:
    """The rows that have no outcome yet."""
    status = store.runs.statuses([row.id for row in rows])
    return [row for row in rows if status.get(row.id, RUNNING) in OPEN]


def play(
    rows: Sequence[Row],
    store: Store,
    *,
    batch: str | None = None,
    job: str | None = None,
    stop: Stop | None = None,
    house: House | None = None,
    on_step: OnStep | None = None,
    fresh: bool = False,
) -> Iterator[tuple[Row, Event] | Unstarted]:
    """Run the rows that are not finished; yields what happens when it is written down. Ends early where `stop`
    was asked for."""
    stop, house = stop or Stop(), house or House()
    budget = shared_budget(rows, store)
    for preset, group in _by_preset(unfinished(rows, store)):
        try:
            yield from _play(group, preset, store, batch, job, stop, house, on_step, fresh, budget)
        except ModelError as error:
            yield Unstarted(tuple(group), str(error))
        except (Stopped, Cancelled):  # the latter while briefs were read: none of them has begun
            store.runs.stop([row.id for row in group])
            return


def shared_budget(rows: Sequence[Row], store: Store) -> Budget:
    """The batch's budget, with what its finished runs took before; limits are those of the first row's preset."""
    if not rows:
        return Budget(Limits())
    preset = rows[0].preset
    budget = Budget(preset.loop.batch, currency=preset.machine.currency)
    if preset.loop.batch.set:
        for row in rows:
            if (former := store.runs.get(row.id)) is not None:
                budget.used.recall(former.outcome or {})
    return budget


def _by_preset(rows: Sequence[Row]) -> list[tuple[Preset, list[Row]]]:
    groups: dict[str, tuple[Preset, list[Row]]] = {}
    for row in rows:
        key = f"{row.preset.source}|{row.preset.model_dump_json()}"
        groups.setdefault(key, (row.preset, []))[1].append(row)
    return list(groups.values())


def _play(
    rows: Sequence[Row],
    preset: Preset,
    store: Store,
    batch: str | None,
    job: str | None,
    stop: Stop,
    house: House,
    on_step: OnStep | None,
    fresh: bool,
    budget: Budget,
) -> Iterator[tuple[Row, Event]]:
    store.pictures.sweep()
    models = load(preset, None if fresh else Keep(store.results, stop.between), house)
    telemetry = Telemetry(preset, store.spans.add)
    folders: dict[int, RunFolder] = {}
    try:
        for event in run([row.brief for row in rows], preset, models, on_step, budget):
            row = rows[event.brief]
            if isinstance(event, Started):
                name = store.runs.begin(row.id, row.brief, preset, store.out, batch, job)
                folders[event.brief] = RunFolder(store.out / name, row.brief, preset)
            # The folder first: what the store calls done is there to be seen.
            folders[event.brief].take(event)
            store.runs.take(row.id, event)
            telemetry.take(row.id, event)
            if isinstance(event, Outcome):
                del folders[event.brief]
            yield row, event
            stop.after()
    finally:
        telemetry.close()


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Holds an output folder for one process; a dead one holds nothing. Raises OutputError where it is taken."""
    try:
        lock = FileLock(out / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"another easel is at work in {out}; wait until it is done, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from None
    try:
        sweep(out)
        yield
    finally:
        lock.release()
