"""The models in memory: all models of a preset together, or one at a time (`residency: by_phase`)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.device import empty_caches
from models.protocols import Identity
from models.specs import POLICY, Spec, weights_settings

Residency = Literal["together", "by_phase"]


@dataclass(eq=False)
class _Weights:
    """A model in memory, or unloaded. Specs that differ only in where and how it works take turns with it: `spec` is
    the key of the one that it is placed for. `users`: calls of it that have not ended."""

    model: Any = None
    spec: str = ""
    users: int = 0


class PooledModel:
    """A model that can be unloaded and is loaded again at its next use. It is loaded when it is created."""

    def __init__(
        self, pool: ModelPool, key: str, spec: Spec, load: Callable[[], Any], weights: _Weights
    ) -> None:
        self._pool, self._key, self._spec, self._load, self._weights = pool, key, spec, load, weights
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
        with self.use() as model:
            return model

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The model for a call, loaded and placed. Raises ModelError where it cannot be."""
        if self._weights.users and self._weights.spec != self._key:
            # A call that was given up still uses the other, so it must not be moved.
            self._weights = _Weights()
        weights = self._weights
        weights.users += 1
        try:
            try:
                self._prepare(weights)
            except Exception as error:
                if not is_out_of_memory(error) or not self.make_room():
                    raise
                self._prepare(weights)
            yield weights.model
        finally:
            weights.users -= 1

    def _prepare(self, weights: _Weights) -> None:
        if self.loaded:
            return
        model = weights.model
        weights.model = None  # one that fails on the way is loaded again at its next use
        if model is None:
            self._pool.before_load(self)
            model = self._load()
        else:
            model.place(self._spec)
        weights.model, weights.spec, self.identity = model, self._key, model.identity

    def make_room(self) -> int:
        """Unload the other models on this model's device; returns how many there were."""
        return self._pool.unload_beside(self)

    def shares(self, other: PooledModel) -> bool:
        """Whether both are the same model in memory."""
        return self._weights is other._weights

    @property
    def loaded(self) -> bool:
        return self._weights.model is not None and self._weights.spec == self._key

    @property
    def bytes(self) -> int | None:
        """Memory of its weights in this process, in bytes; None if it is unloaded or runs in another process."""
        return getattr(self._weights.model, "bytes", None) if self.loaded else None

    def unload(self) -> None:
        self._weights.model = None


class ModelPool:
    """Holds loaded models; presets that name the same model share it."""

    def __init__(self) -> None:
        self._residency: Residency = "together"
        self._models: dict[str, PooledModel] = {}
        self._former: dict[str, PooledModel] = {}
        self._weights: dict[str, _Weights] = {}

    def start(self, residency: Residency) -> None:
        """Start a new preset. Models not requested again before `settle()` are unloaded."""
        self._residency, self._former, self._models = residency, {**self._former, **self._models}, {}

    def request(self, spec: Spec, base: Path, load: Callable[[Any, Path], Any]) -> PooledModel:
        """The model of a spec. It is loaded now, so that missing weights are reported before any work begins.

        Raises ModelError where it cannot be loaded."""
        kind = type(spec).__name__
        key = f"{kind}|{spec.model_dump_json(exclude=set(POLICY))}|{base}"
        if key not in self._models:
            shared = f"{kind}|{weights_settings(spec)}|{base}"
            weights = self._weights.setdefault(shared, _Weights())
            former = self._former.pop(key, None)
            self._models[key] = former or PooledModel(self, key, spec, lambda: load(spec, base), weights)
        return self._models[key]

    def settle(self) -> None:
        """Unload the models of earlier presets that the present one does not use."""
        _unload(self._former.values())
        self._former = {}

    def before_load(self, newcomer: PooledModel) -> None:
        """Under `by_phase`, unload all other models before `newcomer` is loaded."""
        if self._residency == "by_phase":
            _unload(self._others(newcomer))

    def unload_beside(self, model: PooledModel) -> int:
        """Unload the other models on the device of `model`, which has no memory left; returns how many there were."""
        device = _kind_of_device(model)
        return _unload(other for other in self._others(model) if device in (_kind_of_device(other), None))

    def _others(self, model: PooledModel) -> list[PooledModel]:
        known = (*self._models.values(), *self._former.values())
        return [other for other in known if not other.shares(model)]

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
    if "torch" in sys.modules:
        empty_caches()


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _kind_of_device(model: PooledModel) -> str | None:
    """cpu, cuda, mps, or a server's scheme; None for a model that has not been loaded yet."""
    identity: Identity | None = getattr(model, "identity", None)
    return identity.device.partition(":")[0] if identity else None
