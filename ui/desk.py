"""What the tabs and the HTTP API share: submitting jobs to the store and reading it."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from pipeline.brief import Brief, Requirement
from pipeline.config import unsuited
from pipeline.errors import BriefError, fault
from pipeline.store import Store
from pipeline.store.jobs import BATCH, OPEN, PULL, READ, Job
from pipeline.work.row import Rows
from pipeline.work.rows import parse_rows
from pipeline.work.task import BRIEF, Task, residents
from ui import presets
from ui.view import RunView, view


@lru_cache(maxsize=4)
def read_batch(text: str, kind: str, name: str, preset: str) -> Rows:
    """The rows of a file of briefs. The page shows a batch again and again; its file is parsed once."""
    return parse_rows(text, kind, name, preset)


class Desk:
    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def out(self) -> Path:
        return self.store.out

    @property
    def works(self) -> bool:
        """Whether a worker runs. Of a database that other machines use too, that is not known here."""
        return not self.store.own or residents(self.out) is not None

    def submit(self, task: Task) -> Job:
        """Queue a brief. Raises ConfigError, BriefError."""
        task = task.model_copy(update={"preset": presets.location(task.preset)})
        preset = task.checked()
        if why := unsuited(task.brief, preset):
            raise BriefError(why)
        if task.brief.requirements == ():
            raise BriefError(
                "the list of requirements is empty; add one, or change the brief to read it again"
            )
        return self.store.jobs.submit(uuid4().hex, BRIEF, task.model_dump(mode="json"))

    def read(self, text: str, preset: str) -> Job:
        """Queue the reading of a brief by the preset's text model."""
        task = Task(brief=brief(text), preset=presets.location(preset))
        return self.store.jobs.submit(uuid4().hex, READ, task.model_dump(mode="json"))

    def submit_batch(self, text: str, kind: str, name: str, preset: str) -> Job:
        """Queue a file of briefs. Raises BriefError if it cannot be read or none of its rows can run."""
        preset = presets.location(preset)
        if not read_batch(text, kind, name, preset).good:
            raise BriefError("no row of the file can run; the table says why")
        payload = {"text": text, "kind": kind, "name": name, "preset": preset}
        return self.store.jobs.submit(uuid4().hex, BATCH, payload)

    def chore(self, kind: str, preset: str) -> Job:
        """Queue a job that loads, unloads or downloads models. Raises ConfigError."""
        return self.store.jobs.submit(uuid4().hex, kind, {"preset": presets.location(preset)})

    def job(self, id: str) -> Job:
        if (job := self.store.jobs.get(id)) is None:
            raise BriefError(f"there is no job {id[:64]!r}; it may belong to another output folder")
        return job

    def batch(self, id: str) -> Job | None:
        """The batch of this id; None where the id is of something else."""
        job = self.store.jobs.get(id) if id else None
        return job if job is not None and job.kind == BATCH else None

    def newest_open(self) -> Job | None:
        """The running job of a single brief, else the next in the queue, else a paused one."""
        jobs = self.store.jobs.list(*OPEN, kinds=(BRIEF,))
        return min(jobs, key=lambda j: (j.state != "running", j.place or 0, j.submitted), default=None)

    def queue(self) -> list[Job]:
        """Running and waiting jobs in order, without those that only read a brief, and without downloads."""
        jobs = [j for j in self.store.jobs.list(*OPEN) if j.kind not in (READ, PULL)]
        return sorted(jobs, key=lambda j: (j.place is None, j.place or 0, j.submitted))

    def run(self, id: str) -> RunView | None:
        return view(self.store, id)


def brief(
    text: str,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    requirements: tuple[Requirement, ...] | None = None,
) -> Brief:
    """A brief from the fields of a form. Raises BriefError if it is not valid."""
    try:
        return Brief(
            text=text, seed=seed, width=width or None, height=height or None, requirements=requirements
        )
    except ValidationError as error:
        raise BriefError(fault(error)) from None


def limits(price: float | None = None, **most: float | None) -> tuple[str, ...]:
    """A budget as overrides of a preset (`loop.images=6`); None and 0 set no limit. `price`: of a machine hour."""
    said = [f"loop.{name}={value}" for name, value in most.items() if value]
    return (*said, f"machine.price={price}") if price else tuple(said)


def any_seed() -> int:
    return random.SystemRandom().randrange(2**31)
