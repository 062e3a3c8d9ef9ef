"""What makes an answer unusable, whatever it says: it goes to the next model, and is not kept."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from models.protocols import JsonSchema, Painted, Question, Text
from pipeline import pixels

NOT_JSON = "malformed output, also when asked again"
_TYPES: dict[str, type] = {"string": str, "array": list, "object": dict}


def text_flaw(answer: Text, schema: JsonSchema | None) -> str | None:
    if not answer.text.strip():
        return "blank output"
    return NOT_JSON if schema is not None and not fits(answer.text, schema) else None


def image_flaw(painted: Painted) -> str | None:
    return "blank output: one flat colour" if pixels.flat(painted.image) else None


def scores_flaw(scores: Sequence[float], questions: Sequence[Question]) -> str | None:
    if len(scores) != len(questions):
        return "blank output: no probabilities"
    if any(math.isnan(p) for p in scores):
        return "NaN output"
    return None if all(0 <= p <= 1 for p in scores) else "malformed output: no probability"


def fits(text: str, schema: JsonSchema) -> bool:
    """Whether a text holds a JSON object with what the schema requires at its top. What lies deeper is the
    reader's business, who can leave out what it does not understand."""
    match = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        found = json.loads(match.group() if match else text)
    except ValueError:
        return False
    wanted = {name: schema["properties"][name].get("type", "") for name in schema.get("required", ())}
    return isinstance(found, dict) and all(
        isinstance(found.get(name), _TYPES.get(kind, object)) for name, kind in wanted.items()
    )
