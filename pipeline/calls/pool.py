"""The models in memory: all models of a preset together, or one at a time (`residency: by_phase`)."""

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
    """A model that can be unloaded and is loaded again at its next use. It is loaded when it is created."""

    def __init__(self, pool: ModelPool, load: Callable[[], Any]) -> None:
        self._pool, self._load = pool, load
        self._model: Any = None
        model = self.get()
        self.identity: Identity = model.identity
        # The batch size of the model, if it differs from its spec's max_batch.
        self.most_together: int | None = getattr(model, "most_together", None)
        # How many tokens an image model reads of a prompt; None without a limit.
        self.prompt_tokens: int | None = getattr(model, "prompt_tokens", None)
        # The names that a detector knows; None where it has no vocabulary of its own.
        self.vocabulary: frozenset[str] | None = getattr(model, "vocabulary", None)

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
        """Memory of its weights in this process, in bytes; None if it is unloaded or runs in another process."""
        return getattr(self._model, "bytes", None)

    def unload(self) -> None:
        self._model = None


class ModelPool:
    """Holds loaded models; presets that name the same model share it."""

    def __init__(self) -> None:
        self._residency: Residency = "together"
        self._models: dict[str, PooledModel] = {}
        self._former: dict[str, PooledModel] = {}

    def start(self, residency: Residency) -> None:
        """Start a new preset. Models not requested again before `settle()` are unloaded."""
        self._residency, self._former, self._models = residency, {**self._former, **self._models}, {}

    def request(self, spec: Spec, base: Path, load: Callable[[Any, Path], Any]) -> PooledModel:
        """The model of a spec. It is loaded now, so that missing weights are reported before any work begins.

        Raises ModelError where it cannot be loaded."""
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
        """Under `by_phase`, unload all other models before `newcomer` is loaded."""
        if self._residency == "by_phase":
            others = (*self._models.values(), *self._former.values())
            _unload(model for model in others if model is not newcomer)

    def load_all(self) -> None:
        """Load the models that are not loaded. Under `by_phase` only the last one stays in memory."""
        for model in self._models.values():
            model.get()

    def unload(self) -> int:
        """Unload all models; returns how many were loaded. Each is loaded again at its next use."""
        return _unload(self._models.values())

    @property
    def loaded(self) -> list[PooledModel]:
        return [model for model in self._models.values() if model.loaded]


def _unload(models: Iterable[PooledModel]) -> int:
    loaded = [model for model in models if model.loaded]
    for model in loaded:
        model.unload()
    if loaded:
        free_memory()
    return len(loaded)


def free_memory() -> None:
    """Return unused memory to the system, GPU memory included."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
