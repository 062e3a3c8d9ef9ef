"""Runs: what happens to one brief in the loop, written as it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from pipeline.brief import Brief, Requirement
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Attempt, Event, Started
from pipeline.files import slug
from pipeline.store.bases import rows_of
from pipeline.store.engine import reading, writing
from pipeline.store.outcomes import settle
from pipeline.store.pictures import Pictures
from pipeline.store.rows import add_new, chunks
from pipeline.store.sums import Place, add_calls, add_checks, hour_of
from pipeline.store.tables import AttemptRow, BasisRow, CallRow, CandidateRow, CheckRow, ReviewRow, RunRow

T = TypeVar("T")
RUNNING, STOPPED = "running", "stopped"
OPEN = (RUNNING, STOPPED)
REASONS = ";\n"  # between the reasons for which a run was degraded; "; " may be part of one


class Runs:
    def __init__(self, engine: Engine, pictures: Pictures) -> None:
        self._engine, self._pictures = engine, pictures

    def begin(
        self,
        id: str,
        brief: Brief,
        preset: Preset,
        out: Path,
        batch: str | None = None,
        job: str | None = None,
    ) -> str:
        """Enter a run. Returns the name of its folder below `out`: a new one, or its own if it was entered before."""
        with writing(self._engine) as session:
            if (mine := session.get(RunRow, id)) is not None:
                if mine.loop_status == STOPPED:
                    mine.loop_status = RUNNING
                    mine.status = RUNNING if mine.status == STOPPED else mine.status
                return mine.folder
            return _enter(session, id, brief, preset, out, batch, job, RUNNING)

    def begin_again(
        self, retries: Mapping[str, tuple[str, Brief, Preset]], out: Path, batch: str | None = None
    ) -> None:
        """Enter runs that replace others, all of them or none; they are stopped until they begin. `retries`: id of
        the run before → id, brief and preset of the new one."""
        with writing(self._engine) as session:
            for old, (id, brief, preset) in retries.items():
                _enter(session, id, brief, preset, out, batch, None, STOPPED)
                _replace(session, old)
                session.flush()

    def take(self, id: str, event: Event) -> None:
        """Write what an event adds. A run that is played again after it was cut short sends its first events again:
        what they wrote before stays as it is."""
        if isinstance(event, Started):
            self._start(id, event)
        elif isinstance(event, Attempt):
            self._attempt(id, event)
        else:
            values = {
                "status": event.status, "loop_status": event.status, "reason": event.reason,
                "images": event.images, "tokens": event.tokens, "seconds": event.seconds,
                "best": event.best.id if event.best else None, "degraded": REASONS.join(event.degraded) or None,
                "ended": datetime.now(UTC), "outcome": event.model_dump(mode="json", exclude={"brief"}),
            }  # fmt: skip
            with writing(self._engine) as session:
                session.execute(update(RunRow).where(RunRow.id == id).values(**values))
                log = select(ReviewRow).where(ReviewRow.run == id).order_by(ReviewRow.id)
                # People may decide on a picture while others are being painted.
                if decisions := list(session.scalars(log)):
                    settle(session.get_one(RunRow, id), decisions)

    def _start(self, id: str, event: Started) -> None:
        values: dict[str, Any] = {
            "reading": event.reading.model_dump(mode="json"),
            "degraded": event.reading.degraded,
        }
        with writing(self._engine) as session:
            session.execute(update(RunRow).where(RunRow.id == id).values(**values))
            first = select(CallRow.position).where(CallRow.run == id, CallRow.attempt == 0).limit(1)
            if event.calls and session.execute(first).first() is None:
                calls = _calls(id, 0, event.calls)
                add_new(session, CallRow, calls)
                hour, batch = session.execute(select(RunRow.hour, RunRow.batch).where(RunRow.id == id)).one()
                add_calls(session, Place(hour, batch or ""), calls)

    def _attempt(self, id: str, attempt: Attempt) -> None:
        images = [self._pictures.keep(candidate.image) for candidate in attempt.candidates]
        with writing(self._engine) as session:
            # Locked: sums must not be added twice at once. Columns, not the whole row, which takes twice the time.
            columns = select(RunRow.reading, RunRow.hour, RunRow.batch).where(RunRow.id == id)
            run = session.execute(columns.with_for_update()).one()
            same = select(AttemptRow.number).where(AttemptRow.run == id, AttemptRow.number == attempt.number)
            if session.execute(same).first() is not None:
                return
            wants = {r["id"]: Requirement(**r) for r in (run.reading or {}).get("requirements", ())}
            head = {
                "run": id, "number": attempt.number, "action": attempt.change.action,
                "record": attempt.model_dump(mode="json", include={"change", "next"}),
            }  # fmt: skip
            candidates, checks = [], []
            for candidate, verdict, image in zip(attempt.candidates, attempt.verdicts, images, strict=True):
                candidates.append(
                    {
                        "run": id, "id": candidate.id, "attempt": attempt.number, "image": image,
                        "seed": candidate.plan.seed, "gate": verdict.gate, "score": verdict.score,
                        "record": candidate.model_dump(mode="json"),
                    }
                )  # fmt: skip
                for check in verdict.checks:
                    want = wants.get(check.requirement)
                    checks.append(
                        {
                            "run": id, "candidate": candidate.id, "kind": want.kind if want else check.requirement,
                            "must": want.must if want else True, "basis": check.basis.key if check.basis else None,
                            **check.model_dump(exclude={"basis", "missing"}),
                        }
                    )  # fmt: skip
            calls = _calls(id, attempt.number, attempt.calls)
            add_new(session, AttemptRow, [head])
            add_new(session, CandidateRow, candidates)
            add_new(session, CheckRow, checks)
            add_new(
                session, BasisRow, rows_of(c.basis for v in attempt.verdicts for c in v.checks if c.basis)
            )
            add_new(session, CallRow, calls)
            place = Place(run.hour, run.batch or "")
            add_calls(session, place, calls)
            add_checks(session, place, checks)

    def stop(self, ids: Sequence[str]) -> None:
        """Set the status of those of these runs that are running to stopped."""
        with writing(self._engine) as session:
            for some in chunks(ids):
                for column in (RunRow.status, RunRow.loop_status):
                    mine = (RunRow.id.in_(some), column == RUNNING)
                    session.execute(update(RunRow).where(*mine).values({column: STOPPED}))

    def stop_all(self) -> None:
        """Set the status of every run that is running to stopped."""
        with writing(self._engine) as session:
            for column in (RunRow.status, RunRow.loop_status):
                session.execute(update(RunRow).where(column == RUNNING).values({column: STOPPED}))

    def get(self, id: str) -> RunRow | None:
        with reading(self._engine) as session:
            return session.get(RunRow, id)

    def named(self, text: str, limit: int = 10) -> list[RunRow]:
        """The run of this id or folder; where there is none, at most `limit` of those whose id begins with the text."""
        exact = select(RunRow).where(or_(RunRow.id == text, RunRow.folder == Path(text).name))
        # The ids are searched by themselves: that reads an index, and no row but those that are found.
        ids = select(RunRow.id).where(func.substr(RunRow.id, 1, len(text)) == text).limit(limit)
        with reading(self._engine) as session:
            found = list(session.scalars(exact))
            if found or not text:
                return found
            some = list(session.scalars(ids))
            return list(session.scalars(select(RunRow).where(RunRow.id.in_(some)).order_by(RunRow.id)))

    def find(
        self,
        *,
        status: str | None = None,
        preset: str | None = None,
        batch: str | None = None,
        job: str | None = None,
        kind: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        replaced: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[RunRow]:
        """Runs, newest first. `kind`: with a requirement of that kind; `text`: words of the brief; `since`: begun
        then or later; `replaced`: also those whose row of a batch was run again."""
        asked: list[Any] = [] if replaced else [RunRow.replaced.is_(False)]
        asked += [
            column == value
            for column, value in (
                (RunRow.status, status), (RunRow.preset, preset), (RunRow.batch, batch), (RunRow.job, job)
            )
            if value is not None
        ]  # fmt: skip
        if kind is not None:
            # By EXISTS, so that the search follows the runs in their order and stops when it has enough.
            asked.append(
                select(CheckRow.run).where(CheckRow.run == RunRow.id, CheckRow.kind == kind).exists()
            )
        if text:
            asked.append(RunRow.text.icontains(text, autoescape=True))
        if since is not None:
            asked.append(RunRow.started >= since)
        query = select(RunRow).where(*asked).order_by(RunRow.started.desc(), RunRow.id)
        with reading(self._engine) as session:
            return list(session.scalars(query.limit(limit).offset(offset)))

    def statuses(self, ids: Sequence[str]) -> dict[str, str]:
        """The status of those of these runs that are entered."""
        return self._column(RunRow.status, ids)

    def seeds(self, ids: Sequence[str]) -> dict[str, int]:
        """The seeds of those of these runs that are entered."""
        return self._column(RunRow.seed, ids)

    def decided(self) -> list[tuple[str, str, str, str]]:
        """Id, folder, status and best candidate of every run whose outcome a person decided."""
        columns = select(RunRow.id, RunRow.folder, RunRow.status, RunRow.best)
        with reading(self._engine) as session:
            rows = session.execute(columns.where(RunRow.decided_by.is_not(None))).all()
        return [(row.id, row.folder, row.status, row.best or "") for row in rows]

    def began(self, ids: Sequence[str]) -> datetime | None:
        """When the first of these runs began; None if none did."""
        with reading(self._engine) as session:
            times = [
                session.scalar(select(func.min(RunRow.started)).where(RunRow.id.in_(some)))
                for some in chunks(ids)
            ]
        return min((time for time in times if time is not None), default=None)

    def attempts(self, id: str) -> list[AttemptRow]:
        return self._of(AttemptRow, AttemptRow.run == id, AttemptRow.number)

    def candidates(self, id: str) -> list[CandidateRow]:
        return self._of(CandidateRow, CandidateRow.run == id, CandidateRow.attempt, CandidateRow.id)

    def checks(self, id: str, candidate: str | None = None) -> list[CheckRow]:
        condition = CheckRow.run == id
        if candidate is not None:
            condition &= CheckRow.candidate == candidate
        return self._of(CheckRow, condition, CheckRow.candidate, CheckRow.requirement)

    def calls(self, id: str) -> list[CallRow]:
        return self._of(CallRow, CallRow.run == id, CallRow.attempt, CallRow.position)

    def folders(self) -> set[str]:
        """The names of all run folders."""
        with reading(self._engine) as session:
            return set(session.scalars(select(RunRow.folder)))

    def naming(self, pictures: Sequence[str]) -> set[str]:
        """Those of these pictures that a candidate of any run names."""
        with reading(self._engine) as session:
            return {
                name
                for some in chunks(pictures)
                for name in session.scalars(select(CandidateRow.image).where(CandidateRow.image.in_(some)))
            }

    def _column(self, column: InstrumentedAttribute[T], ids: Sequence[str]) -> dict[str, T]:
        """One column of those of these runs that are entered."""
        found: dict[str, T] = {}
        with reading(self._engine) as session:
            for some in chunks(ids):
                query = select(RunRow.id, column).where(RunRow.id.in_(some))
                found.update(row.tuple() for row in session.execute(query))
        return found

    def _of(self, table: Any, condition: Any, *order: Any) -> list[Any]:
        with reading(self._engine) as session:
            return list(session.scalars(select(table).where(condition).order_by(*order)))


def _enter(
    session: Session,
    id: str,
    brief: Brief,
    preset: Preset,
    out: Path,
    batch: str | None,
    job: str | None,
    status: str,
) -> str:
    """Add the row of a run. Returns the name of its folder below `out`, which is a new one."""
    stem = slug(brief.name or brief.text)
    taken = set(session.scalars(select(RunRow.folder).where(RunRow.folder.startswith(stem))))
    folder, number = stem, 1
    while folder in taken or (out / folder).exists():
        number += 1
        folder = f"{stem}-{number}"
    now = datetime.now(UTC)
    session.add(
        RunRow(
            id=id, folder=folder, batch=batch, job=job, text=brief.text, preset=preset.name,
            seed=brief.seed, status=status, loop_status=status, started=now, hour=hour_of(now),
            brief=brief.model_dump(mode="json"), settings=preset.model_dump(mode="json", by_alias=True),
        )
    )  # fmt: skip
    return folder


def _replace(session: Session, id: str) -> None:
    """Mark a run as replaced: its checks no longer count."""
    run = session.get(RunRow, id, with_for_update=True)
    if run is None or run.replaced:
        return
    run.replaced = True
    counted = select(CheckRow.kind, CheckRow.outcome, CheckRow.must).where(CheckRow.run == id)
    checks = [row._asdict() for row in session.execute(counted)]
    add_checks(session, Place(run.hour, run.batch or ""), checks, times=-1)


def _calls(run: str, attempt: int, calls: Sequence[Call]) -> list[dict[str, Any]]:
    return [
        {
            "run": run, "attempt": attempt, "position": position, "stage": call.stage,
            "model": call.model["name"], "revision": call.model["revision"], "started": call.started,
            "seconds": call.seconds, "tokens": call.tokens, "kept": len(call.kept),
            "worked": 0 if call.error else len(call.inputs) - len(call.kept), "image_steps": call.image_steps,
            "joules": call.joules, "money": call.money, "degraded": call.degraded, "error": call.error,
            "record": call.model_dump(mode="json"),
        }
        for position, call in enumerate(calls)
    ]  # fmt: skip
