"""A rung: one model of a stage, with its settings. It is loaded when it is first used, its calls are retried, and it is
not called for a while after too many failures in a row."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic

import pybreaker
import stamina
import stamina.instrumentation

from models.protocols import DependencyMissing, ModelError, WeightsMissing
from models.specs import Spec
from pipeline.calls.caller import Called, Caller, Listener, Tariff
from pipeline.calls.faults import Faults
from pipeline.calls.kept import Results
from pipeline.calls.operations import Item, Operation, Out
from pipeline.calls.pool import PooledModel, is_out_of_memory
from pipeline.calls.record import Call, Cost
from pipeline.errors import EaselError

stamina.instrumentation.set_on_retry_hooks([])  # retries are in the records of calls, not on the console


class Hung(Exception):
    """A call took longer than the spec's `patience_s`."""


class CircuitOpen(Exception):
    """The model is not called for now: too many calls in a row have failed."""


class Flawed(Exception):
    """A call gave no usable output for any of its items."""


@dataclass
class Batch(Generic[Item, Out]):
    """Items that one rung is asked for, and the results, by the positions of the items in the request to the stage."""

    items: dict[int, Item]  # as this rung's model gets them
    degraded: str | None = None  # why the rungs before it did not answer
    outs: dict[int, Out] = field(default_factory=dict)
    flaws: dict[int, str] = field(default_factory=dict)  # why an output cannot be used
    kept: set[int] = field(default_factory=set)  # answered from kept results
    costs: dict[int, Cost] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def take(self, positions: Sequence[int], called: Called[Out]) -> None:
        """Add the result of a call for the items at these positions. Raises what the model raised."""
        self.calls.append(called.call)
        if called.error is not None:
            raise called.error
        self.outs |= called.outs
        self.costs |= called.costs
        self.kept |= called.kept.keys()
        for at in positions:
            self.flaws.pop(at, None)
            if at not in called.outs:
                self.flaws[at] = "malformed output: an answer is missing"
        self.flaws |= called.flaws


class Rung(Generic[Item, Out]):
    """One model of a stage. `name`: its name in messages; `build`: loads it."""

    def __init__(
        self,
        name: str,
        spec: Spec,
        operation: Operation[Item, Out],
        build: Callable[[], PooledModel],
        tariff: Tariff,
        results: Results | None = None,
    ) -> None:
        self.name, self.spec, self._operation, self._build = name, spec, operation, build
        self._caller = Caller(operation, spec, tariff, results)
        self._model: PooledModel | None = None
        self._missing: ModelError | None = None  # missing weights or packages: loading is not tried again
        self._given_up: threading.Thread | None = None  # the thread of a hung call
        self.failure = ""  # why the last call failed
        self.breaker = pybreaker.CircuitBreaker(
            fail_max=spec.break_after, reset_timeout=spec.rest_s, throw_new_error_on_trip=False,
            exclude=[lambda error: isinstance(error, EaselError) or not isinstance(error, Exception)],
        )  # fmt: skip

    @property
    def model(self) -> PooledModel:
        """The model, loaded. Raises ModelError where it cannot be loaded."""
        if self._missing:
            raise self._missing
        if self._model is None:
            try:
                if self.spec.faults:
                    Faults(self.spec.faults).check_load()
                self._model = self._build()
            except (WeightsMissing, DependencyMissing) as error:
                self._missing = error
                raise
        return self._model

    def ask(self, batch: Batch[Item, Out], listener: Listener) -> None:
        """Ask the model for the items of a batch, and add the results to the batch.

        Raises what the model raised at the last retry, or Hung, Flawed, CircuitOpen or Stopped."""
        if self._given_up and self._given_up.is_alive():
            raise Hung("an earlier call still hangs")
        retries = stamina.retry_context(
            on=_may_pass, attempts=1 + self.spec.retries, timeout=None, wait_initial=0.05, wait_max=2.0
        )
        call = self._caller.call if self.spec.patience_s is None else self._call_within_patience
        try:
            with self.breaker.calling():
                for attempt in retries:
                    with attempt:
                        todo, mended = batch.items, False
                        while todo:
                            batch.take(list(todo), call(self.model, todo, listener, batch.degraded))
                            todo, mended = {} if mended else self._to_mend(batch), True
                        if batch.items and batch.flaws.keys() >= batch.items.keys():
                            raise Flawed(next(iter(batch.flaws.values())))
        except pybreaker.CircuitBreakerError:
            after = f" after: {self.failure}" if self.failure else ""
            raise CircuitOpen(f"circuit open{after}") from None
        except Exception as error:
            self.failure = reason_of(error)
            raise

    def _to_mend(self, batch: Batch[Item, Out]) -> dict[int, Item]:
        """Changed items that ask the same model once more, by position, where that can repair a flawed output."""
        again = {
            at: self._operation.again(item, batch.outs[at])
            for at, item in batch.items.items()
            if at in batch.flaws and at in batch.outs
        }
        return {at: item for at, item in again.items() if item is not None}

    def _call_within_patience(
        self, model: PooledModel, items: Mapping[int, Item], listener: Listener, degraded: str | None
    ) -> Called[Out]:
        """As Caller.call, in a thread of its own. After `patience_s` the result is Hung, and the thread runs on."""
        began, finished = datetime.now(UTC), list[Called[Out]]()

        def body() -> None:
            finished.append(self._caller.call(model, items, listener, degraded))

        # A daemon: a call that never returns must not keep the process from ending.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(body,), daemon=True)
        thread.start()
        thread.join(self.spec.patience_s)
        if finished:
            return finished[0]
        self._given_up = thread
        hung = Hung(f"no answer within {self.spec.patience_s:g} s")
        return self._caller.given_up(model, items, began, hung, degraded)


def _may_pass(error: BaseException) -> bool:
    """Whether a retry may succeed after this error."""
    final = (EaselError, Hung, Flawed, WeightsMissing, DependencyMissing)
    return isinstance(error, Exception) and not isinstance(error, final) and not is_out_of_memory(error)


def reason_of(error: BaseException) -> str:
    """Why a call failed, in one short line for users."""
    text = " ".join(str(error).split())
    if isinstance(error, Hung | Flawed | CircuitOpen):
        return text
    if is_out_of_memory(error):
        return "CUDA out of memory" if "cuda" in text.lower() else "out of memory"
    return text[:300] if isinstance(error, ModelError) else f"{type(error).__name__}: {text[:200]}"
