"""Verdicts → repair: what the next attempt of a brief changes, and why.

The repairs follow a fixed order: the user's own words, a new prompt written for what failed, another seed, then more
steps with stronger guidance. No plan is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.brief import Record, Requirement
from pipeline.judging.verdict import Verdict

Action = Literal["start", "rephrase", "reseed", "guide"]


class Repair(Record):
    """What the next attempt changes. `failed`: ids of the requirements that did not pass in the best candidate."""

    action: Action
    failed: tuple[str, ...] = ()
    reason: str = ""


START = Repair(action="start", reason="the user's own words come first")


def repair(requirements: Sequence[Requirement], best: Verdict, actions: Sequence[Action]) -> Repair:
    """The repair that follows `actions` (those of all attempts so far). `best`: the best verdict so far."""
    failed = tuple(
        c.requirement for c in best.checks if c.outcome in ("fail", "unsure") and c.requirement != "intact"
    )
    text = {r.id: r.text for r in requirements}
    missing = ", ".join(text[id] for id in failed) or "a picture"
    action: Action
    if actions[-1] == "start" and failed:
        action, how = "rephrase", "a new prompt around what is missing"
    elif "guide" not in actions and len(actions) >= 3:
        action, how = "guide", "same words, more steps and stronger guidance"
    elif len(actions) % 3 == 0 and failed:
        action, how = "rephrase", "a new prompt around what is missing"
    else:
        action, how = "reseed", "same words, another seed"
    return Repair(action=action, failed=failed, reason=f"missing: {missing}; {how}")


def described(requirements: Sequence[Requirement], best: Verdict, ids: Sequence[str]) -> tuple[str, ...]:
    """The requirements with the given ids in words, each with the judge's reason: feedback for the text model."""
    reason = {c.requirement: c.reason for c in best.checks}
    return tuple(f"{r.text} ({reason[r.id].split(' (')[0]})" for r in requirements if r.id in ids)
