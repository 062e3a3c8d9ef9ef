"""Checks a text against a JSON schema, for servers that do not enforce one."""

from __future__ import annotations

import json
from typing import Any

from models.protocols import JsonSchema

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def misfit(text: str, schema: JsonSchema) -> str:
    """Why a text does not fit a JSON schema; an empty string if it fits.

    Checks types, required and additional properties, items, enum, const and the usual bounds; other keywords are
    ignored.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return "no JSON"
    return _misfit(value, schema, "$")


def _misfit(value: Any, schema: Any, place: str) -> str:
    if not isinstance(schema, dict):
        return ""
    if "enum" in schema and value not in schema["enum"]:
        return f"{place} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        return f"{place} is not {schema['const']!r}"
    wanted = schema.get("type")
    if wanted is not None:
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(_is(value, name) for name in names):
            return f"{place} is no {' or '.join(names)}"
    size = len(value) if isinstance(value, (str, list)) else None
    for least, most, have in (
        ("minLength", "maxLength", size if isinstance(value, str) else None),
        ("minItems", "maxItems", size if isinstance(value, list) else None),
        ("minimum", "maximum", value if _is(value, "number") else None),
    ):
        if have is not None and not schema.get(least, have) <= have <= schema.get(most, have):
            return f"{place} is outside {least} or {most}"
    if isinstance(value, list):
        parts = [(item, schema.get("items"), f"{place}[{index}]") for index, item in enumerate(value)]
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        absent = [name for name in schema.get("required", ()) if name not in value]
        if absent:
            return f"{place} lacks {absent[0]!r}"
        more = [name for name in value if name not in known]
        if more and schema.get("additionalProperties") is False:
            return f"{place} has an unknown {more[0]!r}"
        parts = [(item, known.get(name), f"{place}.{name}") for name, item in value.items()]
    else:
        return ""
    return next((wrong for part in parts if (wrong := _misfit(*part))), "")


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, ()))
