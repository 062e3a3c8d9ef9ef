"""What the loop asks of a text model that marks words: the role of each word of a brief."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.protocols import ROLES, Mark, Marks, OnStep, WordMarker
from models.specs import Fault, Spec
from pipeline.calls.kept import Result
from pipeline.calls.operations import Operation


class MarkOperation(Operation[str, Marks]):
    """Items are briefs. It belongs to the text stage: the same model reads and marks."""

    stage, last_resort = "text", "rules"

    def call(self, model: WordMarker, items: Sequence[str], on_step: OnStep | None) -> list[Marks]:
        return model.mark(items)

    def flaw(self, item: str, out: Marks) -> str | None:
        numbers = [p for mark in out.words for p in mark.roles.values()]
        if any(math.isnan(p) for p in numbers):
            return "NaN output"
        return None if all(0 <= p <= 1 for p in numbers) else "malformed output: a number outside 0 to 1"

    def described(self, item: str) -> Any:
        return [{"role": "user", "content": f"The role of each word of: {item}"}]

    def summary(self, out: Marks) -> Any:
        """In the form of a text answer: the marks as JSON, and the tokens that were read."""
        marks = json.dumps(self.to_result(out).value["marks"])
        return {"text": marks, "input_tokens": out.input_tokens, "output_tokens": 0, "finish_reason": "stop"}

    def keys(self, items: Sequence[str], spec: Spec) -> list[Any]:
        return [["marks", item] for item in items]

    def to_result(self, out: Marks) -> Result:
        marks = [[m.start, m.end, *(round(m.roles[role], 4) for role in ROLES)] for m in out.words]
        return Result({"marks": marks, "input_tokens": out.input_tokens})

    def from_result(self, result: Result) -> Marks:
        words = [
            Mark(start, end, dict(zip(ROLES, probabilities, strict=True)))
            for start, end, *probabilities in result.value["marks"]
        ]
        return Marks(tuple(words), result.value["input_tokens"])

    def spoiled(self, fault: Fault, outs: list[Marks]) -> list[Marks]:
        wrong = {"nan": math.nan, "malformed": 7.3}.get(fault)
        if wrong is None:
            return [] if fault == "blank" else outs
        roles = dict.fromkeys(ROLES, wrong)
        return [replace(out, words=tuple(replace(m, roles=roles) for m in out.words)) for out in outs]
