"""`easel worker`: does the jobs of a store, one at a time, until it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

from rich.console import Console

from pipeline.store import Store
from pipeline.work.play import Stop, alone
from pipeline.work.worker import Worker
from scripts.commands.interrupt import ACCEPTED, INTERRUPTED, Interrupt


def run_worker(out: Path, store_url: str | None, idle: float, until_empty: bool) -> int:
    """Exit status of the worker."""
    console = Console(highlight=False, soft_wrap=True)
    store, stop = Store(out, store_url), Stop()
    with alone(out), Interrupt(stop.ask) as interrupt:
        signal.signal(signal.SIGTERM, lambda *_: stop.ask())
        console.print(f"at work in {out}; Ctrl-C ends it after the images in hand, and jobs go on next time")
        Worker(store, stop, idle).work(until_empty)
    return INTERRUPTED if interrupt.asked else ACCEPTED
