"""What made a picture or a run, as a task that makes it again, and what of it cannot be had again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from pipeline.brief import Brief, Requirement
from pipeline.config import DEFAULT
from pipeline.errors import ConfigError, OutputError
from pipeline.results.recipe import Recipe, recipe, recipe_of, restore
from pipeline.results.run_folder import METADATA_KEY, VERSION
from pipeline.store.jobs import Job
from pipeline.store.tables import RunRow
from pipeline.work.task import Task
from ui import presets

MAX_PICTURE = 30_000_000  # bytes of an uploaded picture
MAX_SIDE = 8192
_DAMAGED = "the Easel record in this picture is damaged or of another version"


@dataclass(frozen=True)
class Origin:
    """`preset`: the name of the preset that was used; `differs`: what is not as it was, each in words without a full
    stop."""

    task: Task
    preset: str
    differs: tuple[str, ...] = ()

    def again(self) -> Task:
        """The task, to be done with the same preset. Raises ConfigError where that is not here."""
        presets.location(self.preset)
        return self.task

    def told(self, what: str) -> str:
        """One sentence about the form. `what`: "this picture" or "this run"."""
        if not self.differs:
            return f"The form has everything that made {what}, with the preset {self.task.preset}."
        return f"The form has the settings of {what}. Not as it was: {'; '.join(self.differs)}."


def settings_in(path: Path) -> Origin:
    """What made a PNG that Easel wrote. The file is not trusted: pixels are not decoded. Raises OutputError."""
    try:
        record = _record(path)
        asked = Brief(**record["brief"])
        wants = tuple(Requirement(**want) for want in record["requirements"])
        candidate = record["candidate"]
        # The seed of this picture, not of the first one of its run.
        seed = {"seed": _seed(candidate["plan"]["seed"])}
        asked = asked.model_copy(update=seed | ({} if asked.requirements else {"requirements": wants}))
        differs = []
        if candidate.get("id", "1-1") != "1-1":
            differs.append(
                f"this is candidate {str(candidate['id'])[:20]} of its run, which may have had another prompt: "
                f"“{str(candidate['plan']['prompt']['text'])[:200]}”"
            )
        differs += [f"a fallback was used ({str(why)[:200]})" for why in record.get("degraded", ())]
        made = Recipe.model_validate(record["recipe"]) if "recipe" in record else None
        return _origin(asked, str(record["preset"])[:200], made, differs)
    except (UnidentifiedImageError, SyntaxError, OSError, Image.DecompressionBombError):
        raise OutputError("this file is not a PNG that can be read; choose a PNG that Easel wrote") from None
    except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
        raise OutputError(_DAMAGED) from None


def _seed(said: Any) -> int:
    """The seed in a record. Raises ValueError unless it is a whole number from 0 to 2⁶³ − 1."""
    if not isinstance(said, int) or not 0 <= said < 2**63:
        raise ValueError("no seed")
    return said


def of_run(row: RunRow) -> Origin:
    """What made a run of the store."""
    return _origin(Brief.model_validate(row.brief), row.preset, recipe(row.settings), [])


def of_job(job: Job) -> Origin:
    """What a job for one brief makes, or made."""
    task = Task(**job.payload)
    name = presets.name_of(task.preset)
    if name not in presets.names():
        return _origin(task.brief, name, None, [])
    return Origin(task.model_copy(update={"preset": name}), name)


def _record(path: Path) -> dict[str, Any]:
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
    record: dict[str, Any] = json.loads(said)
    version = record["version"]
    if isinstance(version, int) and version > VERSION:
        raise OutputError(f"the record in this picture has version {version}; update Easel to read it")
    if version != VERSION:
        raise OutputError(_DAMAGED)
    return record


def _origin(asked: Brief, preset: str, made: Recipe | None, differs: list[str]) -> Origin:
    """`differs`: what is known already to differ."""
    if preset not in presets.names():
        differs.append(
            f"the preset {preset} is not here, and {DEFAULT} with its own settings takes its place"
        )
        return Origin(Task(brief=asked, preset=DEFAULT), preset, tuple(differs))
    if made is None:
        differs.append(
            f"the record has no settings of its preset, as an earlier Easel wrote it, and those of {preset} here take "
            "their place"
        )
        return Origin(Task(brief=asked, preset=preset), preset, tuple(differs))
    place = presets.location(preset)
    restored = restore(made, place)
    if made.size != recipe_of(presets.named(preset)).size:
        size = {"width": asked.width or made.size[0], "height": asked.height or made.size[1]}
        asked = Brief.model_validate(asked.model_dump() | size)
    task = Task(brief=asked, preset=preset, set=restored.overrides)
    return Origin(task, preset, (*differs, *restored.differs))
