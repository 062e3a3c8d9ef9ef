"""Finds the things that a detector was trained to name, by transformers' AutoModelForObjectDetection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image

from models.detector.hf_detector import Found, HfDetector
from models.detector.object_detection_backend import ObjectDetection, exact
from models.english import singular
from models.pretrained import Opened, open_model


def load(spec: ObjectDetection, base: Path, offline: bool) -> ClosedDetector:
    """The detector of a spec; see models.pretrained.open_model."""
    auto = ("AutoModelForObjectDetection", "AutoImageProcessor")
    return ClosedDetector(open_model(spec, base, offline, auto, finest=exact(spec.device)), spec)


class ClosedDetector(HfDetector):
    """A detector with a vocabulary of its own. It labels things in the singular and in lower case."""

    def __init__(self, opened: Opened, spec: ObjectDetection) -> None:
        super().__init__(opened, spec)
        known = opened.model.config.id2label.items()
        self._labels = {int(number): singular(label.lower()) for number, label in known}

    @property
    def vocabulary(self) -> frozenset[str]:
        """The names of the things that it finds."""
        return frozenset(self._labels.values())

    def _wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        return ()  # it looks for all that it knows

    def _look(self, images: list[Image], names: tuple[str, ...]) -> list[Found]:
        outputs = self._outputs(self._processor(images=images, return_tensors="pt"))
        sizes = [(1, 1)] * len(images)  # in images of one pixel, coordinates are shares
        found = self._processor.post_process_object_detection(
            outputs, threshold=self._spec.least, target_sizes=sizes
        )
        return [
            Found([self._labels[number] for number in one["labels"].tolist()], one["scores"], one["boxes"])
            for one in found
        ]
