"""`easel worker`: do the jobs of a store, one at a time, until it is stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from rich.console import Console

from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.worker import Worker
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, on_interrupt

PARENT = "EASEL_PARENT"  # the process that this worker belongs to
_LOOK = 1.0  # seconds between two looks at it


def run_worker(out: Path, store_url: str | None, idle: float, until_empty: bool) -> int:
    """Do jobs until Ctrl-C or SIGTERM, or with `until_empty` until the queue is empty; returns the exit status. A
    worker that the app started also stops when the app is gone."""
    console = Console(highlight=False, soft_wrap=True)
    store, stop = Store(out, store_url), Stop()
    with exclusive(out), on_interrupt(stop.pause):
        signal.signal(signal.SIGTERM, lambda *_: stop.pause())
        if parent := os.environ.get(PARENT, ""):
            threading.Thread(target=_stop_without, args=(int(parent), stop), daemon=True).start()
        console.print(
            f"doing the jobs of {out}; Ctrl-C stops after the current images, and an unfinished job continues next time"
        )
        Worker(store, stop, idle).work(until_empty)
    return INTERRUPTED if stop.requested else ACCEPTED


def _stop_without(parent: int, stop: Stop) -> None:
    """Request a stop once the parent process is gone: then this process has another parent."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    stop.pause()
