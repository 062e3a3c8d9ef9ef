"""Finds the things that it is told to look for, by transformers' AutoModelForZeroShotObjectDetection.

There are two families. OWL-ViT compares each box with each text: `["a photo of a cat", "a photo of a dog"]`. Grounding
DINO reads one text, "cat. dog.", and compares each box with each of its tokens; the processor's own post-processing
joins the tokens that match, which may be a part of a name or of two names. Here the score of a name is the mean over
its tokens instead, as in MMDetection, where MM-Grounding-DINO was trained and measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from models.detector.hf_detector import Found, HfDetector, corners
from models.detector.object_detection_backend import exact
from models.detector.zero_shot_backend import ZeroShotDetection
from models.pretrained import Opened, open_model

_GROUNDING = ("grounding-dino", "mm-grounding-dino")
_END = re.compile(r"[.?]")  # Grounding DINO takes these for the end of a name


def load(spec: ZeroShotDetection, base: Path, offline: bool) -> HfDetector:
    """The detector of a spec; see models.pretrained.open_model."""
    auto = ("AutoModelForZeroShotObjectDetection", "AutoProcessor")
    opened = open_model(spec, base, offline, auto, finest=exact(spec.device))
    grounding = opened.model.config.model_type in _GROUNDING
    return (GroundingDetector if grounding else TextQueryDetector)(opened, spec)


class ZeroShotDetector(HfDetector):
    """A detector that finds nothing where it is told no names."""

    default_prompt: str

    def __init__(self, opened: Opened, spec: ZeroShotDetection) -> None:
        super().__init__(opened, spec)
        self._prompt = spec.prompt or self.default_prompt

    def _wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))


class TextQueryDetector(ZeroShotDetector):
    """OWL-ViT and OWLv2: one text for each name."""

    default_prompt = "a photo of a {name}"

    def _look(self, images: list[Image], names: tuple[str, ...]) -> list[Found]:
        if not names:
            return [_nothing()] * len(images)
        texts = [self._prompt.replace("{name}", name) for name in names]
        options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        outputs = self._outputs(self._processor(images=images, text=[texts] * len(images), **options))
        found = self._processor.post_process_grounded_object_detection(
            outputs,
            threshold=self._spec.least,
            target_sizes=[(image.height, image.width) for image in images],
            text_labels=[list(names)] * len(images),
        )
        sides = [torch.tensor([image.width, image.height] * 2) for image in images]
        return [
            Found(one["text_labels"], one["scores"], one["boxes"].cpu() / side)
            for one, side in zip(found, sides, strict=True)
        ]


class GroundingDetector(ZeroShotDetector):
    """Grounding DINO and MM-Grounding-DINO: one text with all names."""

    default_prompt = "{name}"

    def _look(self, images: list[Image], names: tuple[str, ...]) -> list[Found]:
        found = [_nothing()] * len(images)
        for text, places in self._texts(names):
            inputs = self._processor(images=images, text=[text] * len(images), return_tensors="pt")
            outputs = self._outputs(inputs)
            for i, (logits, boxes) in enumerate(zip(outputs.logits, outputs.pred_boxes, strict=True)):
                tokens = logits.sigmoid()  # (boxes, tokens)
                by_name = torch.stack([tokens[:, place].mean(1) for place in places.values()], 1)
                scores, best = by_name.max(1)
                kept = scores > self._spec.least
                labels = [list(places)[number] for number in best[kept].tolist()]
                found[i] = _joined(found[i], Found(labels, scores[kept].cpu(), corners(boxes[kept]).cpu()))
        return found

    def _texts(self, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, list[int]]]]:
        """The texts to read, each with as many names as the network can read at once, and the places of the tokens of
        each name in it."""
        text, spans = "", dict[str, tuple[int, int]]()
        for name in names:
            plain = " ".join(_END.sub(" ", name.lower()).split())
            if not plain:
                continue
            before, _, after = self._prompt.partition("{name}")
            start = len(text) + len(before)
            added = f"{text}{before}{plain}{after}. "
            if spans and len(self._tokens(added)) > self._model.config.max_text_len:
                yield text.strip(), self._places(text, spans)
                start, spans = len(before), {}
                added = f"{before}{plain}{after}. "
            text, spans[name] = added, (start, start + len(plain))
        if spans:
            yield text.strip(), self._places(text, spans)

    def _places(self, text: str, spans: dict[str, tuple[int, int]]) -> dict[str, list[int]]:
        """The positions of the tokens that lie in each span of a text."""
        tokens = self._tokens(text)
        return {
            name: [at for at, (first, last) in enumerate(tokens) if start <= first < last <= end]
            for name, (start, end) in spans.items()
        }

    def _tokens(self, text: str) -> list[tuple[int, int]]:
        """Where each token of a text begins and ends in it; a special token has no length."""
        offsets: list[tuple[int, int]] = self._processor.tokenizer(text.strip(), return_offsets_mapping=True)[
            "offset_mapping"
        ]
        return offsets


def _nothing() -> Found:
    return Found([], torch.zeros(0), torch.zeros(0, 4))


def _joined(one: Found, other: Found) -> Found:
    return Found(one.names + other.names, _cat(one.scores, other.scores), _cat(one.boxes, other.boxes))


def _cat(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([one, other])
