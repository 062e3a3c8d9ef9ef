"""The queue of pictures for people to review, how far reviewers agree, and the log of decisions as a file.

A picture goes to a person because the judge was unsure or could not check it, because a fallback replaced a model that
failed, or because it was drawn for an audit. Without the audit, labels would only come from hard cases.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.brief import Reading
from pipeline.store import Store
from pipeline.store.outcomes import latest
from pipeline.store.reviews import Review, Why
from pipeline.store.runs import OPEN
from pipeline.store.tables import CheckRow, RunRow

AUDIT, TWICE = (
    0.1,
    0.2,
)  # share of accepted pictures that are audited; of all queued ones that two people review
_LOOKED_AT = 2_000  # newest runs that the queue is made from
_SETTLES = ("approve", "reject", "rerun")


@dataclass(frozen=True)
class Item:
    """One picture for a person to decide on. `twice`: two people review it."""

    run: RunRow
    candidate: str
    image: str  # fingerprint of the picture
    why: Why
    twice: bool
    checks: tuple[CheckRow, ...]

    @property
    def reading(self) -> Reading | None:
        return Reading(**self.run.reading) if self.run.reading else None


def queue(store: Store, who: str, audit: float = AUDIT, twice: float = TWICE) -> list[Item]:
    """The pictures that this person has not decided on and that need another decision, oldest first."""
    runs = [run for run in store.runs.find(limit=_LOOKED_AT) if run.status not in OPEN and run.best]
    ids = [run.id for run in runs]
    checks, best = store.figures.checks(ids), store.figures.best(ids)
    decisions: dict[tuple[str, str], list[Review]] = {}
    for review in store.reviews.latest(ids):
        decisions.setdefault((review.run, review.candidate), []).append(review)
    items = []
    for run in reversed(runs):
        if run.best is None or run.id not in best:
            continue
        mine = decisions.get((run.id, run.best), ())
        why = _waits(run, checks.get(run.id, ()), mine, who, audit, twice)
        if why is not None:
            both = _by_two(run, twice)
            items.append(Item(run, run.best, best[run.id].image, why, both, tuple(checks.get(run.id, ()))))
    return items


def why_asked(store: Store, run: RunRow, candidate: str, who: str) -> Why:
    """Why a person is asked about a candidate: as in the queue, or "overruled" where nobody asked them."""
    if candidate != run.best or run.status in OPEN:
        return "overruled"
    mine = [review for review in store.reviews.latest([run.id]) if review.candidate == candidate]
    return _waits(run, store.runs.checks(run.id, candidate), mine, who, AUDIT, TWICE) or "overruled"


def _waits(
    run: RunRow, checks: Sequence[CheckRow], decisions: Sequence[Review], who: str, audit: float, twice: float
) -> Why | None:
    """Why a run's picture waits for this person; None if it does not. `decisions`: the latest ones on the picture."""
    settled = {review.who for review in decisions if review.decision in _SETTLES}
    if any(review.who == who for review in decisions) or len(settled) >= (2 if _by_two(run, twice) else 1):
        return None
    return reason(run, checks, audit)


def _by_two(run: RunRow, share: float) -> bool:
    """Whether two people review the run's picture."""
    return chance(f"twice {run.id}") < share


def reason(run: RunRow, checks: Sequence[CheckRow], audit: float = AUDIT) -> Why | None:
    """Why the judge's opinion of a run's picture is not enough; None if it is. What people decided changes nothing."""
    if run.loop_status == "needs_review":
        return "unchecked" if any(c.must and c.outcome == "unchecked" for c in checks) else "unsure"
    if run.degraded:
        return "degraded"
    if run.loop_status == "accepted" and chance(f"audit {run.id}") < audit:
        return "audit"
    return None


def chance(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, so that the queue is the same each time it is made."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


@dataclass(frozen=True)
class Agreement:
    """How often two people agree on the same pictures. `kappa` is Cohen's kappa, the agreement beyond chance; None if
    chance alone would make them agree always."""

    pictures: int
    agreed: int
    kappa: float | None


def agreement(log: Sequence[Review]) -> Agreement:
    """Agreement of the first two people who decided on each picture."""
    by_picture: dict[tuple[str, str], list[bool]] = {}  # approved or not
    for review in latest(log):
        if review.decision in ("approve", "reject"):
            by_picture.setdefault((review.run, review.candidate), []).append(review.decision == "approve")
    pairs = [tuple(votes[:2]) for votes in by_picture.values() if len(votes) >= 2]
    n = len(pairs)
    if not n:
        return Agreement(0, 0, None)
    agreed = sum(a == b for a, b in pairs)
    first, second = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    by_chance = first * second + (1 - first) * (1 - second)
    return Agreement(n, agreed, None if by_chance == 1 else (agreed / n - by_chance) / (1 - by_chance))


_COLUMNS = ("at", "who", "run", "candidate", "decision", "why", "reason", "requirements", "reasons")


def as_jsonl(log: Sequence[Review]) -> str:
    """The log as JSON, one decision a line."""
    return "".join(review.model_dump_json() + "\n" for review in log)


def as_csv(log: Sequence[Review]) -> str:
    """The log as CSV. Cells that a spreadsheet would read as a formula get a leading quote."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for review in log:
        said = review.model_dump(mode="json") | {
            name: json.dumps(getattr(review, name), sort_keys=True, ensure_ascii=False)
            for name in ("requirements", "reasons")
        }
        cells = [str(said[name]) for name in _COLUMNS]
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in cells])
    return buffer.getvalue()
