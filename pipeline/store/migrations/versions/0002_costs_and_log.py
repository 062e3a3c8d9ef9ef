"""A kept result says what it took to make; the database itself holds reviews to be a log that only grows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

REFUSAL = "reviews are a log: rows are added, never changed or deleted"
SQLITE = (
    f"CREATE TRIGGER reviews_stay BEFORE UPDATE ON reviews BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    f"CREATE TRIGGER reviews_are_kept BEFORE DELETE ON reviews BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    # INSERT OR REPLACE deletes without a word to the trigger above.
    "CREATE TRIGGER reviews_are_new BEFORE INSERT ON reviews WHEN NEW.id IN (SELECT id FROM reviews) "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
)
POSTGRES = (
    "CREATE FUNCTION reviews_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE TRIGGER reviews_stay BEFORE UPDATE OR DELETE ON reviews FOR EACH ROW EXECUTE FUNCTION reviews_refuse()",
    "CREATE TRIGGER reviews_are_kept BEFORE TRUNCATE ON reviews EXECUTE FUNCTION reviews_refuse()",
)


def upgrade() -> None:
    for name in ("seconds", "joules"):
        op.add_column("results", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)
