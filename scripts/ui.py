"""`easel ui`: the app, and a worker beside it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from pipeline.store import Store
from ui.serve import serve


def open_app(out: Path, host: str, port: int, with_worker: bool) -> None:
    """Serve until stopped. The worker is told to end with the app; a job in its hands goes on at the next start."""
    store = Store(out)
    worker = _start_worker(out) if with_worker else None
    try:
        print(f"Easel is at {serve(store, host, port, block=False)}", flush=True)
        _wait()
    finally:
        if worker is not None:
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=10)
        store.close()


def _start_worker(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "scripts.easel", "worker", "--out", str(out.resolve())]
    root = Path(__file__).parents[1]
    # In a session of its own: Ctrl-C reaches the app, and the app ends the worker between two steps.
    return subprocess.Popen(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, start_new_session=True
    )


def _wait() -> None:
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("easel: stopped; what waits in the queue goes on at the next start", file=sys.stderr)
