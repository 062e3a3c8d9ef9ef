"""A stage of a preset: its rungs in order of preference, and what happens when one fails.

A rung is one model with its settings. The first rung is the stage's own spec; each further rung is one of its
fallbacks. A request goes to the first rung; the items that a rung does not answer go to the next one, and their
answers say why (`degraded`). A rung does not answer because of

    an exception        after the retries, and after each item was tried alone, so that one bad item affects no other
    out of memory       after the other models were unloaded, and the batch halved until it held one item
    NaN, blank or malformed output   only the items concerned go to the next rung
    a hung call         longer than the spec's `patience_s`; the rung is not called again until that call ends
    an open circuit     after `break_after` failed calls in a row; `rest_s` later one call tries it again

Every request begins with the first rung, so a model that recovers is used again at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from models.protocols import Edits, Identity, ModelError, OnStep, Stopped, WeightsMissing
from pipeline.calls.caller import Listener
from pipeline.calls.operations import Item, Operation, Out
from pipeline.calls.pool import PooledModel, free_memory, is_out_of_memory
from pipeline.calls.record import Answer, Call, Reply
from pipeline.calls.rung import Batch, CircuitOpen, Flawed, Hung, Rung, reason_of
from pipeline.errors import EaselError
from pipeline.stopping import Stop


@dataclass
class _Progress(Generic[Out]):
    """The state of a request, by the positions of its items: answers so far, and why the other items have none."""

    answers: dict[int, Answer[Out]] = field(default_factory=dict)
    flawed: dict[int, Answer[Out]] = field(default_factory=dict)  # the first flawed output of an item
    reasons: dict[int, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def enter(self, batch: Batch[Item, Out], rung: Rung[Item, Out], calibrated: bool) -> None:
        """Add the results of a batch that `rung` worked on."""
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
    """One stage. `operation`: what it asks of a model; `rungs`: its models in order of preference; `name`: in messages,
    the stage's own where it is not given."""

    def __init__(
        self, operation: Operation[Item, Out], rungs: Sequence[Rung[Item, Out]], name: str = ""
    ) -> None:
        self.operation, self.rungs, self.name = operation, rungs, name or operation.stage

    @property
    def identity(self) -> Identity:
        """The identity of the first rung's model that can be loaded. Raises ModelError where none can be."""
        return self._first.identity

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """The names that a detector knows, by the first rung's model that can be loaded; None where it has no
        vocabulary of its own. Raises ModelError where none can be."""
        return self._first.vocabulary

    @property
    def calibrated(self) -> bool:
        """Whether the scores of a detector are probabilities."""
        return bool(getattr(self.rungs[0].spec, "calibrated", False))

    @property
    def prompt_tokens(self) -> int | None:
        """How many tokens the image model reads of a prompt, by the first rung's model that can be loaded; None without
        a limit. Raises ModelError where none can be."""
        return self._first.prompt_tokens

    @property
    def edits(self) -> Edits | None:
        """How the image model edits pictures, by the first rung's model that can be loaded; None where it cannot.
        Raises ModelError where none can be."""
        return self._first.edits

    @property
    def _first(self) -> PooledModel:
        """The first rung's model that can be loaded."""
        first: ModelError | None = None
        for rung in self.rungs:
            try:
                return rung.model
            except ModelError as error:
                first = first or error
        assert first is not None
        raise first

    def ask(
        self,
        items: Sequence[Item],
        on_step: OnStep | None = None,
        stop: Stop | None = None,
        handed_up: str | None = None,
    ) -> Reply[Out]:
        """An answer for each item, in order. A failure of a model is part of the answers. `handed_up`: what a smaller
        model left open, for the record. Raises EaselError where the store of kept results fails."""
        progress: _Progress[Out] = _Progress()
        listener, stopped = Listener(on_step, stop), False
        try:
            for number in range(len(self.rungs)):
                if todo := [i for i in range(len(items)) if i not in progress.answers]:
                    self._ask_rung(number, {i: items[i] for i in todo}, progress, listener)
        except Stopped:
            stopped = True
        calls = [call.model_copy(update={"handed_up": handed_up}) for call in progress.calls]
        return Reply([self._answer(i, progress) for i in range(len(items))], calls, stopped)

    def _ask_rung(
        self, number: int, items: Mapping[int, Item], progress: _Progress[Out], listener: Listener
    ) -> None:
        """Ask one rung for the items: all at once, and where that fails, in parts."""
        rung, first = self.rungs[number], self.rungs[0].spec
        calibrated = getattr(rung.spec, "model", None) == getattr(first, "model", None)
        degraded, adapted = None, dict(items)
        if number:
            degraded = f"{self.name}, {progress.reasons[next(iter(items))]} → {rung.name}"
            adapted = {at: self.operation.adapted(item, first, rung.spec) for at, item in items.items()}
        parts, failures, alone = [list(items)], 0, False
        while (
            parts and failures < 2
        ):  # after two failed parts in a row the model is taken to be at fault, not the items
            part, smaller, full = parts.pop(0), list[list[int]](), False
            batch: Batch[Item, Out] = Batch({at: adapted[at] for at in part}, degraded)
            try:
                rung.ask(batch, listener)
            except EaselError:
                raise
            except Exception as error:
                batch.flaws = dict.fromkeys(part, reason_of(error)) | batch.flaws
                smaller, full = _split(part, error), is_out_of_memory(error)
            finally:
                progress.enter(batch, rung, calibrated)
            if full:  # the exception has ended by now, and with it the tensors that it held
                free_memory()
                if not alone and rung.make_room():
                    smaller = [part]
                alone = True
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
        degraded = f"{self.name}, {reason} → {self.operation.last_resort}"
        return Answer(None, degraded=degraded, calibrated=False, reason=reason)


def _split(items: list[int], error: Exception) -> list[list[int]]:
    """The parts in which to try the items once more on the same rung; none if that cannot help."""
    half = len(items) // 2
    if half and is_out_of_memory(error):
        return [items[:half], items[half:]]
    if half and not isinstance(error, Hung | Flawed | CircuitOpen | WeightsMissing):
        return [[i] for i in items]
    return []
