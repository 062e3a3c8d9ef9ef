"""Fault injection: wraps any model of a preset, so that what happens when it fails can be seen before it does.

    scorer:
      kind: faulty
      of: {kind: open_clip, model: …}
      plan: [ok, out_of_memory, nan]   # the first three calls; all further ones are answered by the model

| fault         | text                | image              | scorer                       |
| ------------- | ------------------- | ------------------ | ---------------------------- |
| error         | RuntimeError                                                       |||
| out_of_memory | torch.OutOfMemoryError, as a GPU raises it                         |||
| hang          | does not come back                                                 |||
| not_loaded    | ModelError when the model is built; whatever the plan says else    |||
| nan           | "!!!!", as from NaN logits | black, as diffusers makes of NaN | NaN     |
| blank         | ""                  | white              | no probabilities             |
| malformed     | JSON cut short      | one picture too few | probabilities above 1       |
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from models.protocols import (
    ImageModel,
    Message,
    ModelError,
    OnStep,
    Paint,
    Painted,
    Question,
    Schemas,
    Scorer,
    Text,
    TextModel,
)
from models.specs import Fault, Faulty, FaultyImage, FaultyText


def load(spec: Faulty, base: Path, offline: bool) -> TextModel | ImageModel | Scorer:
    """The wrapped model, with its faults before it."""
    from models.load import load_image, load_scorer, load_text

    if "not_loaded" in spec.plan:
        raise ModelError("the model cannot be loaded (injected)")
    plan = Plan(spec.plan, spec.forever)
    if isinstance(spec, FaultyText):
        return FaultyTextModel(load_text(spec.of, base, offline), plan)
    if isinstance(spec, FaultyImage):
        return FaultyImageModel(load_image(spec.of, base, offline), plan)
    return FaultyScorerModel(load_scorer(spec.of, base, offline), plan)


class Plan:
    """Hands out one fault a call. Those that look the same in every stage happen here."""

    def __init__(self, faults: Sequence[Fault], forever: bool) -> None:
        self._faults, self._forever, self._calls = faults, forever, 0

    def next(self) -> Fault:
        number, self._calls = self._calls, self._calls + 1
        if number >= len(self._faults):
            fault: Fault = self._faults[-1] if self._forever and self._faults else "ok"
        else:
            fault = self._faults[number]
        if fault == "error":
            raise RuntimeError("the model broke (injected)")
        if fault == "out_of_memory":
            import torch

            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")
        if fault == "hang":
            threading.Event().wait()
        return fault


class FaultyTextModel:
    def __init__(self, model: TextModel, plan: Plan) -> None:
        self._model, self._plan, self.identity = model, plan, model.identity

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, schema: Schemas = None, **options: Any
    ) -> list[Text]:
        fault = self._plan.next()
        said = {"nan": "!!!!!!!!", "blank": "", "malformed": '{"wants":["a ca'}.get(fault)
        if said is None:
            return self._model.generate(conversations, schema=schema, **options)
        return [Text(said, 8, 8, "length") for _ in conversations]


class FaultyImageModel:
    def __init__(self, model: ImageModel, plan: Plan) -> None:
        self._model, self._plan, self.identity = model, plan, model.identity

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        fault = self._plan.next()
        painted = self._model.paint(requests, on_step)
        if fault == "malformed":
            return painted[:-1]
        colour = {"nan": "black", "blank": "white"}.get(fault)
        return (
            [replace(p, image=Image.new("RGB", p.image.size, colour)) for p in painted] if colour else painted
        )


class FaultyScorerModel:
    def __init__(self, model: Scorer, plan: Plan) -> None:
        self._model, self._plan, self.identity = model, plan, model.identity

    def score(
        self, images: Sequence[Image.Image], questions: Sequence[Sequence[Question]]
    ) -> list[list[float]]:
        fault = self._plan.next()
        scores = self._model.score(images, questions)
        if fault == "blank":
            return [[] for _ in scores]
        wrong = {"nan": math.nan, "malformed": 7.3}.get(fault)
        return scores if wrong is None else [[wrong] * len(mine) for mine in scores]
