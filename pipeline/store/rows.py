"""Adding rows that may be there already, and asking for many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pipeline.store.tables import Table

_AT_ONCE = 500


def add_new(session: Session, table: type[Table], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows whose key is not there yet; what is there stays as it is."""
    if not rows:
        return
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    # Of the table, not of the class: nothing here needs what the ORM adds, and it takes half of the time.
    session.execute(insert(table.__table__).on_conflict_do_nothing(), list(rows))


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Keys in portions that fit into one query."""
    return (keys[at : at + _AT_ONCE] for at in range(0, len(keys), _AT_ONCE))
