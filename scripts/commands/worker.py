"""`easel worker`: do the jobs of a store, one at a time, until it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

from rich.console import Console

from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.worker import Worker
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, on_interrupt


def run_worker(out: Path, store_url: str | None, idle: float, until_empty: bool) -> int:
    """Do jobs until Ctrl-C or SIGTERM, or with `until_empty` until the queue is empty; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    store, stop = Store(out, store_url), Stop()
    with exclusive(out), on_interrupt(stop.pause):
        signal.signal(signal.SIGTERM, lambda *_: stop.pause())
        console.print(
            f"doing the jobs of {out}; Ctrl-C stops after the current images, and an unfinished job continues next time"
        )
        Worker(store, stop, idle).work(until_empty)
    return INTERRUPTED if stop.requested else ACCEPTED
