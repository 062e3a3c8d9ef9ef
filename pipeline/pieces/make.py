"""A workflow and a brief → a piece: its steps in order, each checked; what fails goes back to a step that can mend it,
with the reasons; what nobody could check goes to a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field

from models.protocols import OnStep
from pipeline.config import Preset
from pipeline.events import Status
from pipeline.pieces.folder import PieceFolder
from pipeline.pieces.record import Made, PartCheck, PieceAttempt, PieceOutcome, Product
from pipeline.pieces.steps import STEPS
from pipeline.pieces.totals import models_of, paid_of
from pipeline.pieces.work import Failed, Work
from pipeline.pieces.workflow import Workflow
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.play import Happened

Event = Happened | Made | PieceAttempt | PieceOutcome


@dataclass
class _State:
    """What is known of a piece while it is made. `spent`: steps that had nothing new to offer; `rounds`: for each step,
    the failures that it was asked to mend, one list for each time."""

    made: dict[str, Made] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)
    rounds: dict[str, list[list[PartCheck]]] = field(default_factory=dict)

    @property
    def checks(self) -> list[PartCheck]:
        return [check for made in self.made.values() for check in made.checks]


def make(
    workflow: Workflow,
    brief: str,
    preset: Preset,
    store: Store,
    folder: PieceFolder,
    *,
    seed: int = 0,
    given: Mapping[str, str] | None = None,
    stop: Stop | None = None,
    on_step: OnStep | None = None,
    on_loaded: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """Make a piece. Yields the events of its pictures' runs, what each step made, each attempt, and the outcome; after
    a stop it ends with what there is. `given`: fields of words that the user wrote. Raises EaselError and ModelError
    where runs cannot start."""
    began, stop, state = time.monotonic(), stop or Stop(), _State()
    work = Work(workflow, brief, preset, store, folder, seed, given or {}, stop, on_step, on_loaded)
    folder.begin(workflow, brief, preset, seed, work.given)
    todo: dict[str, list[PartCheck]] = {name: [] for name in workflow.steps}
    number, failure = 1, ""
    while todo:
        attempt: list[Made] = []
        try:
            yield from _attempt(work, state, todo, attempt)
        except Failed as error:
            failure = str(error)
        last = number >= workflow.attempts or failure or stop.requested
        todo = {} if last else _next(state)
        if attempt:
            reasons = {step: tuple(c.reason for c in checks) for step, checks in todo.items()}
            done = PieceAttempt(number=number, made=tuple(attempt), next=reasons)
            folder.take(done)
            yield done
            number += 1
    status, reason = _ended(state, stop, failure)
    yield folder.close(
        PieceOutcome(
            status=status, reason=reason, folder=folder.path.name, main=folder.main,
            models=models_of(folder.attempts), paid=paid_of(folder.attempts),
            seconds=time.monotonic() - began,
        )
    )  # fmt: skip


def _attempt(
    work: Work, state: _State, todo: Mapping[str, list[PartCheck]], attempt: list[Made]
) -> Generator[Event, None, None]:
    """Make the steps that are asked for, and those that get something from a step that changed. A step that makes the
    same once more is spent."""
    changed: set[str] = set()
    for name, step in work.workflow.steps.items():
        if name not in todo and not changed & set(step.takes):
            continue
        if todo.get(name):
            state.rounds.setdefault(name, []).append(todo[name])
        before = state.made.get(name)
        products: dict[str, Product] = {taken: state.made[taken].product for taken in step.takes}
        made = yield from STEPS[step.kind](work, name, products, state.rounds.get(name, []))
        if before is not None and made.product == before.product and not changed & set(step.takes):
            state.spent.add(name)
            continue
        made = made.model_copy(update={"because": tuple(check.reason for check in todo.get(name, []))})
        changed.add(name)
        state.made[name] = made
        attempt.append(made)
        yield made


def _next(state: _State) -> dict[str, list[PartCheck]]:
    """The steps to make again, each with the failures that it is to mend: the first step of each failure that may
    have something new to offer."""
    found: dict[str, list[PartCheck]] = {}
    for check in state.checks:
        able = [step for step in check.mends if step not in state.spent]
        if check.outcome == "fail" and able:
            found.setdefault(able[0], []).append(check)
    return found


def _ended(state: _State, stop: Stop, failure: str) -> tuple[Status, str]:
    """How a piece ends, by the worst of its checks."""
    if failure:
        return "failed", failure
    if stop.requested:
        return "needs_review", "stopped; what is there may be incomplete"
    worst: tuple[tuple[Status, tuple[str, ...]], ...] = (
        ("exhausted", ("fail",)), ("needs_review", ("unchecked", "unsure")),
    )  # fmt: skip
    for status, outcomes in worst:
        if found := [check for check in state.checks if check.outcome in outcomes]:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return status, f"{found[0].step}: {found[0].name}: {found[0].reason}{more}"
    return "accepted", f"all checks pass: {len(state.checks)}"
