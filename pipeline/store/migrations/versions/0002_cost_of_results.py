"""A kept result says what it took to make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("seconds", "joules"):
        op.add_column("results", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
