"""A call says whether a smaller model handed its items up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "whole_calls", sa.Column("handed_up", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    over = sa.text("handed_up")
    columns = ["stage", "handed_up", "run_hour", "batch", "seconds", "answered"]
    op.create_index("whole_calls_handed_up", "whole_calls", columns, sqlite_where=over, postgresql_where=over)
