"""Jobs that paint nothing, the payload of a single brief, and what a worker has in memory."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from pipeline.brief import Brief, Record
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool, PooledModel
from pipeline.config import Preset, load_preset
from pipeline.files import write
from pipeline.reading.requirements import read
from pipeline.store import Store

BRIEF, BATCH, READ, LOAD, UNLOAD = "brief", "batch", "read", "load", "unload"
SMALL = (READ, LOAD, UNLOAD)
RESIDENTS = "easel.worker.json"


class Task(Record):
    """The payload of a job for one brief, to be painted or only read."""

    brief: Brief
    preset: str = "mini"
    set: tuple[str, ...] = Field(default=())  # dotted.key=value, over the preset

    def checked(self) -> Preset:
        """The preset with its changes. Raises ConfigError."""
        return load_preset(self.preset, self.set)


class Residents(Record):
    """The worker's process, and the models it has in memory."""

    pid: int
    at: datetime
    memory: int  # bytes that the process holds
    loaded: tuple[
        dict[str, Any], ...
    ]  # models.protocols.Identity, and the bytes of its parameters and buffers

    @property
    def alive(self) -> bool:
        """Whether that process runs; this can only be told on its own machine."""
        found: bool = psutil.pid_exists(self.pid)
        return found


def small(kind: str, payload: dict[str, Any], store: Store, pool: ModelPool) -> dict[str, Any]:
    """Do a job that paints nothing; returns its progress, which holds the result."""
    if kind == UNLOAD:
        return {"stage": "done", "unloaded": pool.unload()}
    if kind == LOAD:
        load(load_preset(str(payload["preset"])), store.results, pool)
        pool.load_all()
        return {"stage": "done"}
    task = Task(**payload)
    preset = task.checked()
    models = load(preset, store.results, pool)
    text = models.text if preset.loop.reader == "model" else None
    (reading,) = read([task.brief], text, models.range, preset.loop.prompting).each
    return {"stage": "read", "reading": reading.model_dump(mode="json")}


def say_residents(out: Path, loaded: list[PooledModel]) -> None:
    """Write down which models are in memory, for the page."""
    said = Residents(
        pid=os.getpid(), at=datetime.now(UTC), memory=psutil.Process().memory_info().rss,
        loaded=tuple(asdict(model.identity) | {"bytes": model.bytes} for model in loaded),
    )  # fmt: skip
    write(out / RESIDENTS, said.model_dump_json().encode())


def residents(out: Path) -> Residents | None:
    """What the worker has in memory; None where no worker runs."""
    try:
        said = Residents.model_validate_json((out / RESIDENTS).read_text())
    except (OSError, ValueError):
        return None
    return said if said.alive else None
