"""Standard output and standard error that may go away: a closed pipe, as by `| head -1`, or a full device. What cannot
be written is lost, and the work goes on: its results are in the output folder."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any

PLAIN = {
    "✓": "+",
    "✗": "x",
    "·": "-",
    "…": "...",
    "→": "->",
    "—": "-",
    "–": "-",
    "×": "x",
    "“": '"',
    "”": '"',
}
_HANDLER = "easel.plain"


class Stream(io.RawIOBase):
    """A standard stream of this process, by its file descriptor. After the first error, which is kept in `lost`, writes
    do nothing."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.lost: OSError | None = None

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        try:
            return os.isatty(self._number)
        except OSError:
            return False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = memoryview(data)
        if self.lost is None:
            try:
                return os.write(self._number, content)
            except OSError as error:
                self.lost = error
        return len(content)


def outlive_streams() -> Stream:
    """Replace the standard streams of this process, where a caller has not done so. Characters that the console's
    encoding lacks become plain ones. Returns the raw standard output."""
    codecs.register_error(_HANDLER, _plain)
    out, error = Stream(1), Stream(2)
    if sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__:
        sys.stdout, sys.stderr = _text(out, sys.stdout), _text(error, sys.stderr)
    return out


def complaint(stream: Stream) -> str:
    """What to say at the end about output that was lost; nothing where the reader closed the pipe."""
    if stream.lost is None or stream.lost.errno == errno.EPIPE:
        return ""
    return f"standard output cannot be written ({stream.lost.strerror}); what was printed is lost"


def _text(stream: Stream, before: io.TextIOBase | Any) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding, _HANDLER, line_buffering=True)


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(char, "?") for char in lacking), error.end
