"""The operations of the stages that look at painted images: scorer, detector, vision-language model, reader of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from PIL import Image

from models.protocols import (
    Box,
    Detection,
    Detector,
    Line,
    OnStep,
    Question,
    Scorer,
    TextReader,
    VisionModel,
    YesNo,
)
from models.specs import Fault, Spec
from pipeline.calls.flaws import detections_flaw, lines_flaw, probabilities_flaw
from pipeline.calls.kept import Result
from pipeline.calls.operations import Operation
from pipeline.pixels import fingerprint

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_WRONG: dict[Fault, float] = {"nan": math.nan, "malformed": 7.3}  # what a fault makes of a probability


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One image and the questions about it."""

    image: Image.Image
    questions: tuple[Question, ...]


class ScoreOperation(Operation[ScoreRequest, list[float]]):
    stage, last_resort = "scorer", "pixel checks and a person"

    def call(self, model: Scorer, items: Sequence[ScoreRequest], on_step: OnStep | None) -> list[list[float]]:
        return model.score([item.image for item in items], [item.questions for item in items])

    def flaw(self, item: ScoreRequest, out: list[float]) -> str | None:
        return probabilities_flaw(out, len(item.questions))

    def described(self, item: ScoreRequest) -> Any:
        return [question.statement for question in item.questions]

    def summary(self, out: list[float]) -> Any:
        return out

    def keys(self, items: Sequence[ScoreRequest], spec: Spec) -> list[Any]:
        return [[fingerprint(item.image), [asdict(q) for q in item.questions]] for item in items]

    def to_result(self, out: list[float]) -> Result:
        return Result({"scores": [float(p) for p in out]})

    def from_result(self, result: Result) -> list[float]:
        scores: list[float] = result.value["scores"]
        return scores

    def spoiled(self, fault: Fault, outs: list[list[float]]) -> list[list[float]]:
        return outs if fault == "ok" else [_spoiled(fault, out) for out in outs]


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """One image and the names of the things to look for in it."""

    image: Image.Image
    names: tuple[str, ...] = ()


class DetectOperation(Operation[DetectRequest, list[Detection]]):
    stage, last_resort = "detector", "a person"

    def call(
        self, model: Detector, items: Sequence[DetectRequest], on_step: OnStep | None
    ) -> list[list[Detection]]:
        return model.detect([item.image for item in items], [item.names for item in items])

    def flaw(self, item: DetectRequest, out: list[Detection]) -> str | None:
        return detections_flaw(out)

    def described(self, item: DetectRequest) -> Any:
        return list(item.names)

    def summary(self, out: list[Detection]) -> Any:
        return [{"label": one.label, "score": round(one.score, 3), "box": _rounded(one.box)} for one in out]

    def keys(self, items: Sequence[DetectRequest], spec: Spec) -> list[Any]:
        """Names are part of the key only for a detector whose answer depends on them."""
        if getattr(spec, "uses_names", False):
            return [[fingerprint(item.image), list(item.names)] for item in items]
        return [fingerprint(item.image) for item in items]

    def to_result(self, out: list[Detection]) -> Result:
        return Result({"detections": [asdict(one) for one in out]})

    def from_result(self, result: Result) -> list[Detection]:
        return [Detection(**{**one, "box": tuple(one["box"])}) for one in result.value["detections"]]

    def spoiled(self, fault: Fault, outs: list[list[Detection]]) -> list[list[Detection]]:
        if fault == "blank":
            return []
        return [[Detection("thing", _WRONG[fault], _WHOLE)] for _ in outs] if fault in _WRONG else outs


@dataclass(frozen=True, slots=True)
class AskRequest:
    """One image and the yes/no questions about it."""

    image: Image.Image
    questions: tuple[str, ...]


class AskOperation(Operation[AskRequest, YesNo]):
    stage, last_resort = "vlm", "a person"

    def call(self, model: VisionModel, items: Sequence[AskRequest], on_step: OnStep | None) -> list[YesNo]:
        return model.answer([item.image for item in items], [item.questions for item in items])

    def flaw(self, item: AskRequest, out: YesNo) -> str | None:
        return probabilities_flaw(out.probabilities, len(item.questions))

    def described(self, item: AskRequest) -> Any:
        return list(item.questions)

    def summary(self, out: YesNo) -> Any:
        return asdict(out) | {"probabilities": list(out.probabilities)}

    def keys(self, items: Sequence[AskRequest], spec: Spec) -> list[Any]:
        return [[fingerprint(item.image), list(item.questions)] for item in items]

    def to_result(self, out: YesNo) -> Result:
        return Result(self.summary(out))

    def from_result(self, result: Result) -> YesNo:
        return YesNo(**{**result.value, "probabilities": tuple(result.value["probabilities"])})

    def spoiled(self, fault: Fault, outs: list[YesNo]) -> list[YesNo]:
        if fault == "ok":
            return outs
        return [replace(out, probabilities=tuple(_spoiled(fault, out.probabilities))) for out in outs]


class ReadOperation(Operation[Image.Image, list[Line]]):
    stage, last_resort = "ocr", "a person"

    def call(
        self, model: TextReader, items: Sequence[Image.Image], on_step: OnStep | None
    ) -> list[list[Line]]:
        return model.read(items)

    def flaw(self, item: Image.Image, out: list[Line]) -> str | None:
        return lines_flaw(out)

    def described(self, item: Image.Image) -> Any:
        return "what is written there?"

    def summary(self, out: list[Line]) -> Any:
        return [{"text": one.text, "score": round(one.score, 3), "box": _rounded(one.box)} for one in out]

    def keys(self, items: Sequence[Image.Image], spec: Spec) -> list[Any]:
        return [fingerprint(item) for item in items]

    def to_result(self, out: list[Line]) -> Result:
        return Result({"lines": [asdict(one) for one in out]})

    def from_result(self, result: Result) -> list[Line]:
        return [Line(**{**one, "box": tuple(one["box"])}) for one in result.value["lines"]]

    def spoiled(self, fault: Fault, outs: list[list[Line]]) -> list[list[Line]]:
        if fault == "blank":
            return []
        return [[Line("word", _WRONG[fault], _WHOLE)] for _ in outs] if fault in _WRONG else outs


def _spoiled(fault: Fault, probabilities: Sequence[float]) -> list[float]:
    """Probabilities as a fault leaves them; `blank` leaves none."""
    if fault == "blank":
        return []
    return [_WRONG.get(fault, p) for p in probabilities]


def _rounded(box: Box) -> list[float]:
    return [round(side, 3) for side in box]
