"""A stage of a preset: its models in order of preference, and what happens when one fails.

A request goes to the first model that is not left alone for now. Items it leaves unanswered go to the next; the
answer names that model and the reason. A model is passed over because of

    an exception        after retries; then the items are tried one by one, so that one bad item costs only itself
    out of memory       after the batch was halved down to one
    NaN, blank or malformed output   for the items concerned
    a hung call         after the spec's `patience_s`; the model is not asked again until that call ends
    an open circuit     after `break_after` failed calls in a row, until `rest_s` later one call is let through

Every request begins with the first model again, so a model that recovers is used again at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from models.protocols import Identity, ModelError, OnStep, Stopped, WeightsMissing
from pipeline.calls.caller import Listener
from pipeline.calls.operations import Item, Operation, Out
from pipeline.calls.pool import free_memory
from pipeline.calls.record import Answer, Call, Reply
from pipeline.calls.rung import Batch, CircuitOpen, Flawed, Hung, Rung, is_out_of_memory, reason_of
from pipeline.errors import EaselError
from pipeline.stopping import Stop


@dataclass
class _Progress(Generic[Out]):
    """A request under way, by position of its items: what is answered, and why the rest is not yet."""

    answers: dict[int, Answer[Out]] = field(default_factory=dict)
    flawed: dict[int, Answer[Out]] = field(default_factory=dict)  # the first flawed output of an item
    reasons: dict[int, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def enter(self, batch: Batch[Item, Out], rung: Rung[Item, Out], calibrated: bool) -> None:
        self.calls += batch.calls
        self.reasons |= batch.flaws
        for at, out in batch.outs.items():
            answer = Answer(
                out, rung.model.identity, batch.degraded, calibrated, at in batch.kept, batch.costs[at]
            )
            if at in batch.flaws:
                self.flawed.setdefault(at, answer)
            else:
                self.answers[at] = answer


class Stage(Generic[Item, Out]):
    """`rungs`: the models in order of preference; `operation`: what this stage asks of them."""

    def __init__(self, operation: Operation[Item, Out], rungs: Sequence[Rung[Item, Out]]) -> None:
        self.operation, self.rungs = operation, rungs

    @property
    def identity(self) -> Identity:
        """Of the first model that can be loaded. Raises ModelError where none can be."""
        first: ModelError | None = None
        for rung in self.rungs:
            try:
                return rung.model.identity
            except ModelError as error:
                first = first or error
        assert first is not None
        raise first

    def ask(
        self, items: Sequence[Item], on_step: OnStep | None = None, stop: Stop | None = None
    ) -> Reply[Out]:
        """An answer for each item, in order. What goes wrong with a model is in the answers; raises EaselError where
        the store of kept results fails."""
        progress: _Progress[Out] = _Progress()
        listener, stopped = Listener(on_step, stop), False
        try:
            for number in range(len(self.rungs)):
                if todo := [i for i in range(len(items)) if i not in progress.answers]:
                    self._ask_rung(number, {i: items[i] for i in todo}, progress, listener)
        except Stopped:
            stopped = True
        return Reply([self._answer(i, progress) for i in range(len(items))], progress.calls, stopped)

    def _ask_rung(
        self, number: int, items: Mapping[int, Item], progress: _Progress[Out], listener: Listener
    ) -> None:
        """Put the items to one model: all at once, and where that fails, in parts."""
        rung, first = self.rungs[number], self.rungs[0].spec
        calibrated = getattr(rung.spec, "model", None) == getattr(first, "model", None)
        degraded, adapted = None, dict(items)
        if number:
            degraded = f"{self.operation.stage}, {progress.reasons[next(iter(items))]} → {rung.name}"
            adapted = {at: self.operation.adapted(item, first, rung.spec) for at, item in items.items()}
        parts, failures = [list(items)], 0
        while parts and failures < 2:  # two parts in a row failed: the model is at fault, not the item
            part, smaller = parts.pop(0), list[list[int]]()
            batch: Batch[Item, Out] = Batch({at: adapted[at] for at in part}, degraded)
            try:
                rung.ask(batch, listener)
            except EaselError:
                raise
            except Exception as error:
                batch.flaws = dict.fromkeys(part, reason_of(error)) | batch.flaws
                smaller = _split(part, error)
                if is_out_of_memory(error):
                    free_memory()
            finally:
                progress.enter(batch, rung, calibrated)
            parts = [*smaller, *parts]
            if any(at in progress.answers for at in part):
                failures = 0
            elif not smaller:
                failures += 1

    def _answer(self, at: int, progress: _Progress[Out]) -> Answer[Out]:
        if at in progress.answers:
            return progress.answers[at]
        reason = progress.reasons.get(at, "stopped")
        if self.operation.keeps_flawed and at in progress.flawed:
            return progress.flawed[at]
        degraded = f"{self.operation.stage}, {reason} → {self.operation.last_resort}"
        return Answer(None, degraded=degraded, calibrated=False, reason=reason)


def _split(items: list[int], error: Exception) -> list[list[int]]:
    """How to try the items once more on the same model."""
    half = len(items) // 2
    if half and is_out_of_memory(error):
        return [items[:half], items[half:]]
    if half and not isinstance(error, Hung | Flawed | CircuitOpen | WeightsMissing):
        return [[i] for i in items]
    return []
