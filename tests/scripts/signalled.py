"""`easel` as a process that gets a signal at a given moment: just before a file of a given name is put in place.

A test that watches the process from outside and then sends the signal can be late. This cannot.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 900  # seconds; a loaded machine is slow
_CODE = """
import os, sys

def strike(event, args):
    # os.replace is how every whole file of Easel gets its name.
    if event == "os.rename" and not struck and str(args[1]).endswith({file!r}):
        struck.append(event)
        os.kill(os.getpid(), {signal})

struck = []
sys.addaudithook(strike)
from scripts.easel import main
main()
"""


def easel(
    *args: str, signal: signal.Signals, file: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `easel ARGS`; it sends itself the signal when it is about to name a file whose path ends in `file`."""
    code = _CODE.format(signal=int(signal), file=file)
    return subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, env=os.environ | (environment or {}), capture_output=True,
        text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
