"""Which models are in memory, and when: all of a preset together, or one at a time where memory is short."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL.Image import Image

from models.protocols import (
    Identity,
    ImageModel,
    Message,
    OnStep,
    Paint,
    Painted,
    Question,
    Schemas,
    Scorer,
    Text,
    TextModel,
)
from models.specs import POLICY, Spec

Mode = Literal["together", "by_phase"]


class Lodger:
    """A model that is loaded when it is needed, and again after it made room. Its identity stays known."""

    def __init__(self, house: House, load: Callable[[], Any]) -> None:
        self._house, self._load = house, load
        self._model: Any = None
        model = self.model()
        self.identity: Identity = model.identity
        self.most_together: int | None = getattr(model, "most_together", None)

    def model(self) -> Any:
        """The model, ready for use."""
        if self._model is None:
            self._house.make_room(self)
            self._model = self._load()
        return self._model

    @property
    def loaded(self) -> bool:
        return self._model is not None

    @property
    def bytes(self) -> int | None:
        """Of its weights in memory here; None where the model does not say."""
        return getattr(self._model, "bytes", None)

    def unload(self) -> None:
        self._model = None


class House:
    """Keeps models for as long as they are wanted; presets that name the same model share it."""

    def __init__(self) -> None:
        self._mode: Mode = "together"
        self._lodgers: dict[str, Lodger] = {}
        self._former: dict[str, Lodger] = {}

    def lodger(self, spec: Spec, base: Path, load: Callable[[Any, Path], Any]) -> Lodger:
        """The lodger for a spec, loaded at once, so that what is missing is known before anything starts."""
        key = _key(spec, base)
        if key not in self._lodgers:
            former = self._former.pop(key, None)
            self._lodgers[key] = former or Lodger(self, lambda: load(spec, base))
        return self._lodgers[key]

    def clear(self, mode: Mode) -> None:
        """A preset moves in: whom it does not ask for before `settle` has to go."""
        self._mode, self._former, self._lodgers = mode, {**self._former, **self._lodgers}, {}

    def settle(self) -> None:
        _free(list(self._former.values()))
        self._former = {}

    def make_room(self, newcomer: Lodger) -> None:
        """Where models take turns, the others leave before the next one comes."""
        if self._mode == "by_phase":
            _free(
                [
                    lodger
                    for lodger in (*self._lodgers.values(), *self._former.values())
                    if lodger is not newcomer
                ]
            )

    def fill(self) -> None:
        """Bring back the models that were unloaded; where they take turns, the last one stays."""
        for lodger in self._lodgers.values():
            lodger.model()

    def unload(self) -> int:
        """Free the memory of all models; returns how many were loaded. They come back when they are asked."""
        return _free(list(self._lodgers.values()))

    @property
    def loaded(self) -> list[Lodger]:
        """Who is in memory now."""
        return [lodger for lodger in self._lodgers.values() if lodger.loaded]


def _key(spec: Spec, base: Path) -> str:
    return f"{type(spec).__name__}|{spec.model_dump_json(exclude=set(POLICY))}|{base}"


def _free(lodgers: Sequence[Lodger]) -> int:
    leaving = [lodger for lodger in lodgers if lodger.loaded]
    for lodger in leaving:
        lodger.unload()
    if leaving:
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
    return len(leaving)


class LodgingText:
    def __init__(self, lodger: Lodger) -> None:
        self._lodger, self.identity = lodger, lodger.identity

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        model: TextModel = self._lodger.model()
        return model.generate(
            conversations, schema=schema, max_tokens=max_tokens, temperature=temperature, seed=seed
        )


class LodgingImage:
    def __init__(self, lodger: Lodger) -> None:
        self._lodger, self.identity = lodger, lodger.identity
        self.most_together = lodger.most_together

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        model: ImageModel = self._lodger.model()
        return model.paint(requests, on_step)


class LodgingScorer:
    def __init__(self, lodger: Lodger) -> None:
        self._lodger, self.identity = lodger, lodger.identity

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        model: Scorer = self._lodger.model()
        return model.score(images, questions)
