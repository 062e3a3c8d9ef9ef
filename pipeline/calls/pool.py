"""The models in memory: all models of a preset together, or one at a time (`residency: by_phase`).

Models of the preset before stay until those of the next are in, so that one that cannot be loaded leaves what works in
memory. Only where memory does not hold both are they unloaded first.

A model that makes room for another on a GPU is parked in main memory, where that has room, and comes back without being
read from disk.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.device import empty_caches
from models.load import footprint_of, stage_of
from models.machine import holds
from models.memory import Footprint
from models.protocols import Edits, Identity, ModelError
from models.specs import POLICY, Spec, weights_settings

Residency = Literal["together", "by_phase"]


@dataclass(eq=False)
class _Weights:
    """A model in memory, or unloaded. Specs that differ only in where and how it works take turns with it: `spec` is
    the key of the one that it is placed for. `users`: calls of it that have not ended; `parked`: in main memory."""

    model: Any = None
    spec: str = ""
    users: int = 0
    parked: bool = False


class PooledModel:
    """A model that can be unloaded and is loaded again at its next use. It is loaded when it is created. `checkpoint`:
    the same in models of two kinds that share weights, None for others; `footprint`: of its weights, None if
    unknown."""

    def __init__(
        self,
        pool: ModelPool,
        key: str,
        spec: Spec,
        load: Callable[[], Any],
        weights: _Weights,
        checkpoint: str | None,
        footprint: Callable[[], Footprint | None],
    ) -> None:
        self._pool, self._key, self._spec, self._load, self._weights = pool, key, spec, load, weights
        self._checkpoint, self.footprint = checkpoint, footprint
        model = self.get()
        self.identity: Identity = model.identity
        # The batch size of the model, if it differs from its spec's max_batch.
        self.most_together: int | None = getattr(model, "most_together", None)
        # How many tokens an image model reads of a prompt; None without a limit.
        self.prompt_tokens: int | None = getattr(model, "prompt_tokens", None)
        # How an image model edits pictures; None where it cannot.
        self.edits: Edits | None = getattr(model, "edits", None)
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
                if not is_out_of_memory(error) or not (self._pool.unload_former() or self.make_room()):
                    raise
                self._prepare(weights)
            yield weights.model
        finally:
            weights.users -= 1

    def _prepare(self, weights: _Weights) -> None:
        if self.loaded:
            if self._checkpoint:  # the other model may have moved the weights
                weights.model.place(self._spec)
            return
        model = weights.model
        weights.model = None  # one that fails on the way is loaded again at its next use
        if model is None:
            self._pool.before_load(self)
            model = self._load()
        else:
            if weights.parked:
                self._pool.take_turn(self)
            model.place(self._spec)
        weights.model, weights.spec, weights.parked, self.identity = model, self._key, False, model.identity

    def make_room(self) -> int:
        """Move the other models away from this model's device; returns how many there were."""
        return self._pool.clear_beside(self)

    def shares(self, other: PooledModel) -> bool:
        """Whether both have the same weights in memory."""
        same = self._checkpoint is not None and self._checkpoint == other._checkpoint
        return same or self._weights is other._weights

    @property
    def loaded(self) -> bool:
        return self.held and not self._weights.parked

    @property
    def parked(self) -> bool:
        return self.held and self._weights.parked

    @property
    def held(self) -> bool:
        """Whether it is loaded or parked."""
        return self._weights.model is not None and self._weights.spec == self._key

    @property
    def bytes(self) -> int | None:
        """Memory of its weights in this process, in bytes; None if it is unloaded or runs in another process."""
        return getattr(self._weights.model, "bytes", None) if self.loaded else None

    def unload(self) -> None:
        self._weights.model, self._weights.parked = None, False

    def make_way(self) -> None:
        """Leave the device: parked where main memory has room, else unloaded. A CPU has nowhere to park."""
        weights = self._weights
        to_park = getattr(weights.model, "to_park", None)
        on_gpu = _kind_of_device(self) in ("cuda", "xpu")
        if on_gpu and to_park is not None and not weights.users and holds(Footprint(0, to_park, "", 0)):
            weights.model.park()
            weights.parked = True
        else:
            self.unload()


class ModelPool:
    """Holds loaded models; presets that name the same model share it."""

    def __init__(self) -> None:
        self._residency: Residency = "together"
        self._models: dict[str, PooledModel] = {}
        self._former: dict[str, PooledModel] = {}  # of the preset before, while the next one is loaded
        self._weights: dict[str, _Weights] = {}
        self.crowded: tuple[str, ...] = ()  # models that were unloaded before their successors were in

    @contextmanager
    def next_preset(self, residency: Residency) -> Iterator[None]:
        """Within the block, request the models of the next preset. At its end the models of the one before that were
        not requested are unloaded; where the block fails, they stay, and the new ones are unloaded."""
        before = self._residency, self._models
        self._residency, self._former, self._models, self.crowded = residency, dict(self._models), {}, ()
        try:
            yield
        except BaseException:
            kept = self._former.values()
            new = [model for model in self._models.values() if not any(map(model.shares, kept))]
            (self._residency, self._models), self._former = before, {}
            _unload(new)
            raise
        own = list(self._models.values())
        former = [model for model in self._former.values() if model not in own]
        self._former = {}
        _unload(former)
        if residency == "by_phase":
            _make_way(model for model in own if not model.shares(own[-1]))

    def request(self, spec: Spec, base: Path, load: Callable[[Any, Path], Any]) -> PooledModel:
        """The model of a spec. It is loaded now, so that missing weights are reported before any work begins.

        Raises ModelError where it cannot be loaded."""
        kind = type(spec).__name__
        key = f"{kind}|{spec.model_dump_json(exclude=set(POLICY))}|{base}"
        if key not in self._models:
            shared = f"{kind}|{weights_settings(spec)}|{base}"
            weights = self._weights.setdefault(shared, _Weights())
            checkpoint = f"{spec.checkpoint}|{base}" if spec.checkpoint else None
            self._models[key] = self._former.get(key) or PooledModel(
                self, key, spec, lambda: load(spec, base), weights, checkpoint, lambda: _footprint(spec, base)
            )
        return self._models[key]

    def before_load(self, newcomer: PooledModel) -> None:
        """Before `newcomer` is loaded: under `by_phase` move the other models of its preset away; and where memory does
        not hold it beside those of the preset before and those that are parked, unload them."""
        self.take_turn(newcomer)
        parked = [model for model in self._models.values() if model.parked and not model.shares(newcomer)]
        if parked or any(model.held for model in self._former.values()):
            needed = newcomer.footprint()
            if needed is not None and not holds(needed):
                _unload(parked)
                self.unload_former()

    def take_turn(self, model: PooledModel) -> None:
        """Before `model` works: under `by_phase` move the other models of its preset away."""
        if self._residency == "by_phase":
            former = self._former.values()
            _make_way(m for m in self._models.values() if not m.shares(model) and m not in former)

    def unload_former(self) -> int:
        """Unload the models of the preset before, while those of the next are loaded; returns how many were loaded.
        Those that both use stay, unless they take turns."""
        only = [model for key, model in self._former.items() if model.held and key not in self._models]
        self.crowded += tuple(model.identity.name for model in only)
        return _unload(self._former.values() if self._residency == "by_phase" else only)

    def clear_beside(self, model: PooledModel) -> int:
        """Move the other models away from the device of `model`, which has no memory left; returns how many there
        were."""
        device = _kind_of_device(model)
        others = [other for other in self._models.values() if not other.shares(model)]
        return _make_way(other for other in others if device in (_kind_of_device(other), None))

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


def _footprint(spec: Spec, base: Path) -> Footprint | None:
    try:
        return footprint_of(stage_of(spec), spec, base)
    except ModelError:
        return None  # not downloaded yet


def _unload(models: Iterable[PooledModel]) -> int:
    held = [model for model in models if model.held]
    for model in held:
        model.unload()
    if held:
        free_memory()
    return len(held)


def _make_way(models: Iterable[PooledModel]) -> int:
    loaded = [model for model in models if model.loaded]
    for model in loaded:
        model.make_way()
    if loaded:
        free_memory()
    return len(loaded)


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def free_memory() -> None:
    """Return unused memory to the system, GPU memory included."""
    gc.collect()
    if "torch" in sys.modules:
        empty_caches()


def _kind_of_device(model: PooledModel) -> str | None:
    """cpu, cuda, mps, or a server's scheme; None for a model that has not been loaded yet."""
    identity: Identity | None = getattr(model, "identity", None)
    return identity.device.partition(":")[0] if identity else None
