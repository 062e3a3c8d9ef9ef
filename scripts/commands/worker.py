"""`easel worker`: do the jobs of a store, one at a time, until it is stopped."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from rich.console import Console

from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.worker import Worker
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, on_interrupt


def run_worker(out: Path, store_url: str | None, idle: float, until_empty: bool, until_eof: bool) -> int:
    """Do jobs until Ctrl-C or SIGTERM, with `until_empty` until the queue is empty, with `until_eof` until standard
    input ends; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    store, stop = Store(out, store_url), Stop()
    with exclusive(store), on_interrupt(stop.pause):
        signal.signal(signal.SIGTERM, lambda *_: stop.pause())
        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(stop,), daemon=True).start()
        console.print(
            f"doing the jobs of {out}; Ctrl-C stops after the current images, and an unfinished job continues next time"
        )
        Worker(store, stop, idle).work(until_empty)
    return INTERRUPTED if stop.requested else ACCEPTED


def _stop_at_eof(stop: Stop) -> None:
    """Request a stop when standard input ends. The app holds the other end of this pipe; the operating system closes
    it when the app ends in any way, including kill -9."""
    while os.read(0, 4096):
        pass
    stop.pause()
