"""The backend `kind: zero_shot_object_detection`: a detector that looks for the things it is told, such as Grounding
DINO or OWLv2, run by transformers. The code is in models/detector/zero_shot.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from models.backend import Backend, load_of
from models.detector.object_detection_backend import Share, exact
from models.hub.need import Need, Read, checkpoint
from models.locate import locate
from models.specs import DetectorSpec, Device, DType, NoEffect


class ZeroShotDetection(DetectorSpec):
    """A model of transformers' AutoModelForZeroShotObjectDetection."""

    uses_names: ClassVar[bool] = True
    kind: Literal["zero_shot_object_detection"]
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"  # float32: half precision moves boxes
    # The text for each name; None is "{name}" for Grounding DINO, which reads "cat. dog.", else "a photo of a {name}".
    prompt: Annotated[str, Field(pattern=r"\{name\}")] | None = None
    least: Share = 0.25  # detections of a lower score are left out
    overlap: Share = 0.5  # intersection over union above which two boxes with one name are about one thing
    max_batch: Annotated[PositiveInt, NoEffect()] = 4


def needs(spec: ZeroShotDetection, base: Path, read: Read) -> list[Need]:
    """The files that it is loaded from."""
    return [checkpoint("model", locate(spec.model, base), spec.revision)]


BACKEND = Backend("detector", ZeroShotDetection, load_of("models.detector.zero_shot"), needs, auto=exact)
