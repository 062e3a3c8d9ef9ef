"""The backend `kind: grid`: the bundled detector, or one of the same form. The code is in
models/detector/grid_detector.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import PositiveInt

from models.backend import Backend, load_of
from models.detector.object_detection_backend import exact
from models.hub.need import Need, Read, checkpoint
from models.locate import locate
from models.specs import DetectorSpec, Device, NoEffect


class GridDetector(DetectorSpec):
    """A detector of scripts/training/detector.py. `model`: a folder with config.json and model.safetensors."""

    tells_all: ClassVar[bool] = True
    calibrated: ClassVar[bool] = True
    kind: Literal["grid"]
    device: Device = "auto"
    max_batch: Annotated[PositiveInt, NoEffect()] = 16


def needs(spec: GridDetector, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from."""
    return [checkpoint("model", locate(spec.model, base))]


BACKEND = Backend("detector", GridDetector, load_of("models.detector.grid_detector"), needs, auto=exact)
