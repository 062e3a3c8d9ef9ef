"""How much memory a model's weights take, computed from its files and the number format it is loaded in; nothing is
loaded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.hub.cache import Found
from models.protocols import ModelError
from models.quantize import Quantize, quantised_bytes

# Bytes of a number, by the names of safetensors.
_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "U64": 8, "I32": 4, "U32": 4,
    "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
_FLOATS = {"F64", "F32", "F16", "BF16"}
_DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Footprint:
    """Bytes of weights: `gpu` at a time on the GPU, `main` in main memory. `dtype`: the number format;
    `stored`: bytes of the files, which is less where they are in a smaller format."""

    gpu: int
    main: int
    dtype: str
    stored: int

    @property
    def widened(self) -> bool:
        """Whether loading makes the weights clearly larger than their files, as float32 does to half precision."""
        return self.gpu + self.main > 1.5 * self.stored


def footprint(
    found: Sequence[Found],
    device: str,
    dtype: str,
    offload: str = "none",
    quantize: Quantize | None = None,
) -> Footprint:
    """The footprint of a model from its files. `offload`: of a pipeline, whose folders are its parts ("model": one at
    a time on the GPU; "sequential": one layer at a time). `quantize`: of the linear layers of all parts but the
    autoencoder.

    Raises ModelError for a file that is no safetensors file."""
    parts: dict[str, int] = {}
    stored = 0
    for one in found:
        for name in one.files:
            path = (one.folder or Path()) / name
            if name.endswith((".safetensors", ".onnx", ".gguf", ".bin")):
                folder = name.rpartition("/")[0]
                part = f"{one.need.what}/{folder}"
                fewer = None if folder == "vae" else quantize
                parts[part] = parts.get(part, 0) + _loaded(path, dtype, fewer)
                stored += path.stat().st_size
    whole = sum(parts.values())
    if device == "cpu":
        return Footprint(0, whole, dtype, stored)
    if offload == "none":
        return Footprint(whole, 0, dtype, stored)
    largest = max(parts.values(), default=0)
    return Footprint(largest if offload == "model" else 0, whole, dtype, stored)


def _loaded(path: Path, dtype: str, quantize: Quantize | None) -> int:
    """Bytes of a file's weights in a number format. Packed formats stay as they are."""
    if path.suffix != ".safetensors" or dtype not in _DTYPES:
        return path.stat().st_size
    width, total = _DTYPES[dtype], 0
    for name, (kind, shape) in tensors(path).items():
        fewer = quantised_bytes(quantize, name, shape, width) if quantize and kind in _FLOATS else None
        whole = math.prod(shape) * (width if kind in _FLOATS else _SIZES.get(kind, 4))
        total += whole if fewer is None else fewer
    return total


def tensors(path: Path) -> dict[str, tuple[str, list[int]]]:
    """The number format and shape of each tensor of a safetensors file by its name, from the header. Raises ModelError
    for another file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(path.stat().st_size, 100_000_000):
                raise ValueError("its header is cut off")
            header = json.loads(file.read(length))
        found = {
            name: (str(one["dtype"]), list(one["shape"])) for name, one in header.items() if not _note(name)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is no complete safetensors file ({error}); remove it and download it again"
        ) from error
    return found


def _note(name: str) -> bool:
    return re.fullmatch("__.*__", name) is not None
