"""`easel worker`: does the jobs of a store, one at a time, for as long as it is let."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from models.protocols import Cancelled, ModelError
from pipeline.brief_job import READ, RUN, Task, Work
from pipeline.config import load_preset
from pipeline.errors import EaselError
from pipeline.files import write
from pipeline.keep import Keep
from pipeline.load import load
from pipeline.residency import House
from pipeline.store import Store
from pipeline.store.jobs import Job

FILE, LOCK = "easel.worker.json", "easel.worker.lock"
_PAUSE, _BEAT = 0.25, 4.0


class Ended(BaseException):
    """This process was told to end."""


class Worker:
    """One process that holds the models. A second one on the same output folder waits until the first has ended."""

    def __init__(self, out: Path, idle: float) -> None:
        self.store, self.house, self.idle = Store(out), House(), idle
        self.name = f"{socket.gethostname()}:{out.resolve()}"
        self._job: Job | None = None

    def serve(self) -> None:
        """Claim and do jobs until told to end, which raises Ended."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._end)
        with (self.store.out / LOCK).open("w") as lock:
            while not self._locked(lock.fileno()):
                time.sleep(_PAUSE)
            threading.Thread(target=self._beat, daemon=True).start()
            worked = time.monotonic()
            self._say()
            try:
                while True:
                    if (job := self.store.jobs.claim(self.name)) is not None:
                        self._job = job
                        self._do(job)
                        self._job = None
                        worked = time.monotonic()
                        self._say()
                    elif time.monotonic() - worked > self.idle:
                        worked = float("inf")
                        self.house.unload()
                        self._say()
                    else:
                        time.sleep(_PAUSE)
            finally:
                (self.store.out / FILE).unlink(missing_ok=True)

    def _do(self, job: Job) -> None:
        work = Work(job, self.name, self.store)
        state, error = "failed", None
        try:
            self._work(work)
            state = {"cancel": "cancelled", "pause": "paused"}.get(work.asked or "", "done")
        except Cancelled:
            state = "paused" if work.asked == "pause" else "cancelled"
        except Ended:
            self.store.jobs.end(job.id, self.name, "queued")
            raise
        except (EaselError, ModelError) as broken:
            state, error = "failed", str(broken)
        except Exception as broken:  # a fault of ours: the job ends with it, the worker goes on
            state, error = "failed", f"Easel broke ({type(broken).__name__}: {broken}); please report it"
        self.store.jobs.end(job.id, self.name, state, error)  # type: ignore[arg-type]

    def _work(self, work: Work) -> None:
        job = work.job
        if job.kind == "unload":
            self.house.unload()
            return
        work.check()
        work.tell(stage="loading")
        preset = (
            Task(**job.payload).checked() if job.kind in (READ, RUN) else load_preset(job.payload["preset"])
        )
        models = load(preset, Keep(self.store.results, work.check), self.house)
        self._say()
        if job.kind == READ:
            work.read(models, preset)
        elif job.kind == RUN:
            work.run(models, preset)

    def _end(self, *_: object) -> None:
        raise Ended  # at once: what was done is kept, and the job goes on with the next worker

    @staticmethod
    def _locked(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _beat(self) -> None:
        while True:
            time.sleep(_BEAT)
            if (job := self._job) is not None:
                self.store.jobs.beat(job.id, self.name)

    def _say(self) -> None:
        """Write down who is in memory, for whoever looks."""
        pages = (
            int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
        )
        said = {
            "pid": os.getpid(),
            "at": datetime.now(UTC).isoformat(),
            "memory": pages * os.sysconf("SC_PAGE_SIZE"),
            "loaded": [vars_of(identity) for identity in self.house.loaded],
        }
        write(self.store.out / FILE, json.dumps(said).encode())


def vars_of(identity: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(identity)  # type: ignore[call-overload,no-any-return]
