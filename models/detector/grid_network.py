"""A small detector: a residual network whose last map has a cell for every eight pixels, and each cell says what it
sees.

The backbone is CLIP's residual network (open_clip's) up to its third stage, without the fourth and the pooling. Two
further blocks look at the whole picture; their map is enlarged and joined with that of the second stage. Two
convolutions read it. There is one map only, since the drawings are large, and no anchors: a cell near the middle of a
thing names it and gives the distances to the four sides of its box (as FCOS does, arXiv 1904.01355).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from open_clip.modified_resnet import Bottleneck, ModifiedResNet
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128  # pixels of a side of the pictures it sees
CELL = 8  # pixels of a side of a cell
_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Grid:
    """What every cell says; H = W = SIDE / CELL. Logits, but for the boxes."""

    things: Tensor  # (B, classes, H, W)
    boxes: Tensor  # (B, 4, H, W): left, top, right, bottom, in pixels of a picture with SIDE pixels
    colours: Tensor  # (B, colours, H, W)
    styles: Tensor  # (B, styles, H, W)


class GridNetwork(nn.Module):
    """1.3 M parameters: pictures (B, 3, SIDE, SIDE) in [-1, 1] → Grid."""

    def __init__(self, classes: int, colours: int, styles: int) -> None:
        super().__init__()
        self.body = ModifiedResNet((1, 1, 1, 1), 512, 16, image_size=SIDE, width=32)
        self.body.layer4 = self.body.attnpool = nn.Identity()
        self.whole = nn.Sequential(Bottleneck(512, 128), Bottleneck(512, 128))
        self.deep, self.fine = nn.Conv2d(512, _WIDTH, 1), nn.Conv2d(256, _WIDTH, 1)
        self.read = nn.Sequential(*_layer(_WIDTH), *_layer(_WIDTH))
        self.things = nn.Conv2d(_WIDTH, classes, 1)
        self.sides = nn.Conv2d(_WIDTH, 4, 1)
        self.colours = nn.Conv2d(_WIDTH, colours, 1)
        self.styles = nn.Conv2d(_WIDTH, styles, 1)
        assert self.things.bias is not None
        nn.init.constant_(self.things.bias, -5.0)  # most cells see nothing

    def forward(self, x: Tensor) -> Grid:
        fine = self.body.layer2(self.body.layer1(self.body.stem(x)))
        deep = self.deep(self.whole(self.body.layer3(fine)))
        joined = F.relu(F.interpolate(deep, scale_factor=2.0) + self.fine(fine))
        seen = self.read(joined)
        reach = F.softplus(self.sides(seen)) * CELL
        middle = centres(x.device)
        boxes = torch.cat([middle - reach[:, :2], middle + reach[:, 2:]], 1)
        return Grid(self.things(seen), boxes, self.colours(seen), self.styles(seen))


def _layer(width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)


def centres(device: torch.device) -> Tensor:
    """The centres of the cells in pixels, shape (2, H, W): x, then y."""
    at = (torch.arange(SIDE // CELL, device=device) + 0.5) * CELL
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))
