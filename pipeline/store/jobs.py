"""The queue: work that outlives the page or the console that asked for it.

    queued → running → done | failed | cancelled
               ↓ ↑
             paused

A worker claims one job at a time and sends a heartbeat while it works. The job of a worker without a heartbeat can be
claimed again. Finished work is kept, so doing a job twice costs nothing and changes nothing. Downloads wait for the
network, not for the models, so they are claimed beside the other jobs and do not count in their queue. Batches come
after all other jobs, and the reading of a brief, which is short, does not count in the places of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Engine, and_, func, or_, select, update

from pipeline.brief import Record
from pipeline.store.engine import reading, writing
from pipeline.store.rows import add_new, chunks
from pipeline.store.tables import JobRow

State = Literal["queued", "running", "paused", "cancelled", "done", "failed"]
End = Literal["done", "failed", "cancelled", "paused", "queued"]
BATCH, READ = "batch", "read"
PULL = "pull"  # the kind of jobs that download models
OPEN: tuple[State, ...] = ("queued", "running", "paused")
MOST_CLAIMS = 5  # in a row without progress; then the job fails, because it kills its workers
STALE = timedelta(seconds=20)  # after this long without a heartbeat a worker counts as dead


class Job(Record):
    """`place`: how many jobs are before it in the queue, 0 while it runs, None if it neither waits nor runs."""

    id: str
    kind: str
    state: State
    asked: Literal["cancel", "pause"] | None = None
    place: int | None = None
    worker: str | None = None
    submitted: datetime
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    payload: dict[str, Any]
    progress: dict[str, Any] = Field(default_factory=dict)


class Jobs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def submit(self, id: str, kind: str, payload: dict[str, Any]) -> Job:
        """Queue a job. The caller chooses its id: a job with an id that is in the queue already is not added again."""
        row = {
            "id": id, "kind": kind, "state": "queued", "submitted": datetime.now(UTC), "payload": payload,
            "progress": {}, "claims": 0,
        }  # fmt: skip
        with writing(self._engine) as session:
            # Looked up first, because in Postgres an insert with a conflict still uses up a number.
            if session.scalar(select(JobRow.id).where(JobRow.id == id)) is None:
                add_new(session, JobRow, [row])
        job = self.get(id)
        assert job is not None
        return job

    def get(self, id: str) -> Job | None:
        with reading(self._engine) as session:
            row = session.scalar(select(JobRow).where(JobRow.id == id))
            return None if row is None else _job(row, self._before(session, row))

    def list(self, *states: State, kinds: Sequence[str] = (), limit: int = 200) -> list[Job]:
        """Jobs in these states and of these kinds, newest first; without states or kinds, in or of all."""
        query = select(JobRow).order_by(JobRow.number.desc()).limit(limit)
        if states:
            query = query.where(JobRow.state.in_(states))
        if kinds:
            query = query.where(JobRow.kind.in_(kinds))
        with reading(self._engine) as session:
            return [_job(row, self._before(session, row)) for row in session.scalars(query)]

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        """Job id → state, of those of these jobs that exist."""
        with reading(self._engine) as session:
            return {
                id: state
                for some in chunks(ids)
                for id, state in session.execute(select(JobRow.id, JobRow.state).where(JobRow.id.in_(some)))
            }

    def _before(self, session: Any, row: JobRow) -> int | None:
        if row.state == "running":
            return 0
        if row.state != "queued":
            return None
        rank = JobRow.kind == BATCH if row.kind == BATCH else JobRow.kind != BATCH
        earlier = and_(rank, JobRow.number < row.number)
        first = or_(earlier, JobRow.kind != BATCH) if row.kind == BATCH else earlier
        ahead = or_(JobRow.state == "running", and_(JobRow.state == "queued", first))
        same = (JobRow.kind == PULL) == (row.kind == PULL)
        query = select(func.count()).select_from(JobRow).where(ahead, same)
        return int(session.scalar(query if row.kind == READ else query.where(JobRow.kind != READ)))

    def ask(self, id: str, what: Literal["cancel", "pause", "resume"]) -> Job | None:
        """Cancel, pause or resume a job. A running job follows at its next step; a job that has ended does not
        change."""
        with writing(self._engine) as session:
            row = session.scalar(select(JobRow).where(JobRow.id == id).with_for_update())
            if row is not None and row.state in OPEN:
                if what == "resume":
                    row.asked = None
                    row.state = "queued" if row.state == "paused" else row.state
                elif row.state == "running":
                    row.asked = what if row.asked != "cancel" else row.asked
                elif what == "cancel":
                    row.state, row.ended = "cancelled", datetime.now(UTC)
                else:
                    row.state = "paused"
        return self.get(id)

    def claim(self, worker: str, pulls: bool = False) -> Job | None:
        """Take the next job, or with `pulls` the next download: a running one of this worker's name (from before a
        restart) or of a dead worker, else the first in the queue. None if there is none."""
        now = datetime.now(UTC)
        orphaned = and_(
            JobRow.state == "running", or_(JobRow.worker == worker, JobRow.heartbeat < now - STALE)
        )
        query = (
            select(JobRow)
            .where(or_(JobRow.state == "queued", orphaned), (JobRow.kind == PULL) == pulls)
            .order_by(JobRow.state.desc(), JobRow.kind == BATCH, JobRow.number)  # running before queued
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with writing(self._engine) as session:
            while (row := session.scalar(query)) is not None and row.claims >= MOST_CLAIMS:
                row.state, row.ended = "failed", now
                row.error = f"its worker died {row.claims} times in a row; see the worker's output"
                session.flush()
            if row is None:
                return None
            row.claims += 1
            row.state, row.worker, row.heartbeat = "running", worker, now
            row.started = row.started or now
            session.flush()
            return _job(row, 0)

    def goes_first(self) -> bool:
        """Whether a job waits that a batch in work makes way for."""
        with reading(self._engine) as session:
            waiting = select(JobRow.id).where(JobRow.state == "queued", JobRow.kind.not_in((BATCH, PULL)))
            return session.scalar(waiting.limit(1)) is not None

    def beat(self, id: str, worker: str) -> str | None:
        """Send a heartbeat. Returns what was asked of the job (cancel, pause), "lost" if another worker has it, else
        None."""
        with writing(self._engine) as session:
            found = session.execute(
                update(JobRow)
                .where(JobRow.id == id, JobRow.worker == worker, JobRow.state == "running")
                .values(heartbeat=datetime.now(UTC))
                .returning(JobRow.asked)
            ).first()
            return "lost" if found is None else found[0]

    def asked(self, id: str) -> str | None:
        """What was asked of a job (cancel, pause), or None. Fast enough to call at every diffusion step."""
        with reading(self._engine) as session:
            return session.scalar(select(JobRow.asked).where(JobRow.id == id))

    def report(self, id: str, worker: str, progress: dict[str, Any]) -> None:
        """Store the progress of a job."""
        with writing(self._engine) as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == id, JobRow.worker == worker, JobRow.state == "running")
                .values(progress=progress, heartbeat=datetime.now(UTC), claims=0)
            )

    def end(self, id: str, worker: str, state: End, error: str | None = None) -> None:
        """End a job's run on this worker. With `queued` or `paused` it can be continued, in its old place; a job that
        was asked to cancel or pause meanwhile is not queued again."""
        mine = and_(JobRow.id == id, JobRow.worker == worker, JobRow.state == "running")
        with writing(self._engine) as session:
            row = session.scalar(select(JobRow).where(mine).with_for_update())
            if row is None:
                return
            if state == "queued" and row.asked is not None:
                state = "cancelled" if row.asked == "cancel" else "paused"
            row.state, row.asked, row.worker, row.heartbeat = state, None, None, None
            row.ended = None if state in OPEN else datetime.now(UTC)
            row.error, row.claims = error, 0


def _job(row: JobRow, place: int | None) -> Job:
    names = [name for name in Job.model_fields if name != "place"]
    return Job(**{name: getattr(row, name) for name in names}, place=place)
