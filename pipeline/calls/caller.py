"""One call of one model. Items with a kept result are answered from it, the others by the model in batches. The call is
timed, priced and recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Generic

from models.protocols import Identity, OnStep, Step
from models.specs import Spec, answer_settings
from pipeline.calls.energy import Meter
from pipeline.calls.faults import Faults
from pipeline.calls.kept import Results, result_key
from pipeline.calls.operations import Item, Operation, Out
from pipeline.calls.pool import PooledModel
from pipeline.calls.record import Call, Cost
from pipeline.stopping import Stop


@dataclass(frozen=True)
class Listener:
    """`on_step`: called after each denoising step; `stop`: may end a call between its batches."""

    on_step: OnStep | None = None
    stop: Stop | None = None

    def for_batch(self, positions: Sequence[int]) -> OnStep | None:
        """The step callback for a batch. `positions`: of its items in the request to the stage."""
        callback = self.on_step
        if callback is None:
            return None

        def on_step(step: Step) -> None:
            callback(replace(step, requests=tuple(positions[i] for i in step.requests)))

        return on_step


@dataclass(frozen=True)
class Tariff:
    """How calls are priced. `price`: of one hour of the machine, in its currency."""

    meter: Meter
    price: float = 0.0

    def cost(self, seconds: float, joules: float) -> Cost:
        return Cost(seconds=seconds, joules=max(0.0, joules), money=seconds / 3600 * self.price)


class Stopwatch:
    """Sums the seconds and joules of the `with` blocks that use it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.seconds = self.joules = 0.0

    def __enter__(self) -> None:
        self._joules, self._clock = self._meter.joules(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._clock
        self.joules += self._meter.joules() - self._joules


@dataclass
class Called(Generic[Out]):
    """The result of a call, by the positions of its items in the request to the stage.

    If the model raised, `error` is the exception, and the outputs of the batches before it are present."""

    outs: dict[int, Out] = field(default_factory=dict)
    flaws: dict[int, str] = field(default_factory=dict)  # why an output cannot be used
    kept: dict[int, Cost] = field(default_factory=dict)  # original cost of outputs taken from kept results
    costs: dict[int, Cost] = field(default_factory=dict)  # of all outputs
    error: BaseException | None = None
    call: Call = field(init=False)


class Caller(Generic[Item, Out]):
    """Calls the model of a spec. `results`: the store of kept results; None keeps none."""

    def __init__(
        self, operation: Operation[Item, Out], spec: Spec, tariff: Tariff, results: Results | None = None
    ) -> None:
        self._operation, self._tariff, self._results = operation, tariff, results
        self._spec, self._settings = spec, answer_settings(spec)
        self._faults = Faults(spec.faults) if spec.faults else None
        self._max_batch = int(getattr(spec, "max_batch", 0) or getattr(spec, "max_parallel", 1))

    def call(
        self, model: PooledModel, items: Mapping[int, Item], listener: Listener, degraded: str | None = None
    ) -> Called[Out]:
        """Answer the items, given by their positions in the request to the stage.

        Never raises: what the model raised is in the result. Changes nothing but the store of kept results, so a call
        that was given up as hung can end later without harm."""
        operation, began, watch = self._operation, datetime.now(UTC), Stopwatch(self._tariff.meter)
        called: Called[Out] = Called()
        try:
            keys = self._keys(model.identity, items)
            self._take_kept(called, keys)
            for batch in self._batches(model, items, keys, called.outs):
                if listener.stop:
                    listener.stop.before_batch(operation.stage)
                on_step = listener.for_batch(batch)
                before = watch.seconds, watch.joules
                with watch:
                    fault = self._faults.next() if self._faults else "ok"
                    with model.use() as backend:
                        outs = operation.call(backend, [items[at] for at in batch], on_step)
                outs = outs if fault == "ok" else operation.spoiled(fault, outs)
                size = len(batch)
                each = self._tariff.cost(
                    (watch.seconds - before[0]) / size, (watch.joules - before[1]) / size
                )
                self._take_new(called, items, keys, dict(zip(batch, outs, strict=False)), each)
        except BaseException as raised:
            called.error = raised
        spent = self._tariff.cost(watch.seconds, watch.joules)
        called.call = self._record(called, model.identity, items, began, spent, degraded)
        return called

    def given_up(
        self, model: PooledModel, items: Mapping[int, Item], began: datetime, error: Exception,
        degraded: str | None,
    ) -> Called[Out]:  # fmt: skip
        """The result of a call that is no longer waited for: no outputs, and the time since it began as its cost."""
        spent = self._tariff.cost((datetime.now(UTC) - began).total_seconds(), 0.0)
        called: Called[Out] = Called(error=error)
        called.call = self._record(called, model.identity, items, began, spent, degraded)
        return called

    def _keys(self, model: Identity, items: Mapping[int, Item]) -> dict[int, str]:
        """The key of each item's kept result; empty where no results are kept."""
        if self._results is None:
            return {}
        stage, settings = self._operation.stage, self._settings
        inputs = self._operation.keys(list(items.values()), self._spec)
        return {
            at: result_key(stage, model, settings, given) for at, given in zip(items, inputs, strict=True)
        }

    def _take_kept(self, called: Called[Out], keys: Mapping[int, str]) -> None:
        """Answer the items whose result is in the store."""
        results = self._results.get(list(dict.fromkeys(keys.values()))) if self._results else {}
        for at, key in keys.items():
            if (result := results.get(key)) is not None:
                called.outs[at] = self._operation.from_result(result)
                called.kept[at] = called.costs[at] = self._tariff.cost(result.seconds, result.joules)

    def _batches(
        self, model: PooledModel, items: Mapping[int, Item], keys: Mapping[int, str], have: Mapping[int, Out]
    ) -> Iterator[list[int]]:
        """The positions of the items that the model must answer, in batches of the size that it takes. Of equal items
        only the first is included."""
        positions = list(items)
        order = [positions[n] for n in self._operation.order(list(items.values()))]
        first = {keys.get(at, at): at for at in reversed(positions)}
        todo = [at for at in order if at not in have and first[keys.get(at, at)] == at]
        most = min(model.most_together or self._max_batch, self._max_batch)
        if self._operation.together(list(items.values())):
            most = max(1, len(todo))
        return (todo[at : at + most] for at in range(0, len(todo), most))

    def _take_new(
        self,
        called: Called[Out],
        items: Mapping[int, Item],
        keys: Mapping[int, str],
        outs: Mapping[int, Out],
        each: Cost,
    ) -> None:
        """Enter the outputs of a batch, for equal items too, and store those that can be used."""
        results = {}
        for at, out in outs.items():
            flaw = self._operation.flaw(items[at], out)
            if keys and not flaw:
                result = self._operation.to_result(out)
                results[keys[at]] = replace(result, seconds=each.seconds, joules=each.joules)
            for equal in [other for other, key in keys.items() if key == keys[at]] or [at]:
                called.outs[equal], called.costs[equal] = out, each
                if flaw:
                    called.flaws[equal] = flaw
        if self._results and results:
            self._results.put(self._operation.stage, results)

    def _record(
        self,
        called: Called[Out],
        model: Identity,
        items: Mapping[int, Item],
        began: datetime,
        spent: Cost,
        degraded: str | None,
    ) -> Call:
        operation, outs, error = self._operation, called.outs, called.error
        complete = error is None and outs.keys() >= items.keys()
        kept = {n: called.kept[at] for n, at in enumerate(items) if at in called.kept}
        return Call(
            stage=operation.stage, model=asdict(model), started=began, seconds=spent.seconds,
            inputs=tuple(operation.described(item) for item in items.values()),
            outputs=tuple(operation.summary(outs[at]) for at in items) if complete else (),
            options=operation.options(list(items.values())), items=tuple(items), degraded=degraded,
            kept=tuple(kept), saved=tuple(kept.values()),
            error=None if error is None else f"{type(error).__name__}: {error}",
            joules=spent.joules, money=spent.money, measured=self._tariff.meter.measured,
        )  # fmt: skip
