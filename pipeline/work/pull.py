"""Downloads the models of a preset: the plan first, then the files, with progress, until all are there or cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from models.hub.download import Cancelled, download
from models.hub.need import Need
from models.hub.plan import Plan, make_plan, read_online
from models.load import needs, stage_of
from models.protocols import ModelError, WeightsMissing
from pipeline.config import Preset
from pipeline.errors import PullError

__all__ = ["Cancelled", "Progress", "plan_of", "pull"]


@dataclass(frozen=True)
class Progress:
    """`done` of `of` bytes arrived; `left_s`: seconds that the rest takes at this speed, None while it is not known."""

    done: int
    of: int
    left_s: float | None


def plan_of(preset: Preset) -> Plan:
    """What the download of a preset will take: the files of all its models, LoRAs, adapters, tokenizers and fallbacks.
    Raises PullError, which says what to do, where the hub does not tell."""
    found: dict[object, tuple[str, Need]] = {}
    try:
        for name, spec in preset.rungs.items():
            for need in needs(stage_of(spec), spec, preset.base, read_online):
                use = name if need.what == "model" else f"{name}: {need.what}"
                # A fallback mostly needs the same files as its model.
                found.setdefault((need.location, need.revision, need.what, need.patterns), (use, need))
        return make_plan(list(found.values()))
    except WeightsMissing as error:
        raise PullError(error.message) from error


def pull(plan: Plan, on_progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
    """Download what a plan lists and is not here. Files that are complete stay, whatever happens, so the same call goes
    on after an interruption.

    `on_progress` and `cancelled` are called from several threads. Raises PullError, which says what to do, and
    Cancelled."""
    if not plan.fits:
        raise PullError(
            f"the download takes {gigabytes(plan.left)} and {plan.folder} has {gigabytes(plan.free)} free; free some "
            "space, or set HF_HOME to a folder on a larger disk"
        )
    lock, began, done = threading.Lock(), time.monotonic(), 0

    def count(bytes: int) -> None:
        nonlocal done
        with lock:
            done += bytes
            passed = time.monotonic() - began
            left = (plan.left - done) * passed / done if done > 0 else None
            on_progress(Progress(done, plan.left, left))

    for item in plan.items:
        if cancelled():
            raise Cancelled
        if item.to_get:
            try:
                download(item, count, cancelled)
            except WeightsMissing as error:
                raise PullError(error.message) from error
            except ModelError as error:
                raise PullError(str(error)) from error


def gigabytes(bytes: float) -> str:
    """A size in words, in decimal units as disks and hubs count."""
    return f"{bytes / 1e9:.1f} GB" if bytes >= 1e9 else f"{bytes / 1e6:.1f} MB"
