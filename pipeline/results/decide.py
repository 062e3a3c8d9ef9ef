"""A person decides about a candidate, or takes a decision back. Every page, command and endpoint comes through here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from pipeline.errors import BriefError, fault
from pipeline.judging.verdict import ALWAYS
from pipeline.results.decided import follow
from pipeline.results.review import why_asked
from pipeline.store import Store
from pipeline.store.reviews import Decision, Review
from pipeline.store.tables import RunRow

LONGEST_NAME, LONGEST_REASON = 80, 500  # characters; longer ones are cut


def decide(
    store: Store,
    run: str,
    candidate: str,
    who: str,
    decision: Decision,
    *,
    requirements: Mapping[str, Literal["pass", "fail"]] | None = None,
    reasons: Mapping[str, str] | None = None,
    reason: str = "",
) -> Review:
    """Add a decision to the log; the run's outcome and the files of its folder follow.

    `requirements`: id → pass or fail; `reasons`: id → why it fails; `reason`: for the whole picture. Raises BriefError
    for a decision that makes no sense, OutputError if the files cannot be written; then nothing is added."""
    name, row = reviewer(who), _row(store, run)
    if decision == "undo":
        return take_back(store, name, run, candidate)[1]
    if candidate not in {found.id for found in store.runs.candidates(run)}:
        raise BriefError(f"run {row.folder} has no candidate {candidate[:40]!r}")
    known = {want["id"] for want in (row.reading or {}).get("requirements", ())} | set(ALWAYS)
    if strange := sorted(set(requirements or {}) - known):
        raise BriefError(f"there is no requirement {strange[0][:40]!r}; known are {', '.join(sorted(known))}")
    try:
        review = Review(
            run=run, candidate=candidate, who=name, decision=decision, requirements=dict(requirements or {}),
            reasons=dict(reasons or {}), reason=reason.strip()[:LONGEST_REASON],
            why=why_asked(store, row, candidate, name),
        )  # fmt: skip
    except ValidationError as error:
        raise BriefError(fault(error)) from None
    _record(store, review)
    return review


def take_back(
    store: Store, who: str, run: str | None = None, candidate: str | None = None
) -> tuple[Review, Review]:
    """Take back the last decision of this person: of all, or on a run or on one of its candidates. Returns that
    decision, and the one that takes it back. Raises BriefError if there is none."""
    name = reviewer(who)
    stack: list[Review] = []
    for review in store.reviews.log(run=run, who=name):
        if candidate is not None and review.candidate != candidate:
            continue
        if review.decision != "undo":
            stack.append(review)
            continue
        same = [
            i for i, one in enumerate(stack) if (one.run, one.candidate) == (review.run, review.candidate)
        ]
        if same:
            del stack[same[-1]]
    if not stack:
        raise BriefError(
            f"{name} has made no decision {'' if run is None else 'on this run '}that could be taken back"
        )
    last = stack[-1]
    undo = Review(run=last.run, candidate=last.candidate, who=name, decision="undo", why=last.why)
    _record(store, undo)
    return last, undo


def reviewer(who: str) -> str:
    """The name as the log has it. Raises BriefError for an empty one."""
    if not who.strip():
        raise BriefError("enter your name; the log keeps it with each decision")
    return who.strip()[:LONGEST_NAME]


def _record(store: Store, review: Review) -> None:
    with store.reviews.settling(review.run, review) as settled:
        # Before the commit, so that a decision is only made where its files could be written.
        follow(store.out, *settled)


def _row(store: Store, run: str) -> RunRow:
    row = store.runs.get(run)
    if row is None:
        raise BriefError(f"there is no run {run[:64]!r}; it may belong to another output folder")
    return row
