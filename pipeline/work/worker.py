"""The worker: does the jobs of the store, one at a time, and beside them one download.

It is a process of its own, apart from the page. A job whose worker died is claimed again and continues with the kept
results, and so does a batch that made way for other jobs.

| kind         | payload                                                                     |
| ------------ | --------------------------------------------------------------------------- |
| brief        | brief: a Brief; preset: name or path; set: ["image.steps=12", ...]          |
| batch        | text: the file's content; kind: csv, jsonl or yaml; name; preset; set; seed |
| read         | as brief; its progress holds the requirements that the text model read      |
| load, unload | preset; loads its models into memory, or unloads all models                 |
| pull         | preset; downloads its models                                                |

The progress of a job has the keys stage, step, steps, name and run (of the latest brief), attempt, done, of, accepted,
images, preview (a file below the output folder), report (of a batch) and said (the latest event in words); that of a
download has stage, bytes, of_bytes and left_s (seconds, None while unknown).
"""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from pydantic import ValidationError

from models.protocols import ModelError, Step
from pipeline.brief import Brief
from pipeline.calls.load import quiet_libraries
from pipeline.calls.pool import ModelPool
from pipeline.config import load_preset, unsuited
from pipeline.errors import BriefError, EaselError, StoreError, StoreLost, fault
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.files import write
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.store.jobs import BATCH, PULL, End, Job
from pipeline.work import pull
from pipeline.work.play import Undelivered, play
from pipeline.work.report import gather, write_report
from pipeline.work.retry import newest
from pipeline.work.row import Row, Rows, Unstarted
from pipeline.work.rows import parse_rows
from pipeline.work.task import SMALL, say_residents, small

_log = logging.getLogger(__name__)

PREVIEWS = "easel.previews"
BEAT = 3.0  # seconds between heartbeats
# The state that a job ends in, by what was asked of it; see _Work.asked.
ENDS: dict[str, End] = {
    "cancel": "cancelled", "pause": "paused", "leave": "queued", "lost": "queued", "yield": "queued",
}  # fmt: skip
_AGAIN = 1.0  # seconds before a store that did not answer is asked again
_SAY, _SHOW = 0.25, 0.5  # seconds between progress reports, and between previews


class Worker:
    """Does the jobs of a store. `idle`: seconds without a job after which the models are unloaded; `poll`: seconds
    between two checks of the queue."""

    def __init__(
        self, store: Store, stop: Stop | None = None, idle: float = 300.0, poll: float = 0.5
    ) -> None:
        self.store, self.stop, self.pool = store, stop or Stop(), ModelPool()
        # The output folder is locked, so only one process has this name. It may continue jobs claimed under it.
        self.name = f"{socket.gethostname()}:{store.out.resolve()}"
        self._idle, self._poll = idle, poll
        self._last = time.monotonic()  # when the latest job ended
        self._downloads: threading.Thread | None = None

    def work(self, until_empty: bool = False) -> None:
        """Do jobs until a stop is requested; with `until_empty` only until the queue is empty."""
        self._last = time.monotonic()
        say_residents(self.store.out, self.pool.loaded)
        lost = False
        while not self.stop.requested:
            try:
                if not self._turn() and until_empty:
                    return
                lost = False
            except StoreLost as error:  # a job in work is claimed again, and continues with what was kept
                if not lost:
                    _log.warning("%s; trying again until it answers", error)
                lost = True
                time.sleep(_AGAIN)
        if self._downloads is not None:
            self._downloads.join()

    def _turn(self) -> bool:
        """Do the next job, or wait a moment for one. Returns whether there is or was anything to do."""
        downloading = self._download()
        if (job := self.store.jobs.claim(self.name)) is not None:
            self.do(job)
            say_residents(self.store.out, self.pool.loaded)
            self._last = time.monotonic()
            return True
        if time.monotonic() - self._last > self._idle and self.pool.unload():
            say_residents(self.store.out, self.pool.loaded)
        time.sleep(self._poll)
        return downloading

    def _download(self) -> bool:
        """Begin the next download, unless one is going on. Returns whether one is."""
        if self._downloads is not None and self._downloads.is_alive():
            return True
        job = self.store.jobs.claim(f"{self.name} downloads", pulls=True)
        if job is not None:
            self._downloads = threading.Thread(target=self._do_download, args=(job,), name="downloads")
            self._downloads.start()
        return job is not None

    def _do_download(self, job: Job) -> None:
        try:
            self.do(job)
        except StoreError as error:  # the job is claimed again
            _log.warning("%s", error)

    def do(self, job: Job) -> None:
        """Do one job until it ends or a stop is requested. Raises StoreError only; other errors end the job."""
        work = _Work(self, job)
        try:
            with work.alive():
                state, why = work.run()
        except StoreError:
            raise
        except (EaselError, ModelError) as error:
            state, why = "failed", str(error)
        except ValidationError as error:
            state, why = "failed", f"the job cannot be read: {fault(error)}; submit it again"
        except Exception as error:
            # A bug in Easel. The worker continues: the next job may succeed.
            _log.exception("job %s", job.id)
            state, why = (
                "failed",
                f"{type(error).__name__}: {error}; see the worker's output for the traceback",
            )
        finally:
            work.preview.unlink(missing_ok=True)
        self.store.jobs.end(job.id, work.name, state, why)


class _Work:
    """The job that the worker is doing."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self.worker, self.job, self.store = worker, job, worker.store
        self.name = job.worker or worker.name  # under which the job was claimed
        self.stop = Stop()
        self.asked: str | None = (
            None  # cancel, pause or lost; leave: the worker itself was stopped; yield: another goes first
        )
        self.preview = worker.store.out / PREVIEWS / f"{job.id}.png"
        self.progress: dict[str, Any] = {"stage": "loading", "done": 0, "accepted": 0, "images": 0}
        self._said = self._showed = self._looked = 0.0
        self._unsaid = False  # whether progress was made that is not reported yet

    def run(self) -> tuple[End, str | None]:
        """Do the job; returns the state it ends in, and what went wrong, if anything."""
        if self.job.kind in SMALL:
            self.say(now=True)
            self.say(now=True, **small(self.job.kind, self.job.payload, self.store, self.worker.pool))
            return "done", None
        if self.job.kind == PULL:
            return self._pull()
        rows = self._rows()
        single = self.job.kind == "brief"
        unstarted: list[Unstarted] = []
        status = self.store.runs.statuses([row.id for row in newest(rows.good, self.store)])
        ended = [s for s in status.values() if s not in ("running", "stopped")]
        self.say(of=len(rows.good), done=len(ended), accepted=ended.count("accepted"), now=True)
        events = play(
            rows.good, self.store, batch=None if single else rows.name, job=self.job.id, stop=self.stop,
            pool=self.worker.pool, on_step=self.on_step,
        )  # fmt: skip
        with closing(events):
            for happened in events:
                if isinstance(happened, Unstarted):
                    unstarted.append(happened)
                elif isinstance(happened, Undelivered):
                    _log.warning("traces: %s", happened.why)
                else:
                    self.tell(*happened)
                    self.listen()
        if single and unstarted:
            return "failed", unstarted[0].why
        if not single and self.asked != "yield":
            page = write_report(gather(rows, self.store, unstarted), self.store, f"report-{self.job.id}")
            self.say(report=page.name)
        self.say(stage="done", now=True)
        if self.asked is not None and (self.asked == "cancel" or self.progress["done"] < self.progress["of"]):
            return ENDS[self.asked], None
        why = "; ".join(group.why for group in unstarted) or None
        return "failed" if why and not self.progress["done"] else "done", why

    def _pull(self) -> tuple[End, str | None]:
        quiet_libraries()
        self.say(stage="planning", now=True)
        plan = pull.plan_of(load_preset(str(self.job.payload["preset"])))

        def show(progress: pull.Progress) -> None:
            self.say(stage="downloading", bytes=progress.done, of_bytes=progress.of, left_s=progress.left_s)

        def unwanted() -> bool:  # asked for every block of some megabytes
            self.listen()
            return self.asked is not None

        try:
            pull.pull(plan, show, unwanted)
        except pull.Cancelled:
            return ENDS[self.asked or "leave"], None
        self.say(stage="done", bytes=plan.left, of_bytes=plan.left, now=True)
        return "done", None

    def _rows(self) -> Rows:
        given = self.job.payload
        if self.job.kind == "brief":
            brief = Brief(**given["brief"])
            preset = load_preset(given.get("preset", "mini"), given.get("set", ()))
            if why := unsuited(brief, preset):
                raise BriefError(why)
            return Rows(brief.name, (Row(1, brief, preset, run=self.job.id),))
        if self.job.kind == "batch":
            return parse_rows(
                given["text"].encode(), given["kind"], given.get("name", "batch"), given.get("preset", "mini"),
                given.get("set", ()), given.get("seed", 0),
            )  # fmt: skip
        raise BriefError(f"unknown kind of job {self.job.kind!r}; update Easel")

    def listen(self) -> None:
        """Check whether the job or the worker was asked to stop."""
        if self.asked in (None, "yield"):
            asked = "leave" if self.worker.stop.requested else self.store.jobs.asked(self.job.id)
            self.asked = asked or self.asked or self._makes_way()
        self._request_stop()

    def _makes_way(self) -> str | None:
        """Whether a batch stops for a job that goes first; looked up at most every quarter of a second."""
        if self.job.kind != BATCH or time.monotonic() - self._looked < _SAY:
            return None
        self._looked = time.monotonic()
        return "yield" if self.store.jobs.goes_first() else None

    def _request_stop(self) -> None:
        if self.asked == "cancel" and self.job.kind == "brief":
            self.stop.finish()
        elif self.asked is not None:
            # Briefs of a batch that have no outcome yet can be resumed.
            self.stop.pause(at_step=self.asked == "cancel")

    def on_step(self, step: Step) -> None:
        self.listen()
        if time.monotonic() - self._showed > _SHOW:
            self._showed = time.monotonic()
            self._show(step)
        self.say(stage="painting", step=step.index, steps=step.total)

    def _show(self, step: Step) -> None:
        if not (images := step.preview()):
            return
        self.preview.parent.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        images[0].save(buffer, "PNG", compress_level=1)
        write(self.preview, buffer.getvalue())
        self.progress["preview"] = f"{PREVIEWS}/{self.preview.name}"

    def tell(self, row: Row, event: Event) -> None:
        """Report an event of a run as progress."""
        about: dict[str, Any] = {"name": row.brief.name, "run": row.id}
        if isinstance(event, Started):
            wants = ", ".join(r.text for r in event.reading.requirements)
            about |= {"stage": "painting", "attempt": 1, "said": f"wants: {wants}"}
        elif isinstance(event, Attempt):
            about |= {"images": self.progress["images"] + event.painted, "attempt": event.number + 1}
            about["said"] = event.next.reason if event.next else f"attempt {event.number} was the last"
        elif isinstance(event, Outcome):
            about |= {"done": self.progress["done"] + 1, "said": f"{event.status}: {event.reason}"}
            about["accepted"] = self.progress["accepted"] + (event.status == "accepted")
        self.say(**about, now=True)

    def say(self, now: bool = False, **what: Any) -> None:
        """Add to the progress and report it, at most every quarter of a second unless `now`. What is held back so is
        reported with the next heartbeat, since nothing may follow it: a download may stand still."""
        self.progress |= what
        if now or time.monotonic() - self._said > _SAY:
            self._report()
        else:
            self._unsaid = True

    def _report(self) -> None:
        self._said, self._unsaid = time.monotonic(), False
        self.store.jobs.report(self.job.id, self.name, dict(self.progress))

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Send heartbeats in the background, so that a worker in a long call does not count as dead."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                try:
                    asked = self.store.jobs.beat(self.job.id, self.name)
                    if self._unsaid:
                        self._report()
                except StoreError:
                    continue  # the main thread gets the same error and reports it
                if asked is not None:
                    self.asked = self.asked or asked
                    self._request_stop()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
