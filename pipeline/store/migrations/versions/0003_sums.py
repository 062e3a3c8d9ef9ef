"""Sums and indexes that statistics are read from, so that their time does not grow with the history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

UTC = sa.DateTime(timezone=True)
# Expressions that the two databases write differently; `c` is a row of calls.
SQLITE = {
    "run_hour": "substr(started, 1, 13)",
    "call_hour": "substr(c.started, 1, 13)",
    "inputs": "json_array_length(record, '$.inputs')",
    "whole_seconds": "coalesce(json_extract(c.record, '$.wall'), c.seconds)",
    "measured": "coalesce(json_extract(c.record, '$.measured'), 0)",
}
POSTGRES = {
    "run_hour": "to_char(started AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')",
    "call_hour": "to_char(c.started AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')",
    "inputs": "json_array_length(record -> 'inputs')",
    "whole_seconds": "coalesce((c.record ->> 'wall')::double precision, c.seconds)",
    "measured": "coalesce((c.record ->> 'measured')::boolean, false)",
}
FILL = (
    "UPDATE runs SET hour = {run_hour}",
    "UPDATE calls SET worked = {inputs} - kept WHERE error IS NULL",
    """
    INSERT INTO whole_calls (stage, started, run_hour, batch, seconds, answered, failed, degraded)
    SELECT c.stage, c.started, min(r.hour), min(coalesce(r.batch, '')), max({whole_seconds}), max(c.worked) > 0,
      max(CASE WHEN c.error IS NOT NULL THEN 1 ELSE 0 END) = 1,
      max(CASE WHEN c.degraded IS NOT NULL THEN 1 ELSE 0 END) = 1
    FROM calls c JOIN runs r ON r.id = c.run GROUP BY c.stage, c.started
    """,
    """
    INSERT INTO hourly_costs (run_hour, batch, hour, stage, seconds, tokens, images, joules, money, estimated)
    SELECT r.hour, coalesce(r.batch, ''), {call_hour}, c.stage, sum(c.seconds), sum(c.tokens),
      sum(CASE WHEN c.stage = 'image' THEN c.worked ELSE 0 END), sum(c.joules), sum(c.money),
      sum(CASE WHEN {measured} THEN 0 ELSE 1 END)
    FROM calls c JOIN runs r ON r.id = c.run GROUP BY 1, 2, 3, 4
    """,
    """
    INSERT INTO hourly_checks (run_hour, batch, kind, outcome, checks)
    SELECT r.hour, coalesce(r.batch, ''), c.kind, c.outcome, count(*)
    FROM checks c JOIN runs r ON r.id = c.run WHERE c.must GROUP BY 1, 2, 3, 4
    """,
)
FALLEN = sa.or_(sa.column("failed", sa.Boolean()), sa.column("degraded", sa.Boolean()))


def upgrade() -> None:
    op.add_column("runs", _hour("hour"))
    op.add_column("calls", sa.Column("worked", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "whole_calls",
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("started", UTC, nullable=False),
        _hour("run_hour"),
        sa.Column("batch", sa.Text(), nullable=False, server_default=""),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "started"),
    )
    op.create_table(
        "hourly_costs",
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("run_hour", sa.String(length=13), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("joules", sa.Double(), nullable=False),
        sa.Column("money", sa.Double(), nullable=False),
        sa.Column("estimated", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "stage", "run_hour", "batch"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hourly_checks",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("run_hour", sa.String(length=13), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "outcome", "run_hour", "batch"),
        sqlite_with_rowid=False,
    )
    words = SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES
    for statement in FILL:
        op.execute(statement.format(**words))
    for name, table in (
        ("ix_runs_started", "runs"), ("ix_runs_batch", "runs"), ("ix_runs_preset", "runs"),
        ("runs_by_outcome", "runs"), ("ix_calls_stage", "calls"), ("ix_calls_started", "calls"),
        ("ix_checks_kind", "checks"), ("ix_checks_outcome", "checks"),
    ):  # fmt: skip
        op.drop_index(name, table)
    for name, table, columns, where in (
        ("runs_by_start", "runs", "started id", None),
        ("runs_by_batch", "runs", "batch started hour", None),
        ("runs_by_preset", "runs", "preset started", None),
        ("runs_by_hour", "runs", "hour batch", None),
        ("runs_by_outcome", "runs", "status started hour batch images best", None),
        ("runs_by_seconds", "runs", "seconds status hour batch", None),
        ("runs_degraded", "runs", "hour batch", "degraded IS NOT NULL"),
        ("runs_unread", "runs", "hour batch", "reading IS NULL"),
        ("calls_fallen", "calls", "started", "degraded IS NOT NULL OR error IS NOT NULL"),
        ("checks_by_kind", "checks", "kind run", None),
        ("whole_calls_by_seconds", "whole_calls", "stage seconds answered run_hour batch", None),
        ("whole_calls_fallen", "whole_calls", "stage failed degraded run_hour batch", FALLEN),
        ("results_by_image", "results", "image at", None),
    ):
        condition = sa.text(where) if isinstance(where, str) else where
        op.create_index(name, table, columns.split(), sqlite_where=condition, postgresql_where=condition)


def _hour(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=13), nullable=False, server_default="")
