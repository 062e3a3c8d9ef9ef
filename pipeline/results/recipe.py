"""The part of a preset that made a run, in a form that a picture can carry, and its comparison with a preset that is
here. Whatever may be private (locations of models, addresses of servers) is in it as a hash only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.brief import Record
from pipeline.config import Preset, load_preset

_SECTIONS = ("range", "text", "image", "judges", "judge")


class Recipe(Record):
    """`size`: the preset's width and height; `keys`: values that anybody may set; `sections`: hashes of all others."""

    size: tuple[int, int]
    keys: dict[str, Any]
    sections: dict[str, str]


@dataclass(frozen=True)
class Restored:
    """`overrides`: what to set in the preset that is here; `differs`: what cannot be set, in words."""

    overrides: tuple[str, ...]
    differs: tuple[str, ...]


def recipe(settings: Mapping[str, Any]) -> Recipe:
    """The recipe of a preset as the store and run.json hold it."""
    image = settings["image"]
    keys = {f"image.{name}": image[name] for name in ("steps", "guidance") if name in image}
    keys |= dict(_flat("loop", settings["loop"])) | {"machine.price": settings["machine"]["price"]}
    sections = {name: _hash(_without_size(settings.get(name))) for name in _SECTIONS}
    return Recipe(size=(image["width"], image["height"]), keys=keys, sections=sections)


def recipe_of(preset: Preset) -> Recipe:
    return recipe(preset.model_dump(mode="json", by_alias=True))


def restore(made: Recipe, location: str) -> Restored:
    """What to set in a preset so that it is as it was. The size is not compared: a brief may name one. Raises
    ConfigError where a recorded value is not valid."""
    here = recipe_of(load_preset(location))
    changed = {key: value for key, value in made.keys.items() if value != here.keys.get(key)}
    overrides = tuple(f"{key}={json.dumps(value)}" for key, value in changed.items() if key in here.keys)
    same = recipe_of(load_preset(location, overrides)).sections
    differs = [f"the key {key} is unknown here" for key in changed if key not in here.keys]
    differs += [
        f"the section {name} of the preset has changed"
        for name in _SECTIONS
        if made.sections.get(name) != same[name]
    ]
    return Restored(overrides, tuple(differs))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _without_size(value: Any) -> Any:
    """A section without sizes of pictures, in its fallbacks too."""
    if isinstance(value, Mapping):
        return {key: _without_size(inner) for key, inner in value.items() if key not in ("width", "height")}
    return [_without_size(inner) for inner in value] if isinstance(value, list) else value


def _hash(section: Any) -> str:
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()[:16]
