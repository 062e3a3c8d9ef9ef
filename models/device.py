"""The device and dtype that `auto` stands for on this machine, and the memory that a model takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.protocols import ModelError

if TYPE_CHECKING:
    import torch


def pick_device(wanted: str) -> str:
    """`cpu`, `cuda` or `mps` for a spec's `device`; `auto` takes the fastest that this machine has.

    Raises ModelError if the wanted one is missing.
    """
    import torch

    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if have["cuda"] else "mps" if have["mps"] else "cpu"
    if wanted not in have:
        raise ModelError(f"Unknown device {wanted!r}; known are auto, {', '.join(have)}.")
    if not have[wanted]:
        raise ModelError(
            f"This machine has no {wanted} device that torch can use; set `device: auto` in the preset."
        )
    return wanted


def numbered(device: str) -> str:
    """The device with the number of the GPU in use: `cuda:0`."""
    import torch

    return f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device


def pick_dtype(wanted: str, device: str, float16: bool = True) -> torch.dtype:
    """The torch dtype for a spec's `dtype`; `auto` takes the smallest that the device computes with in hardware.

    `float16`: whether the model works in it. Models trained in bfloat16 overflow there, and give NaN."""
    import torch

    if wanted != "auto":
        known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        if wanted not in known:
            raise ModelError(f"Unknown dtype {wanted!r}; known are auto, {', '.join(known)}.")
        return known[wanted]
    kind = device.partition(":")[0]
    if kind == "cuda":
        # Before Ampere bfloat16 is emulated, and slower than float16.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16 if float16 else torch.float32
    if kind == "mps":  # float16 gives black images and NaN there; bfloat16 came with macOS 14
        return torch.bfloat16 if torch.backends.mps.is_macos_or_newer(14, 0) else torch.float32
    return torch.bfloat16 if cpu_has_bfloat16() else torch.float32


@cache
def cpu_has_bfloat16() -> bool:
    """True if the CPU multiplies bfloat16 in hardware: /proc/cpuinfo lists amx_bf16 or avx512_bf16."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False  # not Linux: float32 works everywhere, though it may be slower
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    return "amx_bf16" in flags or "avx512_bf16" in flags


def empty_caches() -> None:
    """Return the memory that torch keeps for later to the GPU, of every kind that this machine has."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def held_bytes(parts: Iterable[Any], on_gpu: bool = False) -> int:
    """Bytes of the parameters and buffers, packed weights included, of the modules among `parts`; with `on_gpu` only of
    those on a GPU. A tensor that two modules share counts once, and a quantised one as its parts; one on the `meta`
    device, which has no data here, does not count. Temporary memory during a call is not included."""
    import torch

    found, left_out = {}, {"meta", "cpu"} if on_gpu else {"meta"}
    for part in parts:
        for module in part.modules() if isinstance(part, torch.nn.Module) else ():
            beside = (value for value in vars(module).values() if isinstance(value, torch.Tensor))  # packed
            for whole in (*module.parameters(recurse=False), *module.buffers(recurse=False), *beside):
                for tensor in _stored(whole):
                    if tensor.device.type not in left_out:
                        found[tensor.device, tensor.data_ptr()] = tensor.numel() * tensor.element_size()
    return sum(found.values())


def _stored(tensor: Any) -> Iterator[torch.Tensor]:
    """The plain tensors that hold the numbers of a tensor: itself, or the parts of a quantised one."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        yield from _stored(getattr(tensor, name))
