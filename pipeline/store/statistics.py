"""Counts over the whole history, made by the database. What grows with the calls is read from the sums, see `sums`.

Of a row of a batch that was run again, the newest run counts; what calls took counts for all runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, case, func, or_, select, text
from sqlalchemy.orm import Session

from models.specs import STAGES
from pipeline.store.engine import reading
from pipeline.store.runs import OPEN
from pipeline.store.sums import hour_of
from pipeline.store.tables import CallRow, HourlyCheckRow, HourlyCostRow, RunRow, WholeCallRow


@dataclass(frozen=True)
class Selection:
    """Which runs count: those of a batch, those that began in the hour of `since` or later; None: all."""

    batch: str | None = None
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        return self.batch is None and self.since is None

    def of_runs(self) -> list[Any]:
        """Conditions on rows of runs. On expressions, not on the columns: SQLite would use their indexes, and read
        whole rows for what an index of another order holds."""
        return self.on(RunRow.hour.concat(""), RunRow.batch.concat(""))

    def of_sums(self, table: Any) -> list[Any]:
        """Conditions on rows that carry `run_hour` and `batch`."""
        return self.on(table.run_hour, table.batch)

    def of_calls(self) -> list[Any]:
        """Conditions on rows of calls. By EXISTS, so that the calls are found first and their runs looked up."""
        if self.everything:
            return []
        return [select(RunRow.id).where(RunRow.id == CallRow.run, *self.of_runs()).exists()]

    def on(self, hour: Any, batch: Any) -> list[Any]:
        """Conditions on columns that hold the hour in which a run began, and its batch."""
        conditions = [] if self.since is None else [hour >= hour_of(self.since)]
        return conditions if self.batch is None else [*conditions, batch == self.batch]


_NEWEST = RunRow.replaced.is_(False)  # the newest run of each row of a batch, and all runs that are of none


@dataclass(frozen=True)
class StatusFigures:
    """The runs of one status."""

    runs: int = 0
    painted: int = 0  # runs with at least one image
    first: int = 0  # runs whose best image is from the first attempt
    images: int = 0


@dataclass(frozen=True)
class Percentiles:
    """Of the seconds of whole calls of a stage that the model answered, by linear interpolation; 0 without any."""

    calls: int
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class StageCosts:
    """What the calls of one stage took in a period."""

    period: str
    stage: str
    seconds: float
    tokens: int
    images: int  # painted, not kept
    joules: float
    money: float
    estimated: int  # calls whose joules are estimated, not measured


class Statistics:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def statuses(self, chosen: Selection) -> dict[str, StatusFigures]:
        """The chosen runs, by status."""
        painted = or_(RunRow.images > 0, RunRow.best.is_not(None))
        query = (
            select(
                RunRow.status, func.count(), _count(painted), _count(RunRow.best.startswith("1-")),
                func.sum(RunRow.images),
            )
            .where(_NEWEST, *chosen.of_runs())
            .group_by(RunRow.status)
        )  # fmt: skip
        with reading(self._engine) as session:
            return {status: StatusFigures(*map(int, counts)) for status, *counts in session.execute(query)}

    def unread(self, chosen: Selection) -> int:
        """How many of the chosen runs have no requirements yet."""
        query = (
            select(func.count())
            .select_from(RunRow)
            .where(RunRow.reading.is_(None), _NEWEST, *chosen.of_runs())
        )
        with reading(self._engine) as session:
            return int(session.scalar(query) or 0)

    def starts(self, chosen: Selection, length: int) -> dict[str, int]:
        """How many of the chosen runs began in each period; for `length` see `costs`."""
        period = func.substr(RunRow.hour, 1, length)
        query = select(period, func.count()).where(*chosen.of_runs()).group_by(text("1"))
        with reading(self._engine) as session:
            return {name: int(count) for name, count in session.execute(query)}

    def median_seconds(self, chosen: Selection) -> float | None:
        """Of the chosen runs that have ended."""
        seconds = select(RunRow.seconds).where(RunRow.status.not_in(OPEN), _NEWEST, *chosen.of_runs())
        with reading(self._engine) as session:
            count = int(session.scalar(select(func.count()).select_from(seconds.subquery())) or 0)
            return _percentile(session, seconds, RunRow.seconds, count, 50) if count else None

    def percentiles(self, chosen: Selection) -> dict[str, Percentiles]:
        """How long whole calls took, by stage."""
        answered = (WholeCallRow.answered, *chosen.of_sums(WholeCallRow))
        counted = select(WholeCallRow.stage, func.count()).where(*answered).group_by(WholeCallRow.stage)
        found: dict[str, Percentiles] = {}
        with reading(self._engine) as session:
            counts = {stage: int(count) for stage, count in session.execute(counted)}
            for stage in STAGES:
                count = counts.get(stage, 0)
                seconds = select(WholeCallRow.seconds).where(WholeCallRow.stage == stage, *answered)
                p50, p90, p99 = (
                    _percentile(session, seconds, WholeCallRow.seconds, count, percent)
                    for percent in (50, 90, 99)
                )
                found[stage] = Percentiles(count, p50, p90, p99)
        return found

    def fallen_calls(self, chosen: Selection) -> dict[str, tuple[int, int]]:
        """How many whole calls failed, and how many were answered by a fallback, by stage."""
        query = (
            select(WholeCallRow.stage, _count(WholeCallRow.failed), _count(WholeCallRow.degraded))
            .where(or_(WholeCallRow.failed, WholeCallRow.degraded), *chosen.of_sums(WholeCallRow))
            .group_by(WholeCallRow.stage)
        )
        with reading(self._engine) as session:
            return {stage: (int(failed), int(down)) for stage, failed, down in session.execute(query)}

    def handed_up(self, chosen: Selection) -> dict[str, tuple[int, float]]:
        """How many whole calls were about what a smaller model left open, and their seconds, by stage; kept answers
        are left out."""
        query = (
            select(WholeCallRow.stage, func.count(), func.sum(WholeCallRow.seconds))
            .where(WholeCallRow.handed_up, WholeCallRow.answered, *chosen.of_sums(WholeCallRow))
            .group_by(WholeCallRow.stage)
        )
        with reading(self._engine) as session:
            return {stage: (int(calls), float(seconds)) for stage, calls, seconds in session.execute(query)}

    def newest_fallen(self, chosen: Selection, limit: int) -> list[CallRow]:
        """The newest calls that failed or were answered by another model, the newest first."""
        fallen = or_(CallRow.degraded.is_not(None), CallRow.error.is_not(None))
        query = select(CallRow).where(fallen, *chosen.of_calls()).order_by(CallRow.started.desc())
        with reading(self._engine) as session:
            return list(session.scalars(query.limit(limit)))

    def degraded_runs(self, chosen: Selection) -> dict[str, int]:
        """The reasons of degraded runs, joined by `REASONS` as a run has them, and how many runs have them."""
        query = (
            select(RunRow.degraded, func.count())
            .where(RunRow.degraded.is_not(None), _NEWEST, *chosen.of_runs())
            .group_by(RunRow.degraded)
        )
        with reading(self._engine) as session:
            return {str(reasons): int(count) for reasons, count in session.execute(query)}

    def costs(self, chosen: Selection, length: int) -> list[StageCosts]:
        """What calls took, by period and stage, in order of time. A period is named by the first `length` characters
        of its hours, "2026-03-01 14" in UTC: 13 for hours, 10 for days, 7 for months."""
        period = func.substr(HourlyCostRow.hour, 1, length).label("period")
        names = ("seconds", "tokens", "images", "joules", "money", "estimated")
        sums = [func.sum(getattr(HourlyCostRow, name)).label(name) for name in names]
        query = (
            select(period, HourlyCostRow.stage, *sums)
            .where(*chosen.of_sums(HourlyCostRow))
            .group_by(text("1"), HourlyCostRow.stage)
            .order_by(text("1"), HourlyCostRow.stage)
        )
        with reading(self._engine) as session:
            return [
                StageCosts(
                    row.period, row.stage, row.seconds, int(row.tokens), int(row.images), row.joules, row.money,
                    int(row.estimated),
                )
                for row in session.execute(query)
            ]  # fmt: skip

    def check_outcomes(self, chosen: Selection) -> dict[str, dict[str, int]]:
        """How many checks of must-haves had which outcome: kind of requirement → outcome → checks."""
        query = (
            select(HourlyCheckRow.kind, HourlyCheckRow.outcome, func.sum(HourlyCheckRow.checks))
            .where(*chosen.of_sums(HourlyCheckRow))
            .group_by(HourlyCheckRow.kind, HourlyCheckRow.outcome)
            .order_by(HourlyCheckRow.kind, HourlyCheckRow.outcome)
        )
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as session:
            for kind, outcome, count in session.execute(query):
                found.setdefault(kind, {})[outcome] = int(count)
        return found

    def decided(self, chosen: Selection) -> dict[str, int]:
        """How many of the chosen runs people accepted, and how many they rejected, by status."""
        query = (
            select(RunRow.status, func.count())
            .where(RunRow.decided_by.is_not(None), _NEWEST, *chosen.of_runs())
            .group_by(RunRow.status)
        )
        with reading(self._engine) as session:
            return {status: int(count) for status, count in session.execute(query)}

    def newest(self, chosen: Selection) -> RunRow | None:
        query = (
            select(RunRow)
            .where(*chosen.on(RunRow.hour, RunRow.batch))
            .order_by(RunRow.started.desc(), RunRow.id)
        )
        with reading(self._engine) as session:
            return session.scalar(query.limit(1))


def _count(condition: Any) -> Any:
    """How many rows meet the condition."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _percentile(session: Session, values: Select[Any], column: Any, count: int, percent: int) -> float:
    """By linear interpolation between the two nearest of `count` values; 0 where there are none."""
    if not count:
        return 0.0
    place, rest = divmod((count - 1) * percent, 100)
    # Counted from the nearer end, since the database steps over what comes before.
    after = count - 1 - place
    if place <= after:
        near = list(session.scalars(values.order_by(column).offset(place).limit(2)))
    else:
        upper = list(session.scalars(values.order_by(column.desc()).offset(max(0, after - 1)).limit(2)))
        near = upper[::-1] if after else upper[:1]
    return float(near[0]) if len(near) == 1 else float(near[0] + (near[1] - near[0]) * rest / 100)
