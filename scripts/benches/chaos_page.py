"""A batch that the worker of `easel ui` does, for scripts.benches.chaos_kill. The page, its worker, or both are
killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from pipeline.store import Store
from pipeline.store.jobs import BATCH, OPEN
from pipeline.work.task import residents

ROOT = Path(__file__).parents[2]
_JOB = "chaos"
_POLL = 0.05  # seconds


class Page:
    """One output folder with its page. The page lives on where only its worker is killed."""

    def __init__(self, out: Path, file: Path, preset: str, images: int, chance: random.Random) -> None:
        self.out, self._chance = out, chance
        self._store = Store(out)
        self.first: float | None = None  # when it kept its first result
        self._process: subprocess.Popen[bytes] | None = None
        payload = {
            "text": file.read_text(), "kind": "jsonl", "name": file.stem, "preset": preset,
            "set": [f"loop.images={images}"],
        }  # fmt: skip
        self._store.jobs.submit(_JOB, BATCH, payload)

    def live(self, delay: float | None) -> bool:
        """Run until the job has ended, or until `delay` seconds after the next result that is kept. Returns whether the
        job has ended."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        try:
            return self._watched(delay)
        except BaseException:
            self._stop()  # nothing that was started outlives this script
            raise

    def _watched(self, delay: float | None) -> bool:
        before, until = self._kept(), float("inf")
        while (job := self._store.jobs.get(_JOB)) is not None and job.state in OPEN:
            if until == float("inf") and self._kept() > before:
                self.first = self.first or time.monotonic()
                until = time.monotonic() + delay if delay is not None else until
            if time.monotonic() >= until:
                self._kill()
                return False
            time.sleep(_POLL)
        if job is None or job.state != "done":
            raise SystemExit(f"the job ended as {job and job.state}: {job and job.error}")
        self._stop()
        return True

    def made(self) -> Counter[str]:
        """Nothing: the worker that the page starts keeps no journal."""
        return Counter()

    def _start(self) -> None:
        words = [sys.executable, "-m", "scripts.easel", "ui", "--out", str(self.out), "--port", "0"]
        with self.out.with_suffix(".log").open("ab") as log:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def _kept(self) -> int:
        return sum(self._store.results.count().values())

    def _kill(self) -> None:
        """Kill the page, its worker, or both. A worker whose page is gone ends by itself."""
        assert self._process is not None
        which = self._chance.choice(("page", "worker", "both"))
        worker = residents(self.out)
        if which != "page" and worker is not None:
            psutil.Process(worker.pid).kill()
        if which != "worker":
            self._process.kill()
            self._process.wait()

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self._store.close()
