"""Kept results: a model's answer to one input, under a hash of everything that decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, Text, cast, delete, func, select

from pipeline.calls.kept import Result
from pipeline.store.engine import reading, writing
from pipeline.store.pictures import Pictures
from pipeline.store.rows import add_new, chunks
from pipeline.store.tables import ResultRow

_AT_ONCE = 500  # results that one transaction drops


class Results:
    def __init__(self, engine: Engine, pictures: Pictures) -> None:
        self._engine, self._pictures = engine, pictures

    def get(self, keys: Sequence[str]) -> dict[str, Result]:
        """The results of those keys that have one. A result whose picture is gone or damaged counts as missing."""
        found: dict[str, Result] = {}
        with reading(self._engine) as session:
            rows = [
                row
                for some in chunks(keys)
                for row in session.scalars(select(ResultRow).where(ResultRow.key.in_(some)))
            ]
        for row in rows:
            if row.image is None:
                found[row.key] = Result(row.value, seconds=row.seconds, joules=row.joules)
            elif (image := self._pictures.get(row.image)) is not None:
                found[row.key] = Result(row.value, image, seconds=row.seconds, joules=row.joules)
        return found

    def put(self, stage: str, results: Mapping[str, Result]) -> None:
        """Keep results. Pictures are written first, so that no row names a missing one."""
        now = datetime.now(UTC)
        rows = []
        for key, result in results.items():
            image = None if result.image is None else self._pictures.keep(result.image)
            rows.append(
                {
                    "key": key, "stage": stage, "image": image, "at": now, "value": result.value,
                    "seconds": result.seconds, "joules": result.joules,
                }
            )  # fmt: skip
        with writing(self._engine) as session:
            add_new(session, ResultRow, rows)

    def count(self) -> dict[str, int]:
        """How many results are kept, by stage."""
        with reading(self._engine) as session:
            rows = session.execute(select(ResultRow.stage, func.count()).group_by(ResultRow.stage))
            return {stage: int(number) for stage, number in rows}

    def older(self, before: datetime) -> tuple[int, int]:
        """How many results were kept before a moment, and the bytes of their values."""
        size = func.coalesce(func.sum(func.length(cast(ResultRow.value, Text))), 0)
        with reading(self._engine) as session:
            found = session.execute(select(func.count(), size).where(ResultRow.at < before)).one()
            return int(found[0]), int(found[1])

    def forget(self, before: datetime) -> int:
        """Drop results that were kept before a moment. Returns how many. Their pictures stay: runs may show them."""
        some = select(ResultRow.key).where(ResultRow.at < before).limit(_AT_ONCE)
        gone = 0
        while True:  # in short transactions, so that others can write in between
            with writing(self._engine) as session:
                keys = list(session.scalars(some))
                session.execute(delete(ResultRow).where(ResultRow.key.in_(keys)))
            gone += len(keys)
            if len(keys) < _AT_ONCE:
                return gone

    def naming(self, pictures: Sequence[str], since: datetime) -> set[str]:
        """Those of these pictures that a result names that was kept at `since` or later."""
        with reading(self._engine) as session:
            return {
                str(name)
                for some in chunks(pictures)
                for name in session.scalars(
                    select(ResultRow.image).where(ResultRow.image.in_(some), ResultRow.at >= since)
                )
            }
