"""Judges whose answers stand in their spec: for tests of what is made of published probabilities.

monkeypatch.setattr(models.load, "BACKENDS", (*models.load.BACKENDS, *BACKENDS))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL.Image import Image
from pydantic import Field

from models.backend import Backend
from models.protocols import Detection, Identity, Line, Question, YesNo
from models.specs import DetectorSpec, OcrSpec, Part, ScorerSpec, Spec, VisionSpec


class ToldScorer(ScorerSpec):
    """`says`: the probability of a statement; `otherwise`: of every other."""

    kind: Literal["told_scorer"]
    model: str = "told scorer"
    says: dict[str, float] = Field(default_factory=dict)
    otherwise: float = 0.5


class Seen(Part):
    """A box: left, top, right, bottom as shares of the sides."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class ToldDetector(DetectorSpec):
    """`knows`: its vocabulary; empty for one that finds whatever it is told to look for, of what it sees."""

    uses_names: ClassVar[bool] = True
    kind: Literal["told_detector"]
    model: str = "told detector"
    sees: tuple[Seen, ...] = ()
    knows: tuple[str, ...] = ()


class ToldVision(VisionSpec):
    """`says`: P(yes) of each question that holds these words; `otherwise`: of every other."""

    kind: Literal["told_vision"]
    model: str = "told vision"
    says: dict[str, float] = Field(default_factory=dict)
    otherwise: float = 0.5


class ToldReader(OcrSpec):
    """`reads`: the lines of every picture, and the score of each."""

    kind: Literal["told_reader"]
    model: str = "told reader"
    reads: dict[str, float] = Field(default_factory=dict)


class Told:
    """All four protocols, with the answers of one spec."""

    def __init__(self, spec: Any) -> None:
        self._spec = spec
        self.identity = Identity(spec.kind, spec.model, "", "cpu", "")
        self.vocabulary = frozenset(spec.knows) if getattr(spec, "knows", ()) else None

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        spec = self._spec
        return [[spec.says.get(q.statement, spec.otherwise) for q in asked] for asked in questions]

    def detect(self, images: Sequence[Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        spec = self._spec
        found = [Detection(one.label, one.score, one.box) for one in spec.sees]
        return [[one for one in found if spec.knows or one.label in wanted] for wanted in names]

    def answer(self, images: Sequence[Image], questions: Sequence[Sequence[str]]) -> list[YesNo]:
        return [YesNo(tuple(self._yes(question) for question in asked)) for asked in questions]

    def _yes(self, question: str) -> float:
        says: Mapping[str, float] = self._spec.says
        return next((p for words, p in says.items() if words in question), float(self._spec.otherwise))

    def read(self, images: Sequence[Image]) -> list[list[Line]]:
        lines = [Line(text, score, (0.0, 0.0, 1.0, 0.1)) for text, score in self._spec.reads.items()]
        return [lines for _ in images]


def load(spec: Spec, base: Path, offline: bool) -> Told:
    return Told(spec)


def present(spec: Spec, base: Path) -> str:
    return "in its spec"


_SPECS: tuple[tuple[Literal["scorer", "detector", "vlm", "ocr"], type[Spec]], ...] = (
    ("scorer", ToldScorer),
    ("detector", ToldDetector),
    ("vlm", ToldVision),
    ("ocr", ToldReader),
)
BACKENDS = tuple(Backend(stage, spec, load, present) for stage, spec in _SPECS)
