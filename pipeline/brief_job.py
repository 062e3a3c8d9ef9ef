"""One brief as a job: what an app submits, and what a worker does with it.

read   the text model reads the brief; the reading is the job's progress when it is done
run    the brief goes through the loop; the run has the job's id
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import Field

from models.protocols import Cancelled, Step
from pipeline.brief import Brief, Record
from pipeline.config import Preset, load_preset
from pipeline.files import write
from pipeline.load import Models
from pipeline.loop import Attempt, Outcome, Started, run
from pipeline.requirements import read
from pipeline.run_folder import RunFolder, encode
from pipeline.store import Store
from pipeline.store.jobs import Job

READ, RUN = "read", "run"
LIVE = "easel.live"  # with a dot, so that no run folder has this name
_EVERY = 0.2  # seconds between previews


class Task(Record):
    """The payload of either kind of job."""

    brief: Brief
    preset: str = "mini"
    overrides: tuple[str, ...] = Field(default=())  # dotted.key=value, over the preset

    def checked(self) -> Preset:
        """The preset with its overrides. Raises ConfigError."""
        return load_preset(self.preset, self.overrides)


def live_picture(out: Path, job: str) -> Path:
    """Where the preview of a running job is."""
    return out / LIVE / f"{job}.png"


class Work:
    """A job in a worker's hands."""

    def __init__(self, job: Job, worker: str, store: Store) -> None:
        self.job, self.store = job, store
        self.asked: str | None = None  # cancel or pause: why the work was broken off
        self._worker = worker
        self._seen = 0.0
        self._told: dict[str, Any] = {}

    def tell(self, **progress: Any) -> None:
        """Report how far it is; parts that are not named stay."""
        self._told |= progress
        self.store.jobs.report(self.job.id, self._worker, self._told)

    def check(self) -> None:
        """Raises Cancelled where somebody asked for an end."""
        self.asked = self.store.jobs.asked(self.job.id)
        if self.asked:
            raise Cancelled

    def read(self, models: Models, preset: Preset) -> None:
        """Have the brief read, and report the reading."""
        self.tell(stage="reading")
        brief = Task(**self.job.payload).brief
        reader = models.text if preset.loop.reader == "model" else None
        (reading,) = read([brief], reader, models.range, preset.loop.prompting)
        self.tell(stage="read", reading=reading.model_dump(mode="json"))

    def run(self, models: Models, preset: Preset) -> Outcome | None:
        """Move the brief through the loop, keeping all of it in the store and its folder. None where it is to go
        on later."""
        task, store = Task(**self.job.payload), self.store
        name = store.runs.begin(self.job.id, task.brief, preset, store.out, job=self.job.id)
        folder = RunFolder(store.out / name, task.brief, preset)
        outcome: Outcome | None = None
        self.tell(stage="reading", attempt=1, step=0, steps=0, images=preset.loop.images)
        try:
            for event in run([task.brief], preset, models, self._on_step):
                if isinstance(event, Outcome) and self.asked == "pause":
                    return None
                folder.take(event)
                store.runs.take(self.job.id, event)
                if isinstance(event, Started):
                    self.tell(stage="painting")
                elif isinstance(event, Attempt):
                    self.tell(stage="painting", attempt=event.number + 1, step=0)
                else:
                    outcome = event
            self.tell(stage="finished")
        finally:
            live_picture(store.out, self.job.id).unlink(missing_ok=True)
        return outcome

    def _on_step(self, step: Step) -> None:
        self.check()
        self.tell(
            stage="checking" if step.index == step.total else "painting", step=step.index, steps=step.total
        )
        if (now := time.monotonic()) - self._seen >= _EVERY and (images := step.preview()):
            self._seen = now
            path = live_picture(self.store.out, self.job.id)
            path.parent.mkdir(exist_ok=True)
            write(path, encode(_side_by_side(images)))


def _side_by_side(images: list[Image.Image]) -> Image.Image:
    if len(images) == 1:
        return images[0]
    strip = Image.new("RGB", (sum(i.width for i in images), max(i.height for i in images)))
    at = 0
    for image in images:
        strip.paste(image, (at, 0))
        at += image.width
    return strip
