"""Verdicts → repair: what the next attempt of a brief changes, and why.

The repairs are an edit of the best picture, where the painter can edit; the user's own words, where they were not
painted first; a new prompt written for what failed; another seed; and more steps with stronger guidance. The least used
one is next. None is made that would give a picture that was painted already. The last is another painter, the
next larger one that the preset names: see `repair`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import Field

from models.protocols import Box
from pipeline.brief import Record, Requirement
from pipeline.judging.verdict import ALWAYS, Check, Verdict

Action = Literal["start", "edit", "own words", "rephrase", "reseed", "guide", "other painter"]
_HOW: dict[Action, str] = {
    "edit": "the best picture, edited",
    "own words": "the user's own words",
    "rephrase": "a new prompt around what is missing",
    "reseed": "same words, another seed",
    "guide": "same words, more steps and stronger guidance",
}
_ONCE: frozenset[Action] = frozenset(("own words", "guide"))
_VARIES: frozenset[Action] = frozenset(("own words", "reseed"))  # another picture of the same wants
_ORDER = ("fail", "unsure", "unchecked", "pass")  # of outcomes, from worst to best


class Repair(Record):
    """What the next attempt changes. `failed`: ids of the requirements that did not pass in the best candidate; of an
    edit, of the checks that it is to mend. `box`: where an edit changes the picture, as shares of its sides; None where
    it may change all of it."""

    action: Action
    failed: tuple[str, ...] = ()
    reason: str = ""
    box: Box | None = Field(default=None, exclude_if=lambda box: box is None)


START = Repair(action="start", reason="the first prompt names every requirement")


def repair(
    requirements: Sequence[Requirement],
    best: Verdict,
    actions: Sequence[Action],
    useless: Collection[Action] = (),
    larger: str = "",
    now: bool = False,
) -> Repair | None:
    """The repair that follows `actions` (those of all attempts so far); None if there is none left. `best`: the best
    verdict so far; `useless`: actions that would give no new picture; `larger`: the next larger painter, which gets the
    brief once all others were tried, or `now`.
    Where nothing failed and something is unchecked, there is nothing to repair: the next picture is another one to
    choose from."""
    open_ = [c.requirement for c in best.checks if c.outcome in ("fail", "unsure")]
    text = {r.id: r.text for r in requirements} | ALWAYS
    missing = ", ".join(text[id] for id in open_) or "a picture"
    left = [a for a in _HOW if a not in useless and not (a in _ONCE and a in actions)]
    if best.gate == "unchecked":
        left = [a for a in left if a in _VARIES]
        if not left:
            return None
        action = min(left, key=actions.count)
        return Repair(action=action, reason=f"another picture to choose from; {_HOW[action]}")
    failed = tuple(id for id in open_ if id not in ALWAYS)
    if "other painter" not in useless and (now or all(a in actions for a in left)):
        return Repair(
            action="other painter", failed=failed, reason=f"missing: {missing}; handed up to {larger}"
        )
    if not left:
        return None
    action = min(left, key=actions.count)
    if action == "edit":
        return _edit(requirements, best, missing)
    return Repair(action=action, failed=failed, reason=f"missing: {missing}; {_HOW[action]}")


def _edit(requirements: Sequence[Requirement], best: Verdict, missing: str) -> Repair:
    """An edit that mends the worst of the open checks where a judge saw the fault; all open checks, anywhere in the
    picture, where that fault has no place."""
    must = {r.id for r in requirements if r.must} | set(ALWAYS)
    open_ = [c for c in best.checks if c.outcome in ("fail", "unsure")]
    worst = min(open_, key=lambda c: (c.requirement not in must, _ORDER.index(c.outcome), c.box is None))
    mended = open_ if worst.box is None else [worst]
    where = "" if worst.box is None else " where a judge saw the fault"
    return Repair(
        action="edit", failed=tuple(c.requirement for c in mended), box=worst.box,
        reason=f"missing: {missing}; {_HOW['edit']}{where}",
    )  # fmt: skip


def fallen(before: Sequence[Check], after: Sequence[Check], mended: Collection[str]) -> list[str]:
    """The ids of the checks that came out worse after an edit than before it, but for those that it was to mend."""
    was = {check.requirement: _ORDER.index(check.outcome) for check in before}
    return [
        check.requirement
        for check in after
        if check.requirement not in mended and _ORDER.index(check.outcome) < was.get(check.requirement, 0)
    ]


def described(requirements: Sequence[Requirement], best: Verdict, ids: Sequence[str]) -> tuple[str, ...]:
    """The requirements with the given ids in words, each with the judge's reason: feedback for the text model."""
    reason = {c.requirement: c.reason for c in best.checks}
    return tuple(f"{r.text} ({reason[r.id].split(' (')[0]})" for r in requirements if r.id in ids)
