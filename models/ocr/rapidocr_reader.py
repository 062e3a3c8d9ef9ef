"""Reads text in images with RapidOCR: a detector of lines, a classifier of their direction, and a recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from PIL.Image import Image
from rapidocr import RapidOCR

from models.locate import content_revision, locate
from models.ocr.rapidocr_backend import RapidOcr
from models.protocols import Box, Identity, Line, ModelError, WeightsMissing

_PARTS = {
    "Det": "det",
    "Cls": "cls",
    "Rec": "rec",
}  # RapidOCR's section, and the word in the name of its file


def load(spec: RapidOcr, base: Path, offline: bool) -> TextReader:
    """The reader of a spec. It is never downloaded. Raises WeightsMissing where a file is missing, ModelError where it
    cannot be used."""
    folder = locate(spec.model, base)
    if isinstance(folder, str):
        raise ModelError(
            f"`kind: rapidocr` reads a folder, and {folder} is a name on the hub; write ./folder"
        )
    files = {section: _file(folder, word) for section, word in _PARTS.items()}
    _check_alphabet(files["Rec"])
    identity = Identity("rapidocr", files["Rec"].stem, content_revision(folder), "cpu", "float32")
    return TextReader(files, identity, spec.least)


def _file(folder: Path, word: str) -> Path:
    found = sorted(folder.glob(f"*_{word}_*.onnx"))
    if len(found) != 1:
        has = ", ".join(file.name for file in found) or "none"
        raise WeightsMissing(
            f"{folder} must hold one file *_{word}_*.onnx and holds {has}; restore the folder or correct `model:`"
        )
    return found[0]


def _check_alphabet(recogniser: Path) -> None:
    """Raise ModelError for a recogniser that does not hold its alphabet: RapidOCR would download one."""
    try:
        held = InferenceSession(str(recogniser), providers=["CPUExecutionProvider"]).get_modelmeta()
    except Exception as error:  # onnxruntime has an exception of its own for each kind of damage
        raise ModelError(
            f"{recogniser} is no ONNX model ({type(error).__name__}); restore the file"
        ) from error
    if "character" not in held.custom_metadata_map:
        raise ModelError(f"{recogniser} does not hold its alphabet; use a model made for RapidOCR 3")


class TextReader:
    """Implements protocols.TextReader."""

    def __init__(self, files: dict[str, Path], identity: Identity, least: float) -> None:
        self.identity = identity
        self.bytes = sum(file.stat().st_size for file in files.values())  # size of the weights in memory
        paths = {f"{section}.model_path": str(file) for section, file in files.items()}
        quiet = {"Global.log_level": "critical"}  # it logs a warning for each image without text
        self._engine = RapidOCR(params={**paths, **quiet, "Global.text_score": least})

    def read(self, images: Sequence[Image]) -> list[list[Line]]:
        """See protocols.TextReader."""
        return [self._lines(image.convert("RGB")) for image in images]

    def _lines(self, image: Image) -> list[Line]:
        found = self._engine(image)
        if found.txts is None:
            return []
        return [
            Line(text, float(score), _box(corners, image))
            for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        ]


def _box(corners: np.ndarray, image: Image) -> Box:
    """The upright box around four corners (4, 2) in pixels, as shares of the image's sides."""
    shares = (corners / [image.width, image.height]).clip(0, 1)
    (left, top), (right, bottom) = shares.min(0).tolist(), shares.max(0).tolist()
    return left, top, right, bottom
