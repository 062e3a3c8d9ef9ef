"""The fields of the Create tab that make a task: values of the fields → task, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from pipeline.errors import BriefError
from pipeline.plain_yaml import load
from pipeline.work.columns import harmless
from pipeline.work.task import Task
from ui.desk import limits

BUDGET = ("images", "seconds", "tokens", "image_steps", "joules", "money", "price")
MOST_IMAGES = 24  # of the slider
_KEYS = {f"loop.{name}": name for name in BUDGET[:-1]} | {"machine.price": "price"}


@dataclass(frozen=True)
class Form:
    """Values of the fields. `seed` is text: numbers in a browser are exact only up to 2⁵³. A side, and a limit in the
    order of BUDGET, is 0 where there is none."""

    seed: str
    width: int
    height: int
    changes: str
    budget: tuple[float, ...]


def seed_of(text: str) -> int:
    """The seed in its field. Raises BriefError."""
    said = text.strip() or "0"
    if not (said.isascii() and said.isdigit() and len(said) < 20 and int(said) < 2**63):
        raise BriefError(f"seed: {said[:40]!r} is not a seed; write a whole number from 0 to {2**63 - 1}")
    return int(said)


def overrides(changes: str, budget: Sequence[float | None]) -> tuple[str, ...]:
    """The overrides of the preset that the form asks for: the budget, then the changes. Raises BriefError for a change
    that a form must not make."""
    said = [" ".join(part.split()) for part in changes.replace("\n", ";").split(";")]
    for change in filter(None, said):
        if not harmless(change):
            key = change.partition("=")[0]
            raise BriefError(
                f"changes: {key[:100]}: the form may set image.steps, image.guidance and keys of loop"
            )
    return (*limits(**dict(zip(BUDGET, budget, strict=True))), *filter(None, said))


def form_of(task: Task) -> Form:
    """The fields that make a task, without its brief and requirements. Raises ConfigError where the task's preset
    cannot be read."""
    most: dict[str, float] = {"images": task.checked().loop.images}
    changes = []
    for override in task.set:
        key, _, value = override.partition("=")
        number = _number(value)
        if key in _KEYS and number is not None:
            most[_KEYS[key]] = number
        else:
            changes.append(override)
    most |= task.brief.limits.set
    if most["images"] > MOST_IMAGES:  # more than the slider has
        changes.append(f"loop.images={most['images']}")
        most["images"] = MOST_IMAGES
    budget = tuple(most.get(name, 0) for name in BUDGET)
    brief = task.brief
    return Form(str(brief.seed), brief.width or 0, brief.height or 0, "; ".join(changes), budget)


def _number(text: str) -> float | None:
    """A number as the value of an override; None for other values."""
    try:
        value = load(text)
    except yaml.YAMLError:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
