"""What the detectors of transformers share: batches, boxes as shares of the sides, one detection for each thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.ops import batched_nms, box_convert

from models.device import held_bytes
from models.pretrained import Opened, on_device
from models.protocols import Detection


class Settings(Protocol):
    """What the specs of these detectors share."""

    @property
    def least(self) -> float: ...
    @property
    def overlap(self) -> float: ...
    @property
    def max_batch(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The boxes of one image: `names` and `scores` (N,) of each; `boxes` (N, 4): left, top, right, bottom as shares of
    the image's sides, which may reach beyond its border."""

    names: list[str]
    scores: Tensor
    boxes: Tensor


class HfDetector(ABC):
    """Implements protocols.Detector for a detector of transformers."""

    def __init__(self, opened: Opened, spec: Settings) -> None:
        self.identity = opened.identity
        self._model, self._processor, self._spec = opened.model, opened.processor, spec
        # On a CPU the order of summation may depend on the number of rows; a score must not depend on its batch.
        self._max_batch = 1 if self.identity.device == "cpu" else spec.max_batch

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """See protocols.Detector."""
        return None

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return held_bytes([self._model])

    @torch.inference_mode()
    def detect(self, images: Sequence[Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """See protocols.Detector."""
        found: list[list[Detection]] = [[] for _ in images]
        wanted = [self._wanted(asked) for asked in names] if names else [()] * len(images)
        for rows in self._batches(images, wanted):
            some = [images[i].convert("RGB") for i in rows]
            for i, seen in zip(rows, self._look(some, wanted[rows[0]]), strict=True):
                found[i] = distinct(seen, self._spec.overlap)
        return found

    @abstractmethod
    def _wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        """What to look for in an image for which these names were given."""

    @abstractmethod
    def _look(self, images: list[Image], names: tuple[str, ...]) -> list[Found]:
        """The boxes in each of these images, all of one size."""

    def _outputs(self, inputs: Any) -> Any:
        """The network's answer to the output of a processor."""
        return self._model(**on_device(inputs, self._model.device, self._model.dtype))

    def _batches(self, images: Sequence[Image], names: Sequence[tuple[str, ...]]) -> Iterator[list[int]]:
        """Positions of images with the same size and names, so that none is padded."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for i, image in enumerate(images):
            alike.setdefault((image.size, names[i]), []).append(i)
        for rows in alike.values():
            for start in range(0, len(rows), self._max_batch):
                yield rows[start : start + self._max_batch]


def corners(boxes: Tensor) -> Tensor:
    """Boxes (N, 4) given by centre, width and height, as left, top, right, bottom."""
    found: Tensor = box_convert(boxes, "cxcywh", "xyxy")
    return found


def distinct(found: Found, overlap: float) -> list[Detection]:
    """The detections of one image, surest first, with boxes cut off at its border.

    Of two boxes with the same name whose intersection over union is above `overlap`, the less sure one is left out, and
    so is a box without area."""
    if not found.names:
        return []
    boxes, scores = found.boxes.float().cpu().clamp(0, 1), found.scores.float().cpu()
    numbers = {name: number for number, name in enumerate(dict.fromkeys(found.names))}
    kept = batched_nms(boxes, scores, torch.tensor([numbers[name] for name in found.names]), overlap)
    return [
        Detection(found.names[at], float(scores[at]), _box(boxes[at]))
        for at in kept.tolist()
        if float((boxes[at, 2:] - boxes[at, :2]).min()) > 0
    ]


def _box(box: Tensor) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
