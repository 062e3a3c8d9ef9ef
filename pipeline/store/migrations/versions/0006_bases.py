"""Checks say what the judge said and for what its band holds, so that people's decisions become bands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("checks", sa.Column("said", sa.Double(), nullable=True))
    op.add_column("checks", sa.Column("basis", sa.String(length=16), nullable=True))
    op.create_table(
        "bases",
        sa.Column("key", sa.String(length=16), primary_key=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("judges", sa.JSON(), nullable=False),
        sa.Column("painter", sa.Text(), nullable=False),
        sa.Column("wording", sa.String(length=16), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("itself", sa.JSON(), nullable=False),
    )
