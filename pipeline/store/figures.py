"""What became of given runs, for reports: a few queries, however many runs are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, and_, case, func, select

from models.specs import STAGES
from pipeline.calls.record import Call, Paid
from pipeline.store.engine import reading
from pipeline.store.rows import chunks
from pipeline.store.tables import CallRow, CandidateRow, CheckRow, RunRow


@dataclass
class StageCost:
    """What calls of one stage took; `kept` counts inputs that were answered from kept results."""

    stage: str
    calls: int = 0
    kept: int = 0
    seconds: float = 0.0
    tokens: int = 0
    image_steps: int = 0
    joules: float = 0.0
    money: float = 0.0
    degraded: int = 0


@dataclass(frozen=True)
class StageSpeed:
    """What calls of one stage took for `inputs` that the model answered. Calls with kept answers are left out."""

    seconds: float
    inputs: int
    tokens: int
    joules: float
    image_steps: int


class Figures:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def runs(self, ids: Sequence[str]) -> dict[str, RunRow]:
        """The runs of these ids."""
        with reading(self._engine) as session:
            return {
                run.id: run
                for some in chunks(ids)
                for run in session.scalars(select(RunRow).where(RunRow.id.in_(some)))
            }

    def best(self, ids: Sequence[str]) -> dict[str, CandidateRow]:
        """Each run's best candidate, where it has one."""
        its = and_(CandidateRow.run == RunRow.id, CandidateRow.id == RunRow.best)
        with reading(self._engine) as session:
            return {
                candidate.run: candidate
                for some in chunks(ids)
                for candidate in session.scalars(
                    select(CandidateRow).join(RunRow, its).where(RunRow.id.in_(some))
                )
            }

    def checks(self, ids: Sequence[str]) -> dict[str, list[CheckRow]]:
        """The checks of each run's best candidate, in the order of its requirements."""
        its = and_(CheckRow.run == RunRow.id, CheckRow.candidate == RunRow.best)
        found: dict[str, list[CheckRow]] = {}
        with reading(self._engine) as session:
            for some in chunks(ids):
                query = select(CheckRow).join(RunRow, its).where(RunRow.id.in_(some))
                for check in session.scalars(
                    query.order_by(func.length(CheckRow.requirement), CheckRow.requirement)
                ):
                    found.setdefault(check.run, []).append(check)
        return found

    def costs(self, ids: Sequence[str]) -> list[StageCost]:
        """What the model calls of these runs took, by stage."""
        found: dict[str, StageCost] = {stage: StageCost(stage) for stage in STAGES}
        sums = (
            func.count(), func.sum(CallRow.kept), func.sum(CallRow.seconds), func.sum(CallRow.tokens),
            func.sum(CallRow.image_steps), func.sum(CallRow.joules), func.sum(CallRow.money),
            func.count(CallRow.degraded),
        )  # fmt: skip
        names = ("calls", "kept", "seconds", "tokens", "image_steps", "joules", "money", "degraded")
        with reading(self._engine) as session:
            for some in chunks(ids):
                query = select(CallRow.stage, *sums).where(CallRow.run.in_(some)).group_by(CallRow.stage)
                for stage, *values in session.execute(query):
                    cost = found[stage]
                    for name, value in zip(names, values, strict=True):
                        setattr(cost, name, getattr(cost, name) + value)
        return list(found.values())

    def paid(self, ids: Sequence[str]) -> dict[str, Paid]:
        """What the models did for each of these runs, over all processes that worked on it."""
        paints = and_(CallRow.stage == "image", CallRow.worked > 0)
        steps = (
            CallRow.image_steps * CallRow.worked / (CallRow.worked + CallRow.kept)
        )  # of calls with kept images too
        columns = (
            case((paints, CallRow.worked), else_=0), case((paints, steps), else_=0), CallRow.tokens, CallRow.seconds,
            CallRow.joules, CallRow.money,
        )  # fmt: skip
        found: dict[str, Paid] = {}
        with reading(self._engine) as session:
            for some in chunks(ids):
                query = select(CallRow.run, *map(func.sum, columns)).where(CallRow.run.in_(some))
                for run, images, steps_, tokens, seconds, joules, money in session.execute(
                    query.group_by(CallRow.run)
                ):
                    found[run] = Paid(
                        images=int(images), image_steps=round(steps_), tokens=int(tokens), seconds=seconds,
                        joules=joules, money=money,
                    )  # fmt: skip
        return found

    def in_all(self, ids: Sequence[str]) -> dict[str, Paid]:
        """What each of these runs needed: what was paid, and what its kept answers took when they were made."""
        found: dict[str, list[Call]] = {}
        with reading(self._engine) as session:
            for some in chunks(ids):
                for run, record in session.execute(
                    select(CallRow.run, CallRow.record).where(CallRow.run.in_(some))
                ):
                    found.setdefault(run, []).append(Call.model_validate(record))
        return {run: _needed(calls) for run, calls in found.items()}

    def images_of_newest(self, presets: Sequence[str], most: int) -> dict[str, int]:
        """Run id → images of the newest ended runs, at most `most` of each preset."""
        found: dict[str, int] = {}
        with reading(self._engine) as session:
            for preset in presets:
                query = (
                    select(RunRow.id, RunRow.images)
                    .where(RunRow.preset == preset, RunRow.ended.is_not(None))
                    .order_by(RunRow.started.desc())
                )
                found.update(row.tuple() for row in session.execute(query.limit(most)))
        return found

    def speeds(self, ids: Sequence[str]) -> dict[str, StageSpeed]:
        """What calls of these runs took, by stage; a stage without calls is left out."""
        columns = (CallRow.seconds, CallRow.worked, CallRow.tokens, CallRow.joules, CallRow.image_steps)
        sums: dict[str, list[float]] = {}
        with reading(self._engine) as session:
            for some in chunks(ids):
                query = (
                    select(CallRow.stage, *map(func.sum, columns))
                    .where(CallRow.run.in_(some), CallRow.worked > 0, CallRow.kept == 0)
                    .group_by(CallRow.stage)
                )
                for stage, *values in session.execute(query):
                    before = sums.setdefault(stage, [0.0] * len(columns))
                    sums[stage] = [a + float(b) for a, b in zip(before, values, strict=True)]
        return {
            stage: StageSpeed(seconds, int(inputs), int(tokens), joules, int(steps))
            for stage, (seconds, inputs, tokens, joules, steps) in sums.items()
        }


def _needed(calls: Sequence[Call]) -> Paid:
    costs = [call.with_kept for call in calls]
    return Paid(
        images=sum(call.images for call in calls), image_steps=sum(call.image_steps for call in calls),
        tokens=sum(call.tokens_with_kept for call in calls), seconds=sum(cost.seconds for cost in costs),
        joules=sum(cost.joules for cost in costs), money=sum(cost.money for cost in costs),
    )  # fmt: skip
