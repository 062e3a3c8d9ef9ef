"""The queue, on SQLite and on a real Postgres: claimed once, submitted once, given up by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import text

from pipeline.store import Store
from pipeline.store.jobs import MOST_CLAIMS, STALE


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(tmp_path / "out", store_url)
    yield opened
    opened.close()


def silence(store: Store, id: str) -> None:
    """As if the job's worker had died a while ago."""
    with store.engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET heartbeat = :then WHERE id = :id"),
            {"then": datetime.now(UTC) - 2 * STALE, "id": id},
        )


def test_a_job_submitted_again_is_the_same_job_in_the_same_place(store: Store) -> None:
    first = store.jobs.submit("a", "brief", {"n": 1})
    store.jobs.submit("b", "brief", {})
    for _ in range(5):
        assert store.jobs.submit("a", "brief", {"n": 2}) == first
    assert [(job.id, job.place) for job in store.jobs.list()] == [("b", 1), ("a", 0)]
    with store.engine.connect() as connection:
        numbers = list(connection.execute(text("SELECT number FROM jobs ORDER BY number")).scalars())
    assert numbers == [1, 2]
    claimed = store.jobs.claim("w")
    assert claimed is not None
    assert store.jobs.submit("a", "brief", {}).state == "running"
    assert [(job.id, job.place) for job in store.jobs.list("queued")] == [("b", 1)]


def test_jobs_are_claimed_in_order_and_each_by_one_worker(store: Store) -> None:
    for i in range(12):
        store.jobs.submit(f"j{i:02}", "brief", {})

    def claim_some(worker: str) -> list[str]:
        found = []
        while (job := store.jobs.claim(worker)) is not None:
            found.append(job.id)
            store.jobs.end(job.id, worker, "done")
        return found

    with ThreadPoolExecutor(4) as pool:
        claimed = [id for some in pool.map(claim_some, "abcd") for id in some]
    assert sorted(claimed) == [f"j{i:02}" for i in range(12)]
    assert {job.state for job in store.jobs.list()} == {"done"}


def test_the_job_of_a_dead_worker_is_taken_over_and_a_live_ones_is_not(store: Store) -> None:
    store.jobs.submit("a", "brief", {})
    assert store.jobs.claim("one") is not None
    assert store.jobs.claim("two") is None
    silence(store, "a")
    assert store.jobs.beat("a", "one") is None  # it lives after all
    assert store.jobs.claim("two") is None
    silence(store, "a")
    taken = store.jobs.claim("two")
    assert taken is not None
    assert taken.worker == "two"
    assert store.jobs.beat("a", "one") == "lost"
    store.jobs.report("a", "one", {"done": 99})
    store.jobs.end("a", "one", "failed", "too late")
    job = store.jobs.get("a")
    assert job is not None
    assert (job.state, job.progress) == ("running", {})
    store.jobs.end("a", "two", "done")
    assert store.jobs.claim("two") is None


def test_a_restarted_worker_claims_its_own_jobs_again(store: Store) -> None:
    store.jobs.submit("a", "brief", {})
    store.jobs.submit("b", "brief", {})
    assert store.jobs.claim("one") is not None
    again = store.jobs.claim("one")
    assert again is not None
    assert again.id == "a"


def test_a_job_that_kills_its_workers_is_given_up(store: Store) -> None:
    store.jobs.submit("a", "brief", {})
    for _ in range(MOST_CLAIMS - 1):
        assert store.jobs.claim("one") is not None
    store.jobs.report("a", "one", {"done": 1})  # it gets on: not that kind of job
    for _ in range(MOST_CLAIMS):
        assert store.jobs.claim("one") is not None
    assert store.jobs.claim("one") is None
    job = store.jobs.get("a")
    assert job is not None
    assert job.state == "failed"
    assert "died 5 times" in (job.error or "")


def test_cancel_pause_and_resume(store: Store) -> None:
    for id in "abc":
        store.jobs.submit(id, "brief", {})
    running = store.jobs.claim("w")
    assert running is not None
    assert store.jobs.asked("a") is None
    for id, what, state, asked in (
        ("a", "pause", "running", "pause"), ("a", "cancel", "running", "cancel"), ("a", "pause", "running", "cancel"),
        ("b", "pause", "paused", None), ("b", "resume", "queued", None), ("c", "cancel", "cancelled", None),
        ("c", "resume", "cancelled", None),
    ):  # fmt: skip
        job = store.jobs.ask(id, what)  # type: ignore[arg-type]
        assert job is not None
        assert (job.state, job.asked) == (state, asked)
    assert store.jobs.asked("a") == "cancel"
    assert store.jobs.beat("a", "w") == "cancel"
    store.jobs.end("a", "w", "cancelled")
    ended = store.jobs.get("a")
    assert ended is not None
    assert ended.ended is not None
    assert store.jobs.ask("nobody", "cancel") is None


def test_a_batch_comes_last_and_readings_do_not_count(store: Store) -> None:
    for id, kind in (("batch", "batch"), ("read", "read"), ("one", "brief"), ("two", "brief")):
        store.jobs.submit(id, kind, {})
    assert {job.id: job.place for job in store.jobs.list()} == {"read": 0, "one": 0, "two": 1, "batch": 2}
    claimed = []
    while (job := store.jobs.claim("w")) is not None:
        assert store.jobs.goes_first() == (len(claimed) < 2)
        claimed.append(job.id)
        store.jobs.end(job.id, "w", "done")
    assert claimed == ["read", "one", "two", "batch"]


@pytest.mark.parametrize(("asked", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_is_asked_of_a_job_that_goes_back_to_the_queue_is_done(
    store: Store, asked: Literal["cancel", "pause"], state: str
) -> None:
    store.jobs.submit("a", "batch", {})
    store.jobs.claim("w")
    store.jobs.ask("a", asked)
    store.jobs.end("a", "w", "queued")
    assert [job.state for job in store.jobs.list()] == [state]
