"""A lock that lets one process at a time write to an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from pipeline.errors import OutputError
from pipeline.files import sweep
from pipeline.store import Store

LOCK = "easel.lock"
_PATIENCE = 2.0  # seconds; `stop_abandoned` holds the lock for a moment


@contextmanager
def exclusive(store: Store) -> Iterator[None]:
    """Lock the output folder of a store within the block. What a process that is gone left is settled first: unfinished
    files are removed, and its runs are stopped. The lock ends with the process.

    Raises OutputError where another process holds the lock or the folder cannot be written."""
    out = store.out
    try:
        lock = FileLock(out / LOCK)
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise OutputError(
            f"another easel process uses {out}; wait until it is done, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from None
    try:
        sweep(out)
        _stop_all(store)
        yield
    finally:
        lock.release()


def stop_abandoned(store: Store) -> None:
    """Set runs whose process is gone to stopped, so that nothing is shown as running for ever. Does nothing while a
    process holds the lock, and for a database that other output folders use too: there jobs have heartbeats."""
    with suppress(Timeout, OSError), FileLock(store.out / LOCK, timeout=0):
        _stop_all(store)


def _stop_all(store: Store) -> None:
    if store.own:
        store.runs.stop_all()
