"""A scorer that answers probabilities from its preset, for example published ones of a large model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from PIL.Image import Image
from pydantic import Field

import models.load
from models.backend import Backend
from models.protocols import Identity, Question
from models.specs import ScorerSpec
from pipeline.config import Preset

# What SigLIP models say of statements that are true of the picture (model cards; see docs/architecture.md).
SIGLIP = {
    "a picture of two cats": 0.319,
    "a picture of a cat": 0.0004,
    "a picture of a red sofa": 0.106,
    "a picture of a sofa": 0.223,
    "a picture of people": 0.004,
    "a picture of a person": 0.004,
}


class PublishedSpec(ScorerSpec):
    """`answers`: probability by statement; `others`: that of other statements, somewhere between these two, by the
    picture."""

    kind: Literal["published"] = "published"
    model: str = "published"
    answers: dict[str, float] = Field(default_factory=dict)
    others: tuple[float, float] = (0.2, 0.2)
    revision: str = "1"


class Published:
    def __init__(self, spec: PublishedSpec) -> None:
        self._spec = spec
        self.identity = Identity("published", spec.model, spec.revision, "cpu", "")

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        low, high = self._spec.others
        scores = []
        for image, asked in zip(images, questions, strict=True):
            drawn = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:6]) / 2**48
            others = low + drawn * (high - low)
            scores.append([self._spec.answers.get(q.statement, others) for q in asked])
        return scores


def load(spec: PublishedSpec, base: Path, offline: bool) -> Published:
    return Published(spec)


def present(spec: PublishedSpec, base: Path) -> str:
    return "in the preset"


BACKEND = Backend("scorer", PublishedSpec, load, present)


@contextmanager
def registered() -> Iterator[None]:
    """While it lasts, presets may name this kind of scorer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.load, "BACKENDS", (*models.load.BACKENDS, BACKEND))
        yield


def with_scorer(
    preset: Preset, answers: dict[str, float], others: tuple[float, float] = (0.2, 0.2), revision: str = "1"
) -> Preset:
    """The preset with a scorer that answers these numbers."""
    scorer = PublishedSpec(answers=answers, others=others, revision=revision)
    return preset.model_copy(update={"scorer": scorer})
