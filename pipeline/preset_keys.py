"""Every key that a preset can have, with the value that it has, its default, and where it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pipeline.preset_file import Keys, PresetFile

_NO_KEYS = {("name",), ("source",), ("own",)}  # fields of a preset that its file cannot set


@dataclass(frozen=True)
class PresetKey:
    """`name`: dotted, as for --set; `place`: `file:line` or --set; None where the key is left out. Value and default
    are plain JSON; a key without a default has to be given."""

    name: str
    value: Any
    default: Any
    required: bool
    place: str | None
    model: str | None = None  # what says the value that the model itself has


def preset_keys(
    preset: BaseModel, file: PresetFile, own: Mapping[str, str] | None = None
) -> Iterator[PresetKey]:
    """The keys of a checked preset, in the order of its sections. `file`: what it was made from; `own`: what says the
    values that models themselves have, by key."""
    yield from _of_section(preset, file, (), own or {})


def _of_section(
    section: BaseModel, file: PresetFile, above: Keys, own: Mapping[str, str]
) -> Iterator[PresetKey]:
    for field_name, field in type(section).model_fields.items():
        keys = (*above, field.alias or field_name)
        value = getattr(section, field_name)
        if keys in _NO_KEYS:
            continue
        if isinstance(value, BaseModel):
            yield from _of_section(value, file, keys, own)
        elif isinstance(value, dict) and value and all(isinstance(one, BaseModel) for one in value.values()):
            for name, one in value.items():
                yield from _of_section(one, file, (*keys, str(name)), own)
        else:
            yield PresetKey(
                ".".join(keys),
                # As it is written: a fallback lists what it changes, not what it takes from its stage.
                _written(file, keys) if isinstance(value, tuple) and keys in file.places else _plain(value),
                None if field.is_required() else _plain(field.get_default(call_default_factory=True)),
                field.is_required(),
                file.places.get(keys) or _around(file, keys),
                own.get(".".join(keys)),
            )


def _around(file: PresetFile, keys: Keys) -> str | None:
    """The place of the section, where --set gave it as a whole with this key in it."""
    found: Any = file.data
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return file.place(keys)


def _written(file: PresetFile, keys: Keys) -> Any:
    found: Any = file.data
    for key in keys:
        found = found[key]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(one) for one in value]
    return value
