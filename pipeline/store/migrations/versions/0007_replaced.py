"""A row of a batch may be run again: the run before is replaced, and statistics count the newest one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# Statistics read indexes only, so these have the new column too. The last element: the rows that an index is over.
INDEXES = (
    ("runs_by_outcome", ["status", "started", "hour", "batch", "images", "best", "replaced"], None),
    ("runs_by_seconds", ["seconds", "status", "hour", "batch", "replaced"], None),
    ("runs_decided", ["status", "hour", "batch", "replaced"], "decided_by IS NOT NULL"),
    ("runs_degraded", ["hour", "batch", "replaced"], "degraded IS NOT NULL"),
    ("runs_unread", ["hour", "batch", "replaced"], "reading IS NULL"),
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("replaced", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, columns, where in INDEXES:
        over = sa.text(where) if where else None
        op.drop_index(name, "runs")
        op.create_index(name, "runs", columns, sqlite_where=over, postgresql_where=over)
