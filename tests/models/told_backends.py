"""Judges whose answers stand in their spec: for tests of what is made of published probabilities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from PIL.Image import Image
from pydantic import Field

import models.load
from models.backend import Backend
from models.protocols import Detection, Identity, Line, Question, YesNo
from models.specs import DetectorSpec, OcrSpec, Part, ScorerSpec, Spec, VisionSpec
from pipeline.config import Preset
from pipeline.pixels import fingerprint

# What SigLIP models say of statements that are true of the picture (model cards; see docs/architecture.md).
SIGLIP = {
    "a picture of two cats": 0.319,
    "a picture of a cat": 0.0004,
    "a picture of a red sofa": 0.106,
    "a picture of a sofa": 0.223,
    "a picture of people": 0.004,
    "a picture of a person": 0.004,
}


class ToldScorer(ScorerSpec):
    """`says`: the probability of a statement; `otherwise`: of every other, or two numbers between which it lies, by the
    picture. `in_turn`: what it says of the first, second and so on of the pictures that it sees, instead."""

    kind: Literal["told_scorer"] = "told_scorer"
    model: str = "told scorer"
    revision: str = "1"
    says: dict[str, float] = Field(default_factory=dict)
    otherwise: float | tuple[float, float] = 0.5
    in_turn: tuple[dict[str, float], ...] = ()


class Seen(Part):
    """A box: left, top, right, bottom as shares of the sides."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class ToldDetector(DetectorSpec):
    """`knows`: its vocabulary; empty for one that finds whatever it is told to look for, of what it sees. `in_turn`:
    what it sees in the first, second and so on of the pictures, instead."""

    uses_names: ClassVar[bool] = True
    kind: Literal["told_detector"]
    model: str = "told detector"
    sees: tuple[Seen, ...] = ()
    knows: tuple[str, ...] = ()
    in_turn: tuple[tuple[Seen, ...], ...] = ()


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
        self.identity = Identity(spec.kind, spec.model, getattr(spec, "revision", ""), "cpu", "")
        self.vocabulary = frozenset(spec.knows) if getattr(spec, "knows", ()) else None
        self._turns: dict[str, int] = {}  # of the pictures that it was shown, by their fingerprints

    def _now(self, image: Image, always: Any) -> Any:
        """What it says of a picture by its turn, the last for all that follow; `always` where turns make no
        difference."""
        turns = self._spec.in_turn
        turn = self._turns.setdefault(fingerprint(image), len(self._turns))
        return turns[min(turn, len(turns) - 1)] if turns else always

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        otherwise, scores = self._spec.otherwise, []
        for image, asked in zip(images, questions, strict=True):
            says = self._now(image, self._spec.says)
            other = otherwise if isinstance(otherwise, float) else between(otherwise, image)
            scores.append([says.get(q.statement, other) for q in asked])
        return scores

    def detect(self, images: Sequence[Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        spec = self._spec
        found = [
            [Detection(one.label, one.score, one.box) for one in self._now(image, spec.sees)]
            for image in images
        ]
        return [
            [one for one in seen if spec.knows or one.label in wanted]
            for seen, wanted in zip(found, names, strict=True)
        ]

    def answer(self, images: Sequence[Image], questions: Sequence[Sequence[str]]) -> list[YesNo]:
        return [YesNo(tuple(self._yes(question) for question in asked)) for asked in questions]

    def _yes(self, question: str) -> float:
        says: Mapping[str, float] = self._spec.says
        return next((p for words, p in says.items() if words in question), float(self._spec.otherwise))

    def read(self, images: Sequence[Image]) -> list[list[Line]]:
        lines = [Line(text, score, (0.0, 0.0, 1.0, 0.1)) for text, score in self._spec.reads.items()]
        return [lines for _ in images]


def between(limits: tuple[float, float], image: Image) -> float:
    """A number between two, always the same for a picture."""
    low, high = limits
    return low + (high - low) * int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:6]) / 2**48


def load(spec: Spec, base: Path, offline: bool) -> Told:
    return Told(spec)


_SPECS: tuple[tuple[Literal["scorer", "detector", "vlm", "ocr"], type[Spec]], ...] = (
    ("scorer", ToldScorer),
    ("detector", ToldDetector),
    ("vlm", ToldVision),
    ("ocr", ToldReader),
)
BACKENDS = tuple(Backend(stage, spec, load, lambda spec, base, read: []) for stage, spec in _SPECS)


@contextmanager
def registered() -> Iterator[None]:
    """While it lasts, presets may name these kinds of judges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.load, "BACKENDS", (*models.load.BACKENDS, *BACKENDS))
        yield


def with_scorer(
    preset: Preset,
    says: dict[str, float],
    otherwise: float | tuple[float, float] = 0.2,
    revision: str = "1",
) -> Preset:
    """The preset with a scorer that answers these numbers as its only judge."""
    scorer = ToldScorer(says=says, otherwise=otherwise, revision=revision)
    return preset.model_copy(update={"judges": {"scorer": scorer}})
