"""Finds things in images with the small network of grid_network.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.ops import box_iou

from models.detector.grid_backend import GridDetector
from models.detector.grid_network import SIDE, Grid, GridNetwork
from models.device import held_bytes, pick_device
from models.locate import content_revision, locate
from models.protocols import UNCLEAR, Box, Detection, Identity, ModelError, WeightsMissing

LOWEST = 0.05  # detections of a lower score are left out
_NAMED = 0.1  # what is unclear keeps the name of a thing that is at least so probable
_SAME = 0.4  # intersection over union above which two boxes are about one thing
_INSIDE = 0.7  # share of the smaller of two boxes inside the other, above which they are about one thing


class Config(BaseModel):
    """What the outputs of a detector mean. One of the labels is UNCLEAR: no whole thing. `odds` (a, b) calibrate its
    scores (Platt scaling): log odds · a + b."""

    model_config = ConfigDict(extra="forbid")

    labels: list[str]
    colours: list[str]
    styles: list[str]
    odds: tuple[float, float] = (1.0, 0.0)


def load(spec: GridDetector, base: Path, offline: bool) -> Detector:
    """The detector of a spec. It is never downloaded. Raises WeightsMissing where a file is missing, ModelError where
    it does not load."""
    folder = locate(spec.model, base)
    if isinstance(folder, str):
        raise ModelError(f"`kind: grid` reads a folder, and {folder} is a name on the hub; write ./folder")
    try:
        config = Config.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
        network = GridNetwork(len(config.labels), len(config.colours), len(config.styles))
        weights = load_file(folder / "model.safetensors")
        network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    except OSError as error:
        raise WeightsMissing(f"There is no detector in {folder} ({error}); restore the folder.") from error
    except (ValidationError, RuntimeError, ValueError) as error:
        raise ModelError(f"{folder} holds no detector of this form ({error}); restore the folder.") from error
    device = pick_device(spec.device)
    identity = Identity("grid", folder.name, content_revision(folder), device, "float32")
    return Detector(network.to(device).eval(), config, identity, spec.max_batch)


class Detector:
    """Implements protocols.Detector."""

    def __init__(self, network: GridNetwork, config: Config, identity: Identity, max_batch: int) -> None:
        self.identity = identity
        self._network, self._config = network, config
        # On a CPU the order of summation may depend on the number of rows; a score must not depend on its batch.
        self._max_batch = 1 if identity.device == "cpu" else max_batch

    @property
    def vocabulary(self) -> frozenset[str]:
        """The names of the things that it finds."""
        return frozenset(self._config.labels) - {UNCLEAR}

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return held_bytes([self._network])

    @torch.inference_mode()
    def detect(
        self, images: Sequence[Image.Image], names: Sequence[Sequence[str]] = ()
    ) -> list[list[Detection]]:
        """The detections of each image, surest first, each about another place. `names` have no effect."""
        found: list[list[Detection]] = []
        for start in range(0, len(images), self._max_batch):
            some = images[start : start + self._max_batch]
            pixels = torch.stack([_pixels(image) for image in some])
            grid: Grid = self._network(pixels.to(self.identity.device))
            found += [self._read(grid, i) for i in range(len(some))]
        return found

    def _read(self, grid: Grid, i: int) -> list[Detection]:
        """The detections of one image of a batch."""
        things = torch.sigmoid(_flat(grid.things[i]).cpu() * self._config.odds[0] + self._config.odds[1])
        boxes = _flat(grid.boxes[i]).cpu().clamp(0, SIDE)
        colours, styles = torch.sigmoid(_flat(grid.colours[i])).cpu(), _flat(grid.styles[i]).softmax(1).cpu()
        blank = self._config.labels.index(UNCLEAR)
        surest, unclear = things.amax(1), things[:, blank]
        clear = things.clone()
        clear[:, blank] = 0
        score, label = clear.max(1)
        nameless = score < _NAMED
        score, label = torch.where(nameless, unclear, score), label.masked_fill(nameless, blank)
        order = surest.argsort(descending=True).tolist()
        kept: list[int] = []
        doubt: dict[int, float] = {}
        for at in order:
            if surest[at] < LOWEST:
                break
            same = [k for k in kept if _about_one(boxes[at], boxes[k])]
            for k in same:
                if float(box_iou(boxes[at][None], boxes[k][None])) > _SAME:
                    doubt[k] = max(doubt[k], float(unclear[at]))
            if not same:
                kept.append(at)
                doubt[at] = float(unclear[at])
        return [
            Detection(
                label=self._config.labels[int(label[at])],
                score=float(score[at]),
                box=_shares(boxes[at]),
                unclear=doubt[at],
                colours=dict(zip(self._config.colours, colours[at].tolist(), strict=True)),
                styles=dict(zip(self._config.styles, styles[at].tolist(), strict=True)),
            )
            for at in kept
        ]


def _pixels(image: Image.Image) -> Tensor:
    """An image as the network sees it, float (3, SIDE, SIDE) in [-1, 1]."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, np.float32) / 127.5 - 1).permute(2, 0, 1)


def _flat(part: Tensor) -> Tensor:
    """(C, H, W) → (H · W, C)."""
    return part.flatten(1).T


def _about_one(box: Tensor, surer: Tensor) -> bool:
    """Whether a box is about the same thing as a surer one, about a part of it, or about it and its neighbours."""
    if float(box_iou(box[None], surer[None])) > _SAME:
        return True
    low, high = torch.maximum(box[:2], surer[:2]), torch.minimum(box[2:], surer[2:])
    shared = float((high - low).clamp(min=0).prod())
    smaller = min(float((one[2:] - one[:2]).clamp(min=1e-3).prod()) for one in (box, surer))
    return shared > _INSIDE * smaller


def _shares(box: Tensor) -> Box:
    left, top, right, bottom = (box / SIDE).tolist()
    return left, top, right, bottom
