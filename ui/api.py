"""The HTTP API, for `gradio_client` and any other client that speaks JSON. An error is one sentence.

    client = gradio_client.Client("http://127.0.0.1:7860")
    job = client.predict("a panda on a purple background", api_name="/submit")["id"]
    client.predict(job, api_name="/job")       # state, place in the queue, progress
    client.predict(job, api_name="/result")    # outcome, checks, addresses of the files

scripts/client.py is a complete example.
"""

from __future__ import annotations

import time
from typing import Any, Literal, get_args

from gradio.events import api
from pydantic import TypeAdapter, ValidationError

from pipeline.brief import Requirement
from pipeline.errors import BriefError
from pipeline.results.decide import decide
from pipeline.results.review import agreement, queue
from pipeline.store.jobs import BATCH, OPEN, Job
from pipeline.store.reviews import Decision
from pipeline.store.tables import RunRow
from pipeline.work.report import gather
from pipeline.work.task import LOAD, UNLOAD, Task, residents
from ui import presets
from ui.desk import Desk, brief, limits, read_batch
from ui.guard import person, spoken
from ui.parts import link_to
from ui.wants import quick

_POLL = 0.1  # seconds between two looks at a job


class Verbs:
    """One method per endpoint; each takes and returns plain JSON. Gradio shows the docstrings as documentation."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def read(self, text: str, preset: str = "mini", seconds: float = 60) -> dict[str, Any]:
        """Read a brief as a run does, by the rules and the preset's text model. Where no worker runs, or none answers
        within `seconds`, the rules read alone; `reader` and `degraded` say so. Edit the requirements and pass them to
        `submit` if you like."""
        reading = quick(brief(text).text, preset).reading
        if residents(self.desk.out) is None:
            why = "no worker is running → rules"
        elif answer := self._answer(self.desk.read(text, preset).id, seconds):
            return answer
        else:
            why = f"the text model did not answer within {seconds:g} seconds → rules"
        return reading.model_copy(update={"degraded": why}).model_dump(mode="json")

    def _answer(self, id: str, seconds: float) -> dict[str, Any] | None:
        """What a job read, once it is done; None if it fails or takes longer, and then it is cancelled."""
        until = time.monotonic() + seconds
        while (job := self.desk.job(id)).state in OPEN and time.monotonic() < until:
            time.sleep(_POLL)
        if job.state in OPEN:
            self.desk.store.jobs.ask(id, "cancel")
        found: dict[str, Any] | None = job.progress.get("reading")
        return found

    def submit(
        self, text: str, preset: str = "mini", seed: int = 0, images: int = 0, seconds: float = 0,
        width: int = 0, height: int = 0, requirements: list[dict[str, Any]] | None = None, tokens: int = 0,
        image_steps: int = 0, joules: float = 0, money: float = 0, price: float = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """Queue a brief. A limit or size of 0 means that of the preset. `requirements`, as `read` returns them, are
        used instead of reading the brief. `money` is counted at `price` per machine hour."""
        wants = None if requirements is None else tuple(Requirement(**want) for want in requirements)
        asked = brief(text, seed, width or None, height or None, wants)
        most = limits(
            price, images=images, seconds=seconds, tokens=tokens, image_steps=image_steps, joules=joules, money=money
        )  # fmt: skip
        return _job(self.desk.submit(Task(brief=asked, preset=preset, set=most)))

    def job(self, id: str) -> dict[str, Any]:
        """A job's state (queued, running, paused, cancelled, done or failed), place in the queue, and progress."""
        return _job(self.desk.job(id))

    def jobs(self) -> list[dict[str, Any]]:
        """The queue: running and waiting jobs, in order."""
        return [_job(job) for job in self.desk.queue()]

    def ask(self, id: str, what: str) -> dict[str, Any]:
        """Ask a job to cancel, pause or resume. A running job reacts at its next step."""
        if what not in ("cancel", "pause", "resume"):
            raise BriefError(f"unknown request {what[:40]!r}; use cancel, pause or resume")
        self.desk.store.jobs.ask(self.desk.job(id).id, what)  # type: ignore[arg-type]
        return _job(self.desk.job(id))

    def result(self, id: str) -> dict[str, Any]:
        """A run: outcome, requirements, attempts, checks, what people decided, and the addresses of its files."""
        run = self.desk.run(id)
        if run is None:
            raise BriefError(f"no run {id[:64]!r} has started; see its job for its place in the queue")
        attempts = [
            {
                "number": turn.number, "action": turn.change.action, "reason": turn.change.reason,
                "candidates": [
                    {
                        "id": s.row.id, "prompt": s.prompt[0], "seed": s.row.seed, "gate": s.row.gate,
                        "file": link_to(s.path),
                        "checks": [
                            {
                                "requirement": c.requirement, "outcome": c.outcome, "probability": c.probability,
                                "judge": c.judge, "reason": c.reason,
                            }
                            for c in s.checks
                        ],
                    }
                    for s in turn.made
                ],
            }
            for turn in run.turns
        ]  # fmt: skip
        wants = [want.model_dump(mode="json") for want in run.wants]
        return _run(run.row) | {
            "requirements": wants, "attempts": attempts, "record": link_to(run.folder / "run.json"),
            "picture": link_to(run.picture) if run.picture else None,
            "reviews": [review.model_dump(mode="json") for review in run.reviews],
        }  # fmt: skip

    def runs(
        self, text: str = "", outcome: str = "", preset: str = "", kind: str = "", limit: int = 50
    ) -> list[dict[str, Any]]:
        """Runs, newest first, filtered by words, outcome, preset or kind of requirement. Empty filters match all."""
        found = self.desk.store.runs.find(
            text=text or None, status=outcome or None, preset=preset or None, kind=kind or None,
            limit=max(1, min(limit, 500)),
        )  # fmt: skip
        return [_run(row) for row in found]

    def submit_batch(
        self, content: str, kind: str = "csv", name: str = "batch", preset: str = "mini"
    ) -> dict[str, Any]:
        """Queue a file of briefs, given its content. `kind` is csv, jsonl or yaml."""
        if kind not in ("csv", "jsonl", "yaml"):
            raise BriefError(f"unknown kind of file {kind[:40]!r}; use csv, jsonl or yaml")
        return _job(self.desk.submit_batch(content, kind, name, preset))

    def batch(self, id: str) -> dict[str, Any]:
        """The rows of a batch with outcome and reason, and the number of rows of each outcome."""
        job = self.desk.job(id)
        if job.kind != BATCH:
            raise BriefError("this job is a single brief; ask for its result")
        given = job.payload
        rows = read_batch(given["text"], given["kind"], given["name"], given["preset"])
        report = gather(rows, self.desk.store)
        entries = [
            {
                "line": e.line, "name": e.name, "brief": e.text, "outcome": e.status, "reason": e.reason,
                "run": e.run.id if e.run else None, "decided_by": e.run.decided_by if e.run else None,
            }
            for e in report.entries
        ]  # fmt: skip
        return _job(job) | {"counts": dict(report.counts), "rows": entries}

    def review_queue(self, who: str) -> list[dict[str, Any]]:
        """The pictures that wait for this person's review, without the judge's opinion."""
        return [
            {
                "run": item.run.id, "candidate": item.candidate, "brief": item.run.text, "why": item.why,
                "requirements": [r.model_dump(mode="json") for r in item.reading.requirements] if item.reading else [],
                "file": link_to(self.desk.out / item.run.folder / "attempts" / f"{item.candidate}.png"),
            }
            for item in queue(self.desk.store, person(who))
        ]  # fmt: skip

    def decide(
        self,
        run: str,
        candidate: str,
        who: str,
        decision: str,
        reason: str = "",
        requirements: dict[str, Literal["pass", "fail"]] | None = None,
        reasons: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Add a decision (approve, reject, skip or undo) to the review log. It is the outcome of the run: accepted or
        rejected by this person; an undo restores the outcome before. `who`: the name; with a login it is that of the
        login. `requirements`: id → pass or fail; `reasons`: id → why it fails; `reason`: for the whole picture."""
        try:
            said: Decision = TypeAdapter(Decision).validate_python(decision)
        except ValidationError:
            raise BriefError(
                f"unknown decision {decision[:40]!r}; use {', '.join(get_args(Decision))}"
            ) from None
        review = decide(
            self.desk.store,
            run,
            candidate,
            person(who),
            said,
            requirements=requirements,
            reasons=reasons,
            reason=reason,
        )
        row = self.desk.store.runs.get(run)
        assert row is not None
        return review.model_dump(mode="json") | {"outcome": row.status}

    def reviews(self) -> dict[str, Any]:
        """The whole review log, in order, and how often two reviewers of a picture agree."""
        log = self.desk.store.reviews.log()
        both = agreement(log)
        return {
            "log": [review.model_dump(mode="json") for review in log],
            "agreement": {"pictures": both.pictures, "agreed": both.agreed, "kappa": both.kappa},
        }

    def presets(self) -> list[dict[str, Any]]:
        """The presets, with what each does and needs."""
        found = (presets.named(name) for name in presets.names())
        return [{"name": p.name, "about": p.about, "needs": p.needs, "offline": p.offline} for p in found]

    def models(self) -> dict[str, Any]:
        """The models in the worker's memory, and the memory of its process in bytes."""
        found = residents(self.desk.out)
        return found.model_dump(mode="json") if found else {"loaded": [], "memory": 0}

    def load(self, preset: str = "mini") -> dict[str, Any]:
        """Queue the loading of a preset's models; the worker does it after its current job."""
        return _job(self.desk.chore(LOAD, preset))

    def unload(self) -> dict[str, Any]:
        """Queue the unloading of all models; the worker does it after its current job."""
        return _job(self.desk.chore(UNLOAD, "mini"))


NAMES = (
    "read", "submit", "job", "jobs", "ask", "result", "runs", "submit_batch", "batch", "review_queue", "decide",
    "reviews", "presets", "models", "load", "unload",
)  # fmt: skip


def build(desk: Desk) -> None:
    """Register every endpoint."""
    verbs = Verbs(desk)
    for name in NAMES:
        api(spoken(getattr(verbs, name), html=False), api_name=name, concurrency_limit=None)


def _job(job: Job) -> dict[str, Any]:
    said = job.model_dump(mode="json", exclude={"payload", "worker"})
    said["progress"].pop("reading", None)
    return said


def _run(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.id, "brief": row.text, "preset": row.preset, "seed": row.seed, "outcome": row.status,
        "loop_outcome": row.loop_status, "decided_by": row.decided_by,
        "decided_at": row.decided_at.isoformat() if row.decided_at else None, "reason": row.reason, "best": row.best,
        "images": row.images, "tokens": row.tokens, "seconds": row.seconds, "degraded": row.degraded,
        "started": row.started.isoformat(),
    }  # fmt: skip
