"""Linear layers in 4 and 8 bits for the CPU, where reading the weights limits the speed of decoding.

Both kernels work on bfloat16 rows and sum in float32; the result of a row does not depend on the rows beside it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

GROUP = 32  # weights along a row that share a scale, as in GGUF's Q4_1
BLOCK = 32  # the kernels take rows and columns in multiples of this


def runs_packed(device: str) -> bool:
    """True if torch has fast kernels for these layers; elsewhere it falls back to loops many times slower."""
    return device == "cpu" and torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}


def pack_int4(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Codes of a weight (out, in) whose groups each have at most 16 evenly spaced levels, as in Q4_1.

    Returns nibbles uint8 (out, in / 2), low nibble first, and bfloat16 scale and zero (in / GROUP, out, 2),
    with weight = (code - 8) * scale + zero; None for any other weight, which packing would change.
    """
    rows, columns = weight.shape
    if columns % GROUP or rows % BLOCK:
        return None
    groups = weight.float().view(rows, columns // GROUP, GROUP)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = (high - low) / 15
    codes = ((groups - low) / scale.clamp(min=1e-12)).round()
    if float(((codes * scale + low) - groups).abs().max()) > 0.02 * float(scale.mean()):
        return None
    flat = codes.to(torch.uint8).view(rows, columns)
    nibbles = flat[:, ::2] | flat[:, 1::2] << 4
    pair = torch.stack((scale[..., 0], (low + 8 * scale)[..., 0]), -1)
    return nibbles, pair.transpose(0, 1).contiguous().to(torch.bfloat16)


def codes_of(nibbles: torch.Tensor) -> torch.Tensor:
    """The codes 0 to 15, uint8 (out, in)."""
    return torch.stack((nibbles & 15, nibbles >> 4), -1).view(nibbles.shape[0], -1)


def unpack_int4(nibbles: torch.Tensor, scale_zero: torch.Tensor) -> torch.Tensor:
    """The float32 weight (out, in) that was packed."""
    codes = codes_of(nibbles)
    pair = scale_zero.float().transpose(0, 1)
    groups = codes.float().view(codes.shape[0], -1, GROUP) - 8
    return (groups * pair[..., :1] + pair[..., 1:]).view(codes.shape)


def pack_int8(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes int8 (out, in) and a bfloat16 scale for each row."""
    scale = (weight.float().abs().amax(1) / 127).clamp(min=1e-12).to(torch.bfloat16)
    codes = (weight.float() / scale.float()[:, None]).round().clamp(-127, 127)
    return codes.to(torch.int8), scale


class Int4Linear(nn.Module):
    """A linear layer on packed weights, with an optional low-rank adapter beside it in 8 bits."""

    def __init__(
        self, nibbles: torch.Tensor, scale_zero: torch.Tensor, bias: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("nibbles", nibbles, persistent=False)
        self.register_buffer("scale_zero", scale_zero, persistent=False)
        self.bias = bias
        self.in_features, self.out_features = nibbles.shape[1] * 2, nibbles.shape[0]
        # The kernel's layout depends on the CPU, so it is made when the model is loaded and never saved.
        codes = codes_of(nibbles).to(torch.int32)
        self.packed: torch.Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
        self.down: Any = None
        self.up: Any = None

    def adapt(self, down: torch.Tensor, up: torch.Tensor) -> None:
        """Add up @ down: down (rank, in), up (out, rank) with its scale already in it."""
        self.down, self.up = Int8Linear(down), Int8Linear(up)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, self.in_features)
        out: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
            rows, self.packed, GROUP, self.scale_zero
        )
        if self.down is not None:
            out = out + self.up(self.down(rows))
        if self.bias is not None:
            out = out + self.bias
        return out.view(*x.shape[:-1], self.out_features)


class Int8Linear(nn.Module):
    """A linear layer with one scale for each output row."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        # The kernel takes whole blocks only; a narrower matrix, such as an adapter's, would crash the process.
        self._spare = -self.in_features % BLOCK
        self.codes, self.scale = pack_int8(pad(weight, (0, self._spare, 0, -self.out_features % BLOCK)))
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = pad(x.reshape(-1, self.in_features), (0, self._spare)).contiguous()
        out: torch.Tensor = torch.ops.aten._weight_int8pack_mm(rows, self.codes, self.scale)
        out = out[:, : self.out_features]
        if self.bias is not None:
            out = out + self.bias
        return out.reshape(*x.shape[:-1], self.out_features)
