"""What people decided is the outcome of a run. Decisions of older stores count too."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

UTC = sa.DateTime(timezone=True)
RUNS = sa.table(
    "runs", sa.column("id"), sa.column("status"), sa.column("loop_status"), sa.column("reason"), sa.column("best"),
    sa.column("decided_by"), sa.column("decided_at", UTC),
)  # fmt: skip
REVIEWS = sa.table(
    "reviews", sa.column("id"), sa.column("run"), sa.column("candidate"), sa.column("who"), sa.column("at", UTC),
    sa.column("decision"), sa.column("record", sa.JSON()),
)  # fmt: skip
PAST = {"approve": "approved", "reject": "rejected"}
STATUS = {"approve": "accepted", "reject": "rejected"}


def upgrade() -> None:
    op.add_column("runs", sa.Column("loop_status", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("decided_by", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("decided_at", UTC, nullable=True))
    op.execute(RUNS.update().values(loop_status=RUNS.c.status))
    decided = sa.text("decided_by IS NOT NULL")
    op.create_index(
        "runs_decided", "runs", ["status", "hour", "batch"], sqlite_where=decided, postgresql_where=decided
    )
    _settle_all(op.get_bind())


def _settle_all(connection: sa.Connection) -> None:
    """Settle the runs that have decisions, by the rules of this revision."""
    logs: dict[str, list[Any]] = {}
    for review in connection.execute(REVIEWS.select().order_by(REVIEWS.c.id)):
        logs.setdefault(review.run, []).append(review)
    for id, log in logs.items():
        best = connection.execute(sa.select(RUNS.c.best).where(RUNS.c.id == id)).scalar()
        last = _last_by_candidate(log)
        approved = [review for review in last.values() if review.decision == "approve"]
        decision = max(approved, key=lambda review: int(review.id)) if approved else last.get(best)
        if decision is not None:
            said = [decision.record.get("reason", ""), *decision.record.get("reasons", {}).values()]
            why = "; ".join(filter(None, said))
            values = {
                "status": STATUS[decision.decision], "best": decision.candidate, "decided_by": decision.who,
                "decided_at": decision.at,
                "reason": f"{PAST[decision.decision]} by {decision.who}" + (f": {why}" if why else ""),
            }  # fmt: skip
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(**values))


def _last_by_candidate(log: list[Any]) -> dict[str | None, Any]:
    """The decision that counts for each candidate: the latest of those that were not taken back."""
    stacks: dict[tuple[str, str], list[Any]] = {}
    for review in log:
        stack = stacks.setdefault((review.candidate, review.who), [])
        if review.decision != "undo":
            stack.append(review)
        elif stack:
            stack.pop()
    found: dict[str | None, Any] = {}
    for (candidate, _), stack in stacks.items():
        mine = [review for review in stack if review.decision in PAST][-1:]
        for review in mine:
            if candidate not in found or found[candidate].id < review.id:
                found[candidate] = review
    return found
