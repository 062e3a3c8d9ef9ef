"""One process at a time in an output folder."""

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
    """Lock an output folder for this process; the lock ends with the process. Raises OutputError where another
    process holds it."""
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
