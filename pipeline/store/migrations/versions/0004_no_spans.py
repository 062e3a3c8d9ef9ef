"""Spans are made from the other records whenever they are wanted, so their table goes."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_table("spans")
