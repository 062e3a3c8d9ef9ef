"""Alembic's entry: runs on the connection that `pipeline.store.engine.migrate` hands over."""

from __future__ import annotations

from alembic import context

from pipeline.store.tables import Table

connection = context.config.attributes["connection"]
# Transactional in both databases; the caller has begun the transaction.
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
context.run_migrations()
