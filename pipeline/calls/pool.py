"""The models in memory: all of a preset together, or one at a time where memory is short."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from models.protocols import Identity
from models.specs import POLICY, Spec

Residency = Literal["together", "by_phase"]


class PooledModel:
    """A model that is loaded at once, may be unloaded, and is loaded again when it is next used."""

    def __init__(self, pool: ModelPool, load: Callable[[], Any]) -> None:
        self._pool, self._load = pool, load
        self._model: Any = None
        model = self.get()
        self.identity: Identity = model.identity
        # Images of one call that the model paints together, where that differs from its spec's max_batch.
        self.most_together: int | None = getattr(model, "most_together", None)

    def get(self) -> Any:
        """The model, loaded. Raises ModelError where it cannot be."""
        if self._model is None:
            self._pool.make_room(self)
            self._model = self._load()
        return self._model

    @property
    def loaded(self) -> bool:
        return self._model is not None

    @property
    def bytes(self) -> int | None:
        """Memory of its weights in this process; None where it is unloaded or runs elsewhere."""
        return getattr(self._model, "bytes", None)

    def unload(self) -> None:
        self._model = None


class ModelPool:
    """Keeps models between presets; presets that name the same model share it."""

    def __init__(self) -> None:
        self._residency: Residency = "together"
        self._models: dict[str, PooledModel] = {}
        self._former: dict[str, PooledModel] = {}

    def start(self, residency: Residency) -> None:
        """Start a new preset. Models not requested again before `settle()` are unloaded."""
        self._residency, self._former, self._models = residency, {**self._former, **self._models}, {}

    def request(self, spec: Spec, base: Path, load: Callable[[Any, Path], Any]) -> PooledModel:
        """The model of a spec, loaded now, so that missing weights are known before any work begins.

        Raises ModelError."""
        key = f"{type(spec).__name__}|{spec.model_dump_json(exclude=set(POLICY))}|{base}"
        if key not in self._models:
            former = self._former.pop(key, None)
            self._models[key] = former or PooledModel(self, lambda: load(spec, base))
        return self._models[key]

    def settle(self) -> None:
        """Unload the models of earlier presets that the present one does not use."""
        _unload(self._former.values())
        self._former = {}

    def make_room(self, newcomer: PooledModel) -> None:
        """Where models take turns, unload the others before the next one is loaded."""
        if self._residency == "by_phase":
            others = (*self._models.values(), *self._former.values())
            _unload(model for model in others if model is not newcomer)

    def load_all(self) -> None:
        """Load the models that were unloaded. Where they take turns, only the last one stays."""
        for model in self._models.values():
            model.get()

    def unload(self) -> int:
        """Unload all models; returns how many were loaded. Each is loaded again when it is next used."""
        return _unload(self._models.values())

    @property
    def loaded(self) -> list[PooledModel]:
        return [model for model in self._models.values() if model.loaded]


def _unload(models: Iterable[PooledModel]) -> int:
    leaving = [model for model in models if model.loaded]
    for model in leaving:
        model.unload()
    if leaving:
        free_memory()
    return len(leaving)


def free_memory() -> None:
    """Return unused memory, that of the GPU included."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
