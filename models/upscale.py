"""The bundled upscaler: a small convolutional network that adds crisp edges to a bicubic enlargement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.protocols import ModelError, WeightsMissing

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class Upscaler(nn.Module):
    """Enlarges by `scale`; all its work is done at the small size, and pixel shuffle opens the result.

    The last convolution starts at zero, so an untrained network is plain bicubic enlargement. The default
    has 272 thousand parameters.
    """

    def __init__(self, scale: int = 4, channels: int = 48, blocks: int = 6) -> None:
        super().__init__()
        self.config = {"scale": scale, "channels": channels, "blocks": blocks}
        self.scale = scale
        self.enter = _conv(3, channels)
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(blocks))
        self.leave = _conv(channels, 3 * scale * scale)
        nn.init.zeros_(self.leave.weight)
        if self.leave.bias is not None:
            nn.init.zeros_(self.leave.bias)
        self.to(memory_format=torch.channels_last)  # three times faster on a CPU

    def forward(self, small: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N, 3, scale·H, scale·W), not clamped, so that losses keep a gradient."""
        inner = self.enter(small * 2 - 1)
        for block in self.blocks:
            inner = block(inner)
        detail = F.pixel_shuffle(self.leave(F.silu(inner)), self.scale)
        return F.interpolate(small, scale_factor=self.scale, mode="bicubic", align_corners=False) + detail

    @torch.inference_mode()
    def upscale(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Enlarge RGB images of any size, one at a time: convolutions of a batch may round differently."""
        weight = self.enter.weight
        large = []
        for image in images:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).to(weight.device)
            small = pixels.permute(2, 0, 1)[None].to(weight.dtype) / 255
            out = (
                self(small.contiguous(memory_format=torch.channels_last))[0]
                .float()
                .clamp(0, 1)
                .mul(255)
                .round()
                .byte()
            )
            large.append(Image.fromarray(out.permute(1, 2, 0).cpu().numpy()))
        return large

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(self.config, indent=2) + "\n", encoding="utf-8")
        save_file({name: w.contiguous() for name, w in self.state_dict().items()}, folder / WEIGHTS)


def load(folder: Path, device: str = "cpu") -> Upscaler:
    """The upscaler saved in `folder`, in float32 and ready to use.

    Raises WeightsMissing where a file is not there, ModelError where config and weights do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsMissing(f"There is no {name} in {folder}; correct `upscaler` in the preset.")
    try:
        model = Upscaler(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        # Weights may be stored in half precision; float32 on the way in costs nothing at this size.
        model.load_state_dict({name: w.float() for name, w in load_file(folder / WEIGHTS).items()})
    except (SafetensorError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{folder} holds no upscaler of this kind ({reason}); save it again.") from error
    return model.eval().to(device)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.silu(self.first(F.silu(x))))
        return out


def _conv(inside: int, outside: int) -> nn.Conv2d:
    # Flat backgrounds run to the border: replicated padding keeps a rim from showing there.
    return nn.Conv2d(inside, outside, 3, padding=1, padding_mode="replicate")
