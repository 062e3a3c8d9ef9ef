"""What the tabs and the HTTP API share: submitting jobs to the store and reading it."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from pipeline.brief import Brief, Requirement
from pipeline.config import unsuited
from pipeline.errors import BriefError, OutputError, fault
from pipeline.results.run_folder import METADATA_KEY
from pipeline.store import Store
from pipeline.store.jobs import OPEN, PULL, Job
from pipeline.work.rows import Rows, parse_rows
from pipeline.work.task import BATCH, BRIEF, READ, Task
from ui import presets
from ui.view import RunView, view

MAX_PICTURE = 30_000_000  # bytes of an uploaded picture
MAX_SIDE = 8192


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


def settings_in(path: Path) -> Task:
    """The brief and preset stored in a PNG that Easel wrote. The file is not trusted: pixels are not decoded. Raises
    OutputError."""
    try:
        if path.stat().st_size > MAX_PICTURE:
            raise OutputError(
                f"the picture is larger than {MAX_PICTURE // 10**6} MB; choose one that Easel wrote"
            )
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > MAX_SIDE:
                raise OutputError(
                    f"the picture is wider or taller than {MAX_SIDE} pixels; choose one that Easel wrote"
                )
            said = image.info.get(METADATA_KEY)  # chunks before the pixels; nothing is decoded
        if not isinstance(said, str):
            raise OutputError("this picture holds no Easel record; choose a PNG that Easel wrote")
        record = json.loads(said)
        asked = Brief(**record["brief"])
        if asked.requirements is None:
            wants = tuple(Requirement(**want) for want in record["requirements"])
            asked = asked.model_copy(update={"requirements": wants})
        # The seed of this picture, not of the first one of its run.
        asked = asked.model_copy(update={"seed": int(record["candidate"]["plan"]["seed"]) % 2**63})
        return Task(brief=asked, preset=str(record["preset"])[:200])
    except (UnidentifiedImageError, SyntaxError, OSError, Image.DecompressionBombError):
        raise OutputError("this file is not a PNG that can be read; choose a PNG that Easel wrote") from None
    except (ValueError, KeyError, TypeError):
        raise OutputError("the Easel record in this picture is damaged or of another version") from None
