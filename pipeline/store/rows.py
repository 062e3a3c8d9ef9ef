"""Inserting rows whose key may be in the table already, and querying by many keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pipeline.store.tables import Table

_AT_ONCE = 500


def dialect_of(session: Session) -> str:
    """sqlite or postgresql."""
    return session.get_bind().dialect.name


def insert_into(table: type[Table], dialect: str) -> Any:
    """An INSERT that can say what happens when the key is in the table already."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert
    # Into the table, not the class: nothing here needs the ORM, and without it inserts take half the time.
    return insert(table.__table__)


def add_new(session: Session, table: type[Table], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows whose key is not in the table yet. Existing rows stay as they are."""
    if rows:
        session.execute(insert_into(table, dialect_of(session)).on_conflict_do_nothing(), list(rows))


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Keys in portions that fit into one query."""
    return (keys[at : at + _AT_ONCE] for at in range(0, len(keys), _AT_ONCE))
