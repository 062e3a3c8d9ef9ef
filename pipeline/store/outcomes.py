"""What became of a run: the outcome of its loop, changed by what people decided about its candidates.

| decisions that stand                                   | outcome of the run                                 |
| ------------------------------------------------------ | -------------------------------------------------- |
| at least one candidate is approved                     | accepted; its picture is the last approved one     |
| none is approved, and the best of the loop is rejected | rejected                                           |
| any others                                             | that of the loop                                   |

A decision stands until the same person takes it back, or decides again on the same candidate. Where two people disagree
on a candidate, the later decision counts. Only the decision on the whole picture counts: yes or no to single
requirements is recorded beside what the judge said.

`settle` is the only place that computes this. The columns of a run hold its result; the loop's own outcome stays in
`RunRow.loop_status` and `RunRow.outcome`, so that taking back every decision gives the loop's outcome again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from pipeline.store.tables import ReviewRow, RunRow

ACCEPTED, REJECTED = "accepted", "rejected"
_PAST = {"approve": "approved", "reject": "rejected"}


class Decided(Protocol):
    """Who decided what on which candidate: a Review, or a row with these columns."""

    @property
    def run(self) -> str: ...
    @property
    def candidate(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def decision(self) -> str: ...


D = TypeVar("D", bound=Decided)


def latest(log: Iterable[D]) -> list[D]:
    """The latest decision of each person on each candidate. An undo takes back the one before it."""
    return [stack[-1][1] for stack in _stacks(log) if stack]


def standing(log: Iterable[D]) -> list[D]:
    """The last approval or rejection of each person on each candidate, in the order of the log. An undo takes back the
    decision before it; a candidate that is skipped, or run again, stays approved or rejected."""
    found = []
    for stack in _stacks(log):
        decided = [(position, review) for position, review in stack if review.decision in _PAST]
        found += decided[-1:]
    return [review for _, review in sorted(found, key=lambda pair: pair[0])]


def _stacks(log: Iterable[D]) -> list[list[tuple[int, D]]]:
    """For each person and candidate the decisions that were not taken back, with their positions in the log."""
    stacks: dict[tuple[str, str, str], list[tuple[int, D]]] = {}
    for position, review in enumerate(log):
        stack = stacks.setdefault((review.run, review.candidate, review.who), [])
        if review.decision != "undo":
            stack.append((position, review))
        elif stack:
            stack.pop()
    return list(stacks.values())


def settle(run: RunRow, log: Sequence[ReviewRow]) -> None:
    """Set status, reason, best, decided_by and decided_at of a run. `log`: all decisions on it, in order."""
    outcome = run.outcome or {}
    best: str | None = (outcome.get("best") or {}).get("id")
    last: dict[str, ReviewRow] = {}  # the decision that counts, by candidate; in the order of the decisions
    for review in standing(log):
        last.pop(review.candidate, None)
        last[review.candidate] = review
    approved = [review for review in last.values() if review.decision == "approve"]
    on_best = last.get(best) if best else None
    decision = approved[-1] if approved else on_best
    if decision is None:
        run.status, run.reason, run.best = run.loop_status, str(outcome.get("reason", "")), best
        run.decided_by = run.decided_at = None
        return
    run.status = ACCEPTED if decision.decision == "approve" else REJECTED
    run.best, run.decided_by, run.decided_at = decision.candidate, decision.who, decision.at
    run.reason = f"{_PAST[decision.decision]} by {decision.who}"
    if why := _why(decision):
        run.reason += f": {why}"


def _why(review: ReviewRow) -> str:
    """The person's reasons: for the whole picture, then for single requirements."""
    said = [review.record.get("reason", ""), *review.record.get("reasons", {}).values()]
    return "; ".join(filter(None, said))
