"""Ladders: what stands in for a model that fails, and when to go back to it.

A ladder asks its first rung that is not resting. Items that a rung leaves unanswered go down to the next; the
rung's name and the reason are said wherever the answer goes. A rung is left because of

    exception           after retries on the same rung; a batch is tried one by one, so that one bad item
                        costs only itself
    out of memory       after the batch was halved down to one
    NaN, blank or malformed output   for the items concerned
    a hung call         after the spec's `patience_s`; its thread is left behind and the rung rests until it ends
    an open circuit     after `break_after` failed calls in a row, until `rest_s` later one call is let through

Every call begins at the top again, so that a model which recovers is back at once.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pybreaker
import stamina
import stamina.instrumentation

from models.protocols import Cancelled, DependencyMissing, Identity, ModelError, WeightsMissing
from models.specs import Spec
from pipeline.calls.record import Asking, Recorder, Stage
from pipeline.errors import EaselError

Out = TypeVar("Out")
T = TypeVar("T")

stamina.instrumentation.set_on_retry_hooks([])  # retries are told in our records, not on the console


# What passes through a ladder: the user's wish to stop, and a disk or store that fails under a kept result.
_NOT_THE_MODELS = (Cancelled, EaselError)


class Hung(Exception):
    """A call took longer than the spec's patience."""


class Flawed(Exception):
    """No item of a call came back in a usable form."""


class Fallen(ModelError):
    """The ladder is at its end. `answers` by position holds what was answered before, `reasons` the rest."""

    def __init__(self, stage: Stage, answers: dict[int, Any], reasons: dict[int, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(reasons.values())))
        self.stage, self.answers, self.reasons = stage, answers, reasons


@dataclass(frozen=True)
class Standing:
    """Who answered an item, and why it was not the first model of the ladder."""

    identity: Identity | None  # None: nobody
    rung: int = 0
    degraded: str | None = None
    uncalibrated: bool = False  # not the weights that the preset's measurements were made with


def standing(model: Any, count: int) -> list[Standing]:
    """Who answered the last call's items; a model without a ladder always answers itself."""
    found: list[Standing] = getattr(model, "standing", None) or [Standing(model.identity)] * count
    return found


def in_words(error: BaseException) -> str:
    """The trigger as it is shown: short, without what only a developer reads."""
    text = " ".join(str(error).split())
    if isinstance(error, Hung | Flawed):
        return text
    if is_out_of_memory(error):
        return "CUDA out of memory" if "cuda" in text.lower() else "out of memory"
    if isinstance(error, pybreaker.CircuitBreakerError):
        return "circuit open"
    return text[:300] if isinstance(error, ModelError) else f"{type(error).__name__}: {text[:200]}"


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


class Rung(Generic[T]):
    """One model of a ladder, built when it is first asked, behind its circuit breaker."""

    def __init__(self, name: str, spec: Spec, build: Callable[[], T]) -> None:
        self.name, self.spec, self._build = name, spec, build
        self._model: T | None = None
        self._missing: ModelError | None = None  # weights or packages do not appear by waiting
        self._behind: threading.Thread | None = None  # a hung call
        self.last = ""  # why it failed when it was last asked
        self.breaker = pybreaker.CircuitBreaker(
            fail_max=spec.break_after, reset_timeout=spec.rest_s, throw_new_error_on_trip=False,
            exclude=[*_NOT_THE_MODELS, KeyboardInterrupt],
        )  # fmt: skip

    @property
    def model(self) -> T:
        """Raises ModelError where it cannot be built."""
        if self._missing:
            raise self._missing
        if self._model is None:
            try:
                self._model = self._build()
            except (WeightsMissing, DependencyMissing) as error:
                self._missing = error
                raise
        return self._model

    def ask(
        self, call: Callable[[T], list[Out]], sort: Callable[[list[Out]], None], recorder: Recorder
    ) -> None:
        """One guarded call, whose answers go to `sort`. Raises what the model raised, what `sort` raised, Hung or
        CircuitBreakerError."""
        if self._behind and self._behind.is_alive():
            raise Hung("an earlier call still hangs")
        retried = stamina.retry_context(
            on=_passes, attempts=1 + self.spec.retries, timeout=None, wait_initial=0.05, wait_max=2.0
        )

        def patiently() -> None:
            for attempt in retried:
                with attempt:
                    sort(self._within(lambda: call(self.model), recorder))

        self.breaker.call(patiently)

    def _within(self, call: Callable[[], list[Out]], recorder: Recorder) -> list[Out]:
        if self.spec.patience_s is None:
            return call()
        answers: list[list[Out]] = []
        raised: list[BaseException] = []

        def body() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # handed over to the caller's thread
                raised.append(error)

        # A daemon: a call that hangs for ever must not keep the process from ending.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(body,), daemon=True)
        thread.start()
        thread.join(self.spec.patience_s)
        if thread.is_alive():
            self._behind = thread
            recorder.abandon(thread, f"no answer within {self.spec.patience_s:g} s")
            raise Hung(f"no answer within {self.spec.patience_s:g} s")
        if raised:
            raise raised[0]
        return answers[0]


def _passes(error: Exception) -> bool:
    """Whether asking the same model again may help."""
    hopeless = (
        *_NOT_THE_MODELS,
        Hung,
        Flawed,
        WeightsMissing,
        DependencyMissing,
        pybreaker.CircuitBreakerError,
    )
    return not isinstance(error, hopeless) and not is_out_of_memory(error)


@dataclass
class Descent(Generic[Out]):
    """One question on its way down: what is answered, what is open, and why."""

    answers: dict[int, Out] = field(default_factory=dict)
    standing: dict[int, Standing] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)  # of the open ones
    flawed: dict[int, tuple[Out, Standing]] = field(default_factory=dict)  # answered, but not well


class Ladder(Generic[T]):
    """The rungs of a stage. `last_resort` names what the pipeline does where none of them answers."""

    stage: Stage
    last_resort: str

    def __init__(self, rungs: Sequence[Rung[T]], recorder: Recorder) -> None:
        self.rungs, self._recorder = rungs, recorder
        self.standing: list[Standing] = []

    @property
    def identity(self) -> Identity:
        """Of the first rung that can be built."""
        error: ModelError | None = None
        for rung in self.rungs:
            try:
                return rung.model.identity  # type: ignore[attr-defined, no-any-return]
            except ModelError as raised:
                error = raised
        assert error is not None
        raise error

    def descend(
        self,
        count: int,
        ask: Callable[[T, int, list[int]], list[Out]],
        flaw: Callable[[int, Out], str | None],
    ) -> Descent[Out]:
        """Put `count` items to the rungs. `ask` gets a model, its rung's number and the positions of the items;
        `flaw` says what is wrong with an answer. Only Cancelled, EaselError and what is no Exception are raised."""
        way: Descent[Out] = Descent()
        todo = list(range(count))
        for number, rung in enumerate(self.rungs):
            if not todo:
                break
            why = way.reasons.get(todo[0])
            degraded = f"{self.stage}, {why} → {rung.name}" if number and why else None
            self._on(rung, number, todo, degraded, ask, flaw, way)
            todo = [i for i in range(count) if i not in way.answers]
        self._recorder.asking = Asking()
        self.standing = [way.standing.get(i) or self._nobody(way.reasons.get(i, "")) for i in range(count)]
        return way

    def _same_weights(self, number: int) -> bool:
        first, mine = (getattr(self.rungs[i].spec, "model", None) for i in (0, number))
        return first == mine

    def _nobody(self, why: str) -> Standing:
        return Standing(None, len(self.rungs), f"{self.stage}, {why} → {self.last_resort}")

    def _on(
        self,
        rung: Rung[T],
        number: int,
        items: list[int],
        degraded: str | None,
        ask: Callable[[T, int, list[int]], list[Out]],
        flaw: Callable[[int, Out], str | None],
        way: Descent[Out],
    ) -> None:
        """What this rung can answer of `items` goes to `way`; the reasons for the rest too."""

        def call(model: T) -> list[Out]:
            self._recorder.asking = Asking(tuple(items), degraded)
            return ask(model, number, items)

        def sort(answers: list[Out]) -> None:
            who: Identity = rung.model.identity  # type: ignore[attr-defined]
            stand = Standing(who, number, degraded, not self._same_weights(number))
            for i, answer in zip(items, answers, strict=False):
                if why := flaw(i, answer):
                    way.reasons[i] = why
                    way.flawed.setdefault(i, (answer, stand))
                else:
                    way.answers[i], way.standing[i] = answer, stand
                    way.reasons.pop(i, None)
            for i in items[len(answers) :]:
                way.reasons[i] = "malformed output: an answer too few"
            if not any(i in way.answers for i in items):
                raise Flawed(way.reasons[items[0]])

        try:
            rung.ask(call, sort, self._recorder)
        except Exception as error:
            if isinstance(error, _NOT_THE_MODELS):
                raise
            why = in_words(error)
            if isinstance(error, pybreaker.CircuitBreakerError):
                why = f"circuit open after: {rung.last}"
            else:
                rung.last = why
            way.reasons |= dict.fromkeys(items, why)
            parts = _parts(items, error)
            if is_out_of_memory(error):
                _free_memory()
        else:
            return
        lost = 0
        for part in parts:
            self._on(rung, number, part, degraded, ask, flaw, way)
            lost = 0 if any(i in way.answers for i in part) else lost + 1
            if lost == 2:  # two in a row: it is the model, not the item
                break


def _parts(items: list[int], error: Exception) -> list[list[int]]:
    """How to try the items once more on the same rung."""
    half = len(items) // 2
    if half and is_out_of_memory(error):
        return [items[:half], items[half:]]
    if half and not isinstance(error, Hung | Flawed | pybreaker.CircuitBreakerError | WeightsMissing):
        return [[i] for i in items]
    return []


def _free_memory() -> None:
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
