"""Jobs that paint nothing, the payload of a job for one brief, and the models that a worker has in memory."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from models.protocols import ModelError, WeightsMissing
from pipeline.brief import Brief, Record
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool, PooledModel
from pipeline.config import Preset, load_preset
from pipeline.files import write
from pipeline.store import Store
from pipeline.store.jobs import READ

BRIEF, LOAD, UNLOAD = "brief", "load", "unload"
SMALL = (READ, LOAD, UNLOAD)
RESIDENTS = "easel.worker.json"


class Task(Record):
    """The payload of a job for one brief: to paint it, or only to read it."""

    brief: Brief
    preset: str = "mini"
    set: tuple[str, ...] = Field(default=())  # changes to the preset: dotted.key=value

    def checked(self) -> Preset:
        """The preset with its changes. Raises ConfigError."""
        return load_preset(self.preset, self.set)


class Residents(Record):
    """The worker's process, and the models it has in memory."""

    pid: int
    at: datetime
    memory: int  # resident memory of the process in bytes
    loaded: tuple[
        dict[str, Any], ...
    ]  # models.protocols.Identity, with `bytes`: of its parameters and buffers

    @property
    def alive(self) -> bool:
        """Whether the process runs; only valid on the machine that it runs on."""
        exists: bool = psutil.pid_exists(self.pid)
        return exists


def small(kind: str, payload: dict[str, Any], store: Store, pool: ModelPool) -> dict[str, Any]:
    """Do a job that paints nothing; returns its final progress, which has the result."""
    if kind == UNLOAD:
        return {"stage": "done", "unloaded": pool.unload()}
    if kind == LOAD:
        return {
            "stage": "done",
            "unloaded_first": _load_all(load_preset(str(payload["preset"])), store, pool),
        }
    task = Task(**payload)
    preset = task.checked()
    models = load(preset, store.results, pool)
    (reading,) = models.read([task.brief], preset).each
    return {"stage": "read", "reading": reading.model_dump(mode="json")}


def _load_all(preset: Preset, store: Store, pool: ModelPool) -> list[str]:
    """Load a preset's models. Returns the names of those that were unloaded before, because memory does not hold both.
    Raises ModelError, which says what is still in memory."""
    try:
        load(preset, store.results, pool)
        pool.load_all()
    except ModelError as error:
        stays = "the models that were in memory stay there"
        if pool.crowded:
            stays = (
                f"{', '.join(pool.crowded)} had to be unloaded first, because memory does not hold both, and will be "
                "loaded again when needed"
            )
        why = error.message if isinstance(error, WeightsMissing) else str(error)
        raise ModelError(f"{why.rstrip('.')}; {stays}") from error
    return list(pool.crowded)


def say_residents(out: Path, loaded: list[PooledModel]) -> None:
    """Write a file that tells the page which models are in memory."""
    current = Residents(
        pid=os.getpid(), at=datetime.now(UTC), memory=psutil.Process().memory_info().rss,
        loaded=tuple(asdict(model.identity) | {"bytes": model.bytes} for model in loaded),
    )  # fmt: skip
    write(out / RESIDENTS, current.model_dump_json().encode())


def residents(out: Path) -> Residents | None:
    """The models that the worker has in memory; None if no worker runs."""
    try:
        latest = Residents.model_validate_json((out / RESIDENTS).read_text())
    except (OSError, ValueError):
        return None
    return latest if latest.alive else None
