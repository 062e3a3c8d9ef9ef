"""Kept results: what a model answered to one input, under the hash of everything that decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, select

from pipeline.calls.kept import Result
from pipeline.store.engine import reading, writing
from pipeline.store.pictures import Pictures
from pipeline.store.rows import add_new, chunks
from pipeline.store.tables import ResultRow


class Results:
    def __init__(self, engine: Engine, pictures: Pictures) -> None:
        self._engine, self._pictures = engine, pictures

    def get(self, keys: Sequence[str]) -> dict[str, Result]:
        """Those of the keys whose result is kept whole; a result whose picture is gone or damaged is not."""
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
        """Keep results. The picture comes first: a row never names a picture that is not there."""
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

    def forget(self, before: datetime) -> int:
        """Drop results kept before a moment; returns how many. Pictures stay: runs may show them."""
        with writing(self._engine) as session:
            gone = list(
                session.scalars(delete(ResultRow).where(ResultRow.at < before).returning(ResultRow.key))
            )
            return len(gone)
