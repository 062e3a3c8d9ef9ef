"""What is wrong with a preset, in one sentence with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.load import backend_of, judging_stage
from models.protocols import ModelError
from models.specs import JUDGES, RUNGS
from pipeline.preset_file import Keys, PresetFile

_LIST, _SECTION = "a list", "a section with keys of its own"
_SHAPES = {
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "frozen_set_type": _LIST,
}


def describe(preset: type[BaseModel], file: PresetFile, error: ValidationError) -> str:
    """The first fault that pydantic found, as `file:line: key: what is wrong`. Misspelt keys come first: they may be
    why another key is missing."""
    found = error.errors()
    faults = [
        fault for fault in found if not _inherited(file.data, _keys(fault)) and not _follows(fault, found)
    ]
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    if former := [fault for fault in faults if _was_section(_keys(fault))]:
        faults = former[:1]  # that `judges` is missing follows from it
    more = f" (faults: {len(faults)}; this is the first)" if len(faults) > 1 else ""
    return _sentence(preset, file, faults[0]) + more


def _keys(fault: ErrorDetails) -> Keys:
    """Where the value is. pydantic adds "[key]" where a mapping's key is wrong rather than its value."""
    return tuple(str(part) for part in fault["loc"] if part != "[key]")


def _inherited(data: dict[str, Any], keys: Keys) -> bool:
    """Whether a fault of a rung is in a setting that the rung takes from its stage: the stage has the same
    fault then, and one report is enough."""
    own, rest = _model_section(data, keys)
    if own is None:
        return False
    *_, rung = rungs = [own, *_rungs(own, rest)]
    inside = rest[2 * (len(rungs) - 1) :]
    return len(rungs) > 1 and bool(inside) and "kind" not in rung and inside[0] not in map(str, rung)


def _rungs(own: dict[str, Any], rest: Keys) -> list[dict[str, Any]]:
    """The rungs of a model's section that the keys lead through, from the outside in."""
    if len(rest) < 2 or rest[0] not in RUNGS:
        return []
    rung = own[rest[0]][int(rest[1])]
    return [rung, *_rungs(rung, rest[2:])] if isinstance(rung, dict) else []


def _follows(fault: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """Whether a key is missing only because it is misspelt, which is a fault of its own."""
    if fault["type"] != "missing":
        return False
    *section, key = _keys(fault)
    unknown = [_keys(other) for other in found if other["type"] == "extra_forbidden"]
    beside = [keys[-1] for keys in unknown if list(keys[:-1]) == section]
    return bool(get_close_matches(key, beside, 1))


def _model_section(data: dict[str, Any], keys: Keys) -> tuple[dict[str, Any] | None, Keys]:
    """The section of the model that the keys lead into, and the keys inside it; None where they lead into none."""
    depth = {"text": 1, "image": 1, "judges": 2}.get(keys[0], 0) if keys else 0
    found: Any = data
    for key in keys[:depth]:
        found = found.get(key) if isinstance(found, dict) else None
    inside = 0 < depth <= len(keys) and isinstance(found, dict)
    return (found if inside else None), keys[depth:]


def _was_section(keys: Keys) -> bool:
    """Whether a judge or a larger painter stands at the top of the file, where former presets had it."""
    return len(keys) == 1 and keys[0] in (*JUDGES, "escalate")


def _sentence(preset: type[BaseModel], file: PresetFile, fault: ErrorDetails) -> str:
    keys = _keys(fault)
    place, key = file.place(keys), ".".join(keys)
    if fault["type"] == "extra_forbidden" and keys == ("escalate",):
        return f"{place}: {key}: move this section into `image`, as an element of a list: image.escalate"
    if fault["type"] == "extra_forbidden" and _was_section(keys):
        return f"{place}: {key}: move this section below `judges`, where each judge has a name: judges.{key}"
    if fault["type"] == "extra_forbidden" and keys == ("judge", "cannot"):
        return (
            f"{place}: {key}: say instead that nobody is asked about these kinds: judge.routes: {{KIND: []}}"
        )
    if fault["type"] in ("extra_forbidden", "invalid_key"):
        return f"{place}: unknown key {key}; {_advice(keys[-1], known_keys(preset, file.data, keys[:-1]))}"
    if fault["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        if fault["loc"][-1] == "[key]":
            return f"{place}: unknown key {key}; {_advice(keys[-1], allowed)}"
        return f"{place}: {key} is {fault['input']!r}; {_advice(str(fault['input']), allowed)}"
    if fault["type"] == "missing_kind" and (close := get_close_matches("kind", map(str, fault["input"]), 1)):
        misspelt = (*keys[:-1], close[0])
        return f"{file.place(misspelt)}: unknown key {'.'.join(misspelt)}; did you mean kind?"
    if fault["type"] in ("missing_kind", "unknown_kind"):
        return f"{place}: {key} {fault['msg']}"
    if fault["type"] in _SHAPES:
        return f"{place}: {key} is {_SHAPES[fault['type']]}, not {fault['input']!r}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {key}: {message[:1].lower()}{message[1:]}"


def _advice(given: str, known: list[str]) -> str:
    if close := get_close_matches(given, known, 1):
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(known)}" if known else "take it out"


def known_keys(preset: type[BaseModel], data: dict[str, Any], section: Keys) -> list[str]:
    """The keys that a section of a preset may have; none where any key may stand there, or nothing is known of it.
    `data` says which kind of model a section of a model is for."""
    found: Any = preset
    own, inside = _model_section(data, section)
    if own is not None:
        found, section = _spec(own, section[0], inside)
    for key in section:
        found = _step(found, key)
    classes = [part for part in _parts(found) if isinstance(part, type) and issubclass(part, BaseModel)]
    return sorted({field.alias or name for cls in classes for name, field in cls.model_fields.items()})


def _spec(own: dict[str, Any], of: str, rest: Keys) -> tuple[Any, Keys]:
    """The class of a model's section, or of the rung that the keys in it lead into, and the keys left. `of`: text,
    image or judges."""
    kind = own.get("kind")
    stage = judging_stage(kind) if of == "judges" else "text" if of == "text" else "image"
    rungs = _rungs(own, rest)
    kind = next((rung["kind"] for rung in reversed(rungs) if "kind" in rung), kind)
    rest = rest[2 * len(rungs) :]
    try:
        return (backend_of(stage, kind).spec if stage else None), rest
    except ModelError:
        return None, rest


def _step(annotation: Any, key: str) -> Any:
    """The type of the value at `key` in a value of the annotated type; None where that is not known."""
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            for name, field in part.model_fields.items():
                if key in (name, field.alias):
                    return field.annotation
        elif get_origin(part) is dict:
            return get_args(part)[1]
        elif get_origin(part) in (tuple, list):
            return get_args(part)[0]
    return None


def _parts(annotation: Any) -> list[Any]:
    """The alternatives of a type, without what `Annotated` adds."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [found for part in get_args(annotation) for found in _parts(part)]
    return [annotation]
