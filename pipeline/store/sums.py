"""Sums over runs by hour, kept up to date in the transaction that writes a run's rows. Statistics read these sums.

Sums of a run go under the hour it began in and its batch, so that statistics can choose runs by either. The caller
adds each row once: a row that was written before must not be added again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import Session

from pipeline.store.rows import dialect_of, insert_into
from pipeline.store.tables import HourlyCheckRow, HourlyCostRow, Table, WholeCallRow

HOUR = "%Y-%m-%d %H"  # as the columns `hour` and `run_hour` hold it; its beginning is the day

_COSTS = ("seconds", "tokens", "images", "joules", "money", "estimated")


@dataclass(frozen=True)
class Place:
    """Where the sums of a run go."""

    run_hour: str
    batch: str  # empty: none


def hour_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):{HOUR}}"


def add_calls(session: Session, place: Place, calls: Sequence[dict[str, Any]]) -> None:
    """Add rows of `calls`, with their records, to the whole calls and to the costs of their hours."""
    _add_whole_calls(session, place, calls)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for call in calls:
        key = hour_of(call["started"]), call["stage"]
        costs = found.setdefault(key, dict.fromkeys(_COSTS, 0))
        for name in ("seconds", "tokens", "joules", "money"):
            costs[name] += call[name]
        costs["images"] += call["worked"] if call["stage"] == "image" else 0
        costs["estimated"] += not call["record"]["measured"]
    _add(
        session,
        HourlyCostRow,
        [
            {"run_hour": place.run_hour, "batch": place.batch, "hour": hour, "stage": stage, **costs}
            for (hour, stage), costs in sorted(found.items())
        ],
        _COSTS,
    )


def add_checks(session: Session, place: Place, checks: Sequence[dict[str, Any]], times: int = 1) -> None:
    """Add rows of `checks`; only those of must-haves count. `times`: -1 takes them away again."""
    found: dict[tuple[str, str], int] = {}
    for check in checks:
        key = check["kind"], check["outcome"]
        found[key] = found.get(key, 0) + bool(check["must"])
    rows = [
        {
            "run_hour": place.run_hour,
            "batch": place.batch,
            "kind": kind,
            "outcome": outcome,
            "checks": times * count,
        }
        for (kind, outcome), count in sorted(found.items())
        if count
    ]
    _add(session, HourlyCheckRow, rows, ("checks",))


def _add_whole_calls(session: Session, place: Place, calls: Sequence[dict[str, Any]]) -> None:
    rows = [
        {
            "stage": call["stage"], "started": call["started"], "run_hour": place.run_hour, "batch": place.batch,
            "seconds": call["seconds"] if (wall := call["record"]["wall"]) is None else wall,
            "answered": call["worked"] > 0, "failed": call["error"] is not None,
            "degraded": call["degraded"] is not None, "handed_up": call["record"].get("handed_up") is not None,
        }
        for call in calls
    ]  # fmt: skip
    if rows:
        session.execute(_merging(dialect_of(session)), rows)


@cache
def _merging(dialect: str) -> Any:
    """INSERT of whole calls. The part written first may have had only kept answers: a later one can add its own."""
    insert = insert_into(WholeCallRow, dialect)
    answered = or_(WholeCallRow.answered, insert.excluded.answered)
    keys = [WholeCallRow.stage, WholeCallRow.started]
    return insert.on_conflict_do_update(index_elements=keys, set_={"answered": answered})


def _add(session: Session, table: type[Table], rows: Sequence[dict[str, Any]], sums: Sequence[str]) -> None:
    """Insert the rows; where a key is there already, add the columns `sums` to it. Rows come in the order of their
    keys, so that two writers do not wait for each other in a circle."""
    if rows:
        session.execute(_adding(table, tuple(sums), dialect_of(session)), list(rows))


@cache
def _adding(table: type[Table], sums: tuple[str, ...], dialect: str) -> Any:
    insert, columns = insert_into(table, dialect), table.__table__.columns
    added = {name: columns[name] + insert.excluded[name] for name in sums}
    return insert.on_conflict_do_update(index_elements=list(table.__table__.primary_key), set_=added)
