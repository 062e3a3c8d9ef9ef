"""A lock that lets one process at a time write to an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import OutputError
from pipeline.files import sweep

LOCK = "easel.lock"


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Lock an output folder within the block, and remove unfinished files there. The lock ends with the process.

    Raises OutputError where another process holds the lock or the folder cannot be written."""
    try:
        lock = FileLock(out / LOCK)
        lock.acquire(timeout=0)
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
        yield
    finally:
        lock.release()
