"""Verdicts → repair: what the next attempt of a brief changes, and why.

The repairs are the user's own words, where they were not painted first; a new prompt written for what failed; another
seed; and more steps with stronger guidance. The least used one is next. None is made that would give a picture that
was painted already.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pipeline.brief import Record, Requirement
from pipeline.judging.verdict import ALWAYS, Verdict

Action = Literal["start", "own words", "rephrase", "reseed", "guide"]
_HOW: dict[Action, str] = {
    "own words": "the user's own words",
    "rephrase": "a new prompt around what is missing",
    "reseed": "same words, another seed",
    "guide": "same words, more steps and stronger guidance",
}
_ONCE: frozenset[Action] = frozenset(("own words", "guide"))
_VARIES: frozenset[Action] = frozenset(("own words", "reseed"))  # another picture of the same wants


class Repair(Record):
    """What the next attempt changes. `failed`: ids of the requirements that did not pass in the best candidate."""

    action: Action
    failed: tuple[str, ...] = ()
    reason: str = ""


START = Repair(action="start", reason="the first prompt names every requirement")


def repair(
    requirements: Sequence[Requirement],
    best: Verdict,
    actions: Sequence[Action],
    useless: Collection[Action] = (),
) -> Repair | None:
    """The repair that follows `actions` (those of all attempts so far); None if there is none left. `best`: the best
    verdict so far; `useless`: actions that would give no new picture. Where nothing failed and something is unchecked,
    there is nothing to repair: the next picture is another one to choose from."""
    open_ = [c.requirement for c in best.checks if c.outcome in ("fail", "unsure")]
    text = {r.id: r.text for r in requirements} | ALWAYS
    missing = ", ".join(text[id] for id in open_) or "a picture"
    left = [a for a in _HOW if a not in useless and not (a in _ONCE and a in actions)]
    if best.gate == "unchecked":
        left = [a for a in left if a in _VARIES]
    if not left:
        return None
    action = min(left, key=actions.count)
    if best.gate == "unchecked":
        return Repair(action=action, reason=f"another picture to choose from; {_HOW[action]}")
    failed = tuple(id for id in open_ if id not in ALWAYS)
    return Repair(action=action, failed=failed, reason=f"missing: {missing}; {_HOW[action]}")


def described(requirements: Sequence[Requirement], best: Verdict, ids: Sequence[str]) -> tuple[str, ...]:
    """The requirements with the given ids in words, each with the judge's reason: feedback for the text model."""
    reason = {c.requirement: c.reason for c in best.checks}
    return tuple(f"{r.text} ({reason[r.id].split(' (')[0]})" for r in requirements if r.id in ids)
