"""The memory of this machine."""

from __future__ import annotations

from dataclasses import dataclass

from models.memory import Footprint

_RESERVE = 1e9  # bytes of main memory that loading takes beside the weights


@dataclass(frozen=True)
class Machine:
    """`main`: bytes of main memory; `gpu`: of the largest GPU, 0 without one. `shared`: both are one memory, as on
    Apple's machines."""

    main: int
    gpu: int = 0
    name: str = ""  # of the GPU
    shared: bool = False

    def __str__(self) -> str:
        main = f"{self.main / 1e9:.1f} GB of main memory"
        if self.shared:
            return f"{main}, which its GPU shares"
        gpu = f"{self.gpu / 1e9:.1f} GB of GPU memory" if self.gpu else "no GPU"
        return f"{gpu} and {main}"


def this_machine() -> Machine:
    """What this machine has. Imports torch, which takes some seconds."""
    import psutil
    import torch

    main = int(psutil.virtual_memory().total)
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        card = max(cards, key=lambda one: one.total_memory)
        return Machine(main, int(card.total_memory), str(card.name))
    if torch.backends.mps.is_available():
        return Machine(main, main, "Apple MPS", shared=True)
    return Machine(main)


def holds(weights: Footprint) -> bool:
    """Whether weights can be loaded into the memory that is free now."""
    import psutil
    import torch

    available = psutil.virtual_memory().available - _RESERVE
    if weights.gpu and torch.cuda.is_available():
        return bool(weights.gpu <= torch.cuda.mem_get_info()[0] and weights.main <= available)
    return bool(weights.gpu + weights.main <= available)
