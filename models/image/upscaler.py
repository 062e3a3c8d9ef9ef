"""Enlarges pictures with a network (ESRGAN and its kin, by the library spandrel), tile by tile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import spandrel
import torch
from PIL import Image

from models.protocols import ModelError

TILE = 256  # pixels a side that the network sees at a time, without the margin
MARGIN = 32  # pixels around a tile that the network sees too, so that tiles show no seams


class UpscalingNetwork:
    """A network that enlarges pictures by `scale`. `name`: in the record of a picture."""

    def __init__(self, network: Any, name: str) -> None:
        self.network: torch.nn.Module = network.model
        self.scale, self.name = int(network.scale), name
        self._call = network

    def __call__(self, image: Image.Image) -> Image.Image:
        """The picture, `scale` times as wide and as high."""
        pixels = torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255)
        pixels = pixels.permute(2, 0, 1)[None]
        _, _, height, width = pixels.shape
        large = np.empty((height * self.scale, width * self.scale, 3), dtype=np.uint8)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                tile = self._enlarged(pixels, (top, left, bottom, right))
                at = [self.scale * edge for edge in (top, bottom, left, right)]
                large[at[0] : at[1], at[2] : at[3]] = tile
        return Image.fromarray(large)

    def _enlarged(self, pixels: torch.Tensor, box: tuple[int, int, int, int]) -> np.ndarray[Any, Any]:
        """A tile, (height, width, 3) in levels; `box`: top, left, bottom, right in the picture."""
        top, left, bottom, right = box
        above, before = min(MARGIN, top), min(MARGIN, left)
        seen = pixels[:, :, top - above : bottom + MARGIN, left - before : right + MARGIN]
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            out = self._call(seen.to(device)).clamp(0, 1)[0]
        y, x, scale = above * self.scale, before * self.scale, self.scale
        inner = out[:, y : y + (bottom - top) * scale, x : x + (right - left) * scale]
        levels: np.ndarray[Any, Any] = (inner * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        return levels


def load_upscaler(folder: Path, pattern: str, name: str, device: str) -> UpscalingNetwork:
    """The network of the one file in a folder that fits `pattern`. Raises ModelError where there is not one, or where
    it enlarges no colour pictures."""
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise ModelError(
            f"The upscaler {name} has {len(files)} files {pattern}; name one of them by `upscaler: file`."
        )
    try:
        network = spandrel.ModelLoader(device=device).load_from_file(files[0])
    except (spandrel.UnsupportedModelError, ValueError, KeyError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{files[0].name} is no upscaler that spandrel knows: {reason}") from error
    if (
        not isinstance(network, spandrel.ImageModelDescriptor)
        or network.scale < 2
        or network.input_channels != 3
    ):
        raise ModelError(f"{files[0].name} enlarges no colour pictures; name another `upscaler`.")
    network.model.float().eval().requires_grad_(False)
    return UpscalingNetwork(network, name)
