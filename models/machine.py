"""The memory of this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """`main`: bytes of main memory; `gpu`: of the largest GPU, 0 without one. `shared`: both are one memory, as on
    Apple's machines."""

    main: int
    gpu: int = 0
    name: str = ""  # of the GPU
    shared: bool = False


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
