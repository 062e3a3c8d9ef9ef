"""Ctrl-C at any moment: exit status 130, one line, no traceback, nothing written before is lost.

While libraries and weights load, a KeyboardInterrupt could be raised inside a C extension and be swallowed or changed
there, so the process ends at once. In the loop the first Ctrl-C asks the loop to stop after the current step, and a
second one ends the process. Files are written atomically, so ending at any moment leaves none incomplete.
"""

from __future__ import annotations

import os
import signal
import sys

# Only if this process is the command: a program that imports this module keeps its own handler. This comes before the
# other imports, so that Ctrl-C is handled as early as possible.
if os.path.basename(sys.argv[0]) in ("easel", "easel.py", "easel.exe"):  # noqa: PTH119
    for _number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(_number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(_number, lambda *_: end_process())

# isort: split
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

    from pipeline.stopping import Stop

ACCEPTED, OUTPUT_LOST, BAD_INPUT, NOT_MET, INTERRUPTED = 0, 1, 2, 3, 130  # exit statuses


def end_process(*_: object) -> None:
    """End the process at once. This is the handler of Ctrl-C outside the loop."""
    if "--json" in sys.argv:
        _say(1, f'{{"error": "stopped", "exit_status": {INTERRUPTED}}}')
    _say(2, "easel: stopped; everything written so far is kept")
    os._exit(INTERRUPTED)


def _say(stream: int, line: str) -> None:
    # Not through Python's buffers: the handler may have interrupted a write to them.
    start = "\r" if os.isatty(stream) else ""  # overwrite the ^C or the progress bar
    with suppress(OSError):
        os.write(stream, f"{start}{line}\n".encode())


@contextmanager
def on_interrupt(act: Callable[[], object]) -> Iterator[None]:
    """Within the block the first Ctrl-C calls `act`; a second one ends the process. A request to end (SIGTERM) and a
    closed terminal (SIGHUP) count as Ctrl-C."""
    previous = {number: signal.getsignal(number) for number in endings()}

    def first(*_: object) -> None:
        for number in previous:
            signal.signal(number, end_process)
        act()

    for number in previous:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def finishing(stop: Stop, loaded: Event, say: Callable[[str], object]) -> Callable[[], None]:
    """For `on_interrupt`: the work ends after its present step with what there is. While models are loading there is
    nothing to complete, so the process ends."""

    def act() -> None:
        if not loaded.is_set():
            end_process()
        say("[yellow]stopping after this step;[/] press Ctrl-C again to stop at once")
        stop.finish()

    return act


def endings() -> list[int]:
    """The signals that ask a process to end, without those that it was told to ignore, as under nohup."""
    asked = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
    return [number for number in dict.fromkeys(asked) if signal.getsignal(number) is not signal.SIG_IGN]
