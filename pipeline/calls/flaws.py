"""Checks for unusable answers. An item with such an answer goes to the next rung, and the answer is not kept.

Each function returns the flaw in words, or None for a usable answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from models.protocols import Detection, JsonSchema, Line, Painted, Text
from pipeline import pixels

NOT_JSON = "malformed output, also when asked again"
_TYPES: dict[str, type] = {"string": str, "array": list, "object": dict}


def text_flaw(answer: Text, schema: JsonSchema | None) -> str | None:
    if not answer.text.strip():
        return "blank output"
    return NOT_JSON if schema is not None and not fits(answer.text, schema) else None


def image_flaw(painted: Painted) -> str | None:
    return "blank output: one flat colour" if pixels.flat(painted.image) else None


def probabilities_flaw(probabilities: Sequence[float], questions: int) -> str | None:
    """`questions`: how many probabilities there must be."""
    if len(probabilities) != questions:
        return "blank output: no probabilities"
    return _shares_flaw(probabilities)


def detections_flaw(found: Sequence[Detection]) -> str | None:
    return _shares_flaw(
        [n for one in found for n in (one.score, one.unclear, *one.box, *one.colours.values())]
    )


def lines_flaw(lines: Sequence[Line]) -> str | None:
    return _shares_flaw([n for line in lines for n in (line.score, *line.box)])


def _shares_flaw(numbers: Sequence[float]) -> str | None:
    """Of numbers that must be in [0, 1]."""
    if any(math.isnan(n) for n in numbers):
        return "NaN output"
    return None if all(0 <= n <= 1 for n in numbers) else "malformed output: a number outside 0 to 1"


def fits(text: str, schema: JsonSchema) -> bool:
    """Whether a text holds a JSON object with the required top-level keys of the schema, of the right types. Nested
    values are not checked: the reader leaves out what it does not understand."""
    match = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        value = json.loads(match.group() if match else text)
    except ValueError:
        return False
    required = {name: schema["properties"][name].get("type", "") for name in schema.get("required", ())}
    return isinstance(value, dict) and all(
        isinstance(value.get(name), _TYPES.get(kind, object)) for name, kind in required.items()
    )
