"""Quantised weights: loaded in fewer bits than they are computed in, by the libraries' own configurations.

Only the matrices of linear layers are quantised. Embeddings, the output layer, norms, convolutions and autoencoders
keep the number format of the computation."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from models.protocols import ModelError

if TYPE_CHECKING:
    import torch

# int8: torchao, on every device. nf4: four bits by bitsandbytes, on NVIDIA GPUs.
Quantize = Literal["int8", "nf4"]
KINDS: tuple[Quantize, ...] = get_args(Quantize)
_PACKAGES = {"int8": "torchao", "nf4": "bitsandbytes"}
# Names of matrices that stay as they are: embeddings and output layers.
_WHOLE = re.compile(r"(embed_tokens|embedding|pos_embed|shared|wte|lm_head|relative_attention_bias)\.weight$")


def packages(kind: Quantize | None) -> tuple[str, ...]:
    """The modules that a kind needs."""
    return (_PACKAGES[kind],) if kind else ()


def settings(kind: Quantize, device: str, dtype: torch.dtype, library: ModuleType) -> Any:
    """The quantisation config of `library`, which is diffusers or transformers. `dtype`: of the computation.

    Raises ModuleNotFoundError without the package of the kind, ModelError where the device cannot compute with it."""
    if kind == "nf4" and device.partition(":")[0] != "cuda":
        raise ModelError(
            f"`quantize: nf4` needs an NVIDIA GPU, and this model is on {device}; set `quantize: int8`."
        )
    importlib.import_module(_PACKAGES[kind])
    if kind == "int8":
        from torchao.quantization import Int8WeightOnlyConfig

        return library.TorchAoConfig(Int8WeightOnlyConfig())
    return library.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def quantised_bytes(kind: Quantize, name: str, shape: Sequence[int], width: int) -> int | None:
    """Bytes of a stored tensor once it is quantised; None for one that stays as it is. `width`: bytes of a number of
    the computation."""
    if len(shape) != 2 or not name.endswith("weight") or _WHOLE.search(name):
        return None
    count = math.prod(shape)
    if kind == "int8":
        return count + shape[0] * width  # a scale for each row
    return count // 2 + count // 64  # a scale of one byte for 64 numbers
