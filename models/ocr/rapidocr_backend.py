"""The backend `kind: rapidocr`: reads text in images with PP-OCR on the CPU. The code is in
models/ocr/rapidocr_reader.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from models.backend import Backend, load_of
from models.hub.need import Need, Read, matching
from models.locate import locate
from models.specs import NoEffect, OcrSpec


class RapidOcr(OcrSpec):
    """PP-OCR by RapidOCR. `model`: a folder with three ONNX files, which find lines (`det`), turn them upright (`cls`)
    and read them (`rec`). The package has such a folder, for Chinese and Latin letters."""

    kind: Literal["rapidocr"]
    model: str = "package:rapidocr/models"
    least: Annotated[float, Field(ge=0, le=1)] = 0.5  # lines of a lower score are left out
    max_batch: Annotated[PositiveInt, NoEffect()] = 4  # images of one call; they are read one after the other


def needs(spec: RapidOcr, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from."""
    return [matching("model", locate(spec.model, base), None, "*.onnx", weights="*.onnx")]


BACKEND = Backend("ocr", RapidOcr, load_of("models.ocr.rapidocr_reader"), needs)
