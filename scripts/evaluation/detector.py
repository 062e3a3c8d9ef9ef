"""The examiner's detector: a small FCOS (arXiv 1904.01355, torchvision's) that finds the bundled drawings at 128 px.

It has ConvNeXt blocks and a feature pyramid, unlike painter and scorer. It names each drawing and its style, or labels
it unclear; it does not tell colours. scripts/training/examiner.py trains it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.fcos import FCOSHead

from models.mini.dataset.vocabulary import BY_NAME, STYLES

SIDE = 128  # pixels of a side of its pictures
WEIGHTS = Path(__file__).parents[2] / "models/mini/examiner/model.safetensors"
DRAWINGS = tuple(
    (name, style) for style in STYLES for name in BY_NAME
)  # labels 1, 2, …; 0 is torchvision's "nothing"
UNCLEAR = len(DRAWINGS) + 1
_WIDTH = 96


def build() -> FCOS:
    """An untrained detector of 2 M parameters: float pictures (3, SIDE, SIDE) in [0, 1] → boxes in pixels, scores,
    labels."""
    stages = [CNBlockConfig(48, 96, 2), CNBlockConfig(96, 192, 3), CNBlockConfig(192, None, 3)]
    body = BackboneWithFPN(
        ConvNeXt(stages, 0.05, layer_scale=0.1).features, {"3": "0", "5": "1"}, [96, 192], _WIDTH
    )
    return FCOS(
        body,
        UNCLEAR + 1,
        min_size=SIDE,
        max_size=SIDE,
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
        anchor_generator=AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3),  # one a position: the stride
        head=FCOSHead(_WIDTH, 1, UNCLEAR + 1, num_convs=2),
        detections_per_img=20,
        _skip_resize=True,
    )


@cache
def load() -> FCOS:
    """The trained detector, on the CPU."""
    model = build()
    model.load_state_dict(read(WEIGHTS))
    return model.eval()


def read(path: Path) -> dict[str, Tensor]:
    """The weights in a file, in single precision."""
    return {name: value.float() for name, value in load_file(path).items()}


def save(model: FCOS, path: Path = WEIGHTS) -> None:
    """Save the weights in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.to(torch.float16).contiguous() for name, value in model.state_dict().items()}, path
    )
