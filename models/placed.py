"""Where the weights of a network are: on a device in a number format, or parked in main memory while another model
needs the GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from models.device import held_bytes

_BITS = {"float32": 32, "float16": 16, "bfloat16": 15}  # bfloat16 has fewer bits of precision than float16


class Parking:
    """Parks networks in main memory, pinned where the GPU can copy from there by itself. They come back by `to`. The
    copies are kept, because weights do not change: parking the same network again copies nothing."""

    def __init__(self, networks: Iterable[torch.nn.Module]) -> None:
        self._networks = list(networks)
        self._copies: dict[int, torch.Tensor] = {}

    @property
    def bytes(self) -> int:
        """That parking takes of main memory: of the weights on a GPU."""
        return held_bytes(self._networks, on_gpu=True)

    def park(self) -> None:
        """Move the weights to main memory."""
        for tensor in self._plain():
            if tensor.device.type == "cpu":
                continue
            kept = self._copies.get(id(tensor))
            if kept is None or kept.dtype != tensor.dtype:
                kept = torch.empty_like(tensor.data, device="cpu", pin_memory=tensor.device.type == "cuda")
                self._copies[id(tensor)] = kept.copy_(tensor.data)
            tensor.data = kept
        for network in self._networks:
            network.to("cpu")  # quantised weights, which are no plain tensors

    def _plain(self) -> Iterator[torch.Tensor]:
        for network in self._networks:
            for tensor in (*network.parameters(), *network.buffers()):
                if type(tensor) in (torch.Tensor, torch.nn.Parameter):
                    yield tensor


class Placed:
    """The weights of one network, which several models may share. `dtype`: of the computation; `fixed`: it cannot
    change, because the weights are quantised."""

    def __init__(self, network: Any, device: str, dtype: torch.dtype, fixed: bool = False) -> None:
        self.network = network.to(device)
        self._dtype, self._fixed = dtype, fixed
        self._coarsest = _name(dtype)
        self._parking = Parking([network])

    @property
    def place_now(self) -> tuple[str, torch.dtype]:
        """The device, and the number format of the computation."""
        return str(next(self.network.parameters()).device.type), self._dtype

    @property
    def bytes(self) -> int:
        """Of the weights in memory."""
        return held_bytes([self.network])

    @property
    def number_format(self) -> str:
        """The name of the number format; of both, where the weights were rounded before."""
        return number_format(_name(self._dtype), self._coarsest)

    def place(self, device: str, dtype: torch.dtype) -> None:
        """Move the weights, where they are elsewhere."""
        dtype = self._dtype if self._fixed else dtype
        if self.place_now == (device, dtype):
            return
        self.network.to(device) if self._fixed else self.network.to(device, dtype)
        self._dtype = dtype
        self._coarsest = coarser(_name(dtype), self._coarsest)

    @property
    def to_park(self) -> int:
        """Bytes of main memory that `park` takes."""
        return self._parking.bytes

    def park(self) -> None:
        """Move the weights to main memory until `place` is called."""
        self._parking.park()


_shared: WeakValueDictionary[tuple[Any, ...], Placed] = WeakValueDictionary()


def shared(
    folder: Path, device: str, dtype: torch.dtype, quantize: str | None, load: Callable[[], Any]
) -> Placed:
    """The network of a checkpoint. As long as a model holds it, others that ask for it in the same format get the
    same one."""
    key = (folder.resolve(), device, dtype, quantize)
    found = _shared.get(key)
    if found is None:
        _shared[key] = found = Placed(load(), device, dtype, fixed=quantize is not None)
    return found


def coarser(one: str, other: str) -> str:
    """The number format with fewer bits of precision."""
    return one if _BITS[one] <= _BITS[other] else other


def number_format(name: str, coarsest: str) -> str:
    """The name of a number format of weights that were in the `coarsest` one before."""
    return name if coarser(name, coarsest) == name else f"{name} of {coarsest}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
