"""Ctrl-C, from the first import to the last line: exit status 130, one line, nothing lost, never a traceback.

While libraries and weights load, an exception may come out of any C extension and be swallowed or turned into
another, so there the process ends at once. In the loop the first Ctrl-C asks it to stop after the present step,
and it ends as any run does; a second ends the process. Files of a run appear whole or not at all, so ending at
any moment breaks none.
"""

from __future__ import annotations

import os
import signal
import sys

# Only where this process is the command: who imports it for something else keeps their own Ctrl-C. Before the
# other imports, and by names resolved later, so that as little as can be goes before it.
if os.path.basename(sys.argv[0]) in ("easel", "easel.py", "easel.exe"):  # noqa: PTH119
    signal.signal(signal.SIGINT, lambda *_: end_process())

# isort: split
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ACCEPTED, BAD_INPUT, NOT_MET, INTERRUPTED = 0, 2, 3, 130  # exit statuses


def end_process(*_: object) -> None:
    """End the process: the signal handler outside the loop."""
    if "--json" in sys.argv:
        _say(1, f'{{"error": "stopped", "exit_status": {INTERRUPTED}}}')
    _say(2, "easel: stopped; what was written until now is kept")
    os._exit(INTERRUPTED)


def _say(stream: int, line: str) -> None:
    # Past Python's buffers, in which the handler may have interrupted a write.
    start = "\r" if os.isatty(stream) else ""  # over the ^C, or the bar
    with suppress(OSError):
        os.write(stream, f"{start}{line}\n".encode())


@contextmanager
def on_interrupt(act: Callable[[], object]) -> Iterator[None]:
    """Within the block the first Ctrl-C calls `act`; a second one ends the process."""
    former = signal.getsignal(signal.SIGINT)

    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, end_process)
        act()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
