"""`easel ui`: serve the app, and keep a worker running for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.results.decided import catch_up
from pipeline.store import Store
from pipeline.store.engine import identity
from pipeline.work.lock import LOCK, stop_abandoned
from pipeline.work.task import residents
from scripts.commands.interrupt import endings
from ui import presets
from ui.access import guard
from ui.serve import serve

ROOT = Path(__file__).parents[2]
_AGAIN = 3.0  # seconds before a worker that ended is started again


def open_app(
    out: Path, store_url: str | None, host: str, port: int, with_worker: bool, files: Sequence[Path] = (),
    proxy: str = "",
) -> None:  # fmt: skip
    """Serve the app until it is stopped. Its worker ends with it; an unfinished job continues at the next start.
    `files`: presets that the app offers besides the bundled ones; `proxy`: the address of a reverse proxy."""
    guard(out, host)  # before anything starts
    presets.configure(files)
    store = Store(out, store_url)
    catch_up(store)
    stop_abandoned(store)
    attendant = Attendant(out, store_url) if with_worker else None
    served = None
    for number in endings():
        signal.signal(number, signal.default_int_handler)
    try:
        served = serve(store, host, port, proxy)
        print(f"Easel is at {served.address}", flush=True)
        if attendant:
            attendant.start()
        signal.pause()
    except KeyboardInterrupt:
        print("easel: stopped; queued jobs continue at the next start", file=sys.stderr)
    finally:
        if served:
            served.close()
        if attendant:
            attendant.end()
        store.close()


class Attendant(threading.Thread):
    """Keeps a worker running: starts one if no process works in the output folder, and again if it ends."""

    def __init__(self, out: Path, store_url: str | None) -> None:
        super().__init__(daemon=True)
        self._out, self._over = out.resolve(), threading.Event()
        self._folder = identity(self._out)
        self._command = [
            sys.executable,
            "-m",
            "scripts.easel",
            "worker",
            "--out",
            str(self._out),
            "--until-eof",
        ]
        # The address of the store may contain a password, so it is not an argument: other users can see arguments.
        address = {"EASEL_STORE": store_url} if store_url else {}
        self._environment = os.environ | {"PYTHONPATH": str(ROOT)} | address
        self._worker: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        said = False
        while not self._over.is_set():
            if identity(self._out) != self._folder:
                gone = f"{self._out} was moved or deleted while the app used it; stop the app, and start it again"
                print(f"easel: {gone}", file=sys.stderr, flush=True)
                return
            if self._free():
                # In a process session of its own: Ctrl-C reaches only the app, and the app stops the worker. Where the
                # app cannot, as after kill -9, the worker's standard input ends, and so the worker does.
                self._worker = subprocess.Popen(
                    self._command,
                    cwd=ROOT,
                    env=self._environment,
                    start_new_session=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                )
                self._worker.wait()
            elif not said:
                print(f"easel: {self._busy()}", file=sys.stderr, flush=True)
                said = True
            self._over.wait(_AGAIN)

    def _busy(self) -> str:
        """What to tell the person where another process works in the output folder."""
        worker = residents(self._out)
        which = f"a worker (process {worker.pid})" if worker else "another easel process"
        return (
            f"{which} already works in {self._out}; this page starts its own worker when that one has ended"
        )

    def end(self) -> None:
        """Ask the worker to end, and wait up to ten seconds: it may be painting an image."""
        self._over.set()
        if self._worker is not None and self._worker.poll() is None:
            self._worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._worker.wait(timeout=10)

    def _free(self) -> bool:
        """Whether no process has locked the output folder."""
        with contextlib.suppress(Timeout), FileLock(self._out / LOCK, timeout=0):
            return True
        return False
