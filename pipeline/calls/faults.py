"""Fault injection for tests: a spec's plan of faults makes its model fail in known ways.

    image:
      kind: diffusers
      model: …
      faults: {plan: [ok, out_of_memory, nan]}   # for the first three calls; later calls are normal

| fault         | text                | image              | scorer, vlm           | detector, ocr          |
| ------------- | ------------------- | ------------------ | --------------------- | ---------------------- |
| error         | RuntimeError                                                                       ||||
| out_of_memory | torch.OutOfMemoryError, as a GPU raises it                                         ||||
| hang          | never returns                                                                      ||||
| not_loaded    | ModelError when the model is loaded; the rest of the plan is unused                ||||
| nan           | "!!!!", as from NaN logits | black, as diffusers makes of NaN | NaN | scores are NaN    |
| blank         | ""                  | white              | no probabilities      | no answer              |
| malformed     | JSON cut short      | one picture too few | probabilities above 1 | scores above 1        |
"""

from __future__ import annotations

import threading

from models.protocols import ModelError
from models.specs import Fault, FaultPlan


class Faults:
    """The faults of a plan, one for each call."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan, self._calls = plan, 0

    def check_load(self) -> None:
        """Raise ModelError where the plan says that the model cannot be loaded."""
        if "not_loaded" in self._plan.plan:
            raise ModelError("the model cannot be loaded (injected)")

    def next(self) -> Fault:
        """The fault of this call. Raises for `error` and `out_of_memory`, and never returns for `hang`; other faults
        change the outputs (`Operation.spoiled`)."""
        plan, number = self._plan.plan, self._calls
        self._calls += 1
        fault: Fault = "ok"
        if number < len(plan):
            fault = plan[number]
        elif self._plan.forever and plan:
            fault = plan[-1]
        if fault == "error":
            raise RuntimeError("the model broke (injected)")
        if fault == "out_of_memory":
            import torch

            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")
        if fault == "hang":
            threading.Event().wait()
        return fault
