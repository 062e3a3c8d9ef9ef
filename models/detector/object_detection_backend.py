"""The backend `kind: object_detection`: a detector with a vocabulary of its own, such as D-FINE or RT-DETR, run by
transformers. The code is in models/detector/object_detection.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from models.backend import Backend, load_of
from models.hub.need import Need, Read, checkpoint
from models.locate import locate
from models.specs import DetectorSpec, Device, DType, NoEffect

Share = Annotated[float, Field(ge=0, le=1)]


class ObjectDetection(DetectorSpec):
    """A model of transformers' AutoModelForObjectDetection."""

    kind: Literal["object_detection"]
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"  # float32: half precision moves boxes
    least: Share = 0.3  # detections of a lower score are left out
    overlap: Share = 0.5  # intersection over union above which two boxes with one name are about one thing
    max_batch: Annotated[PositiveInt, NoEffect()] = 8


def needs(spec: ObjectDetection, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from."""
    return [checkpoint("model", locate(spec.model, base), spec.revision)]


def exact(device: str) -> DType:
    """The number format of `dtype: auto`: half precision moves boxes."""
    return "float32"


BACKEND = Backend("detector", ObjectDetection, load_of("models.detector.object_detection"), needs, auto=exact)
