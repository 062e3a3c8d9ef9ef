"""The outcome of a run: that of its loop, and what people decided. On SQLite and on a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import StoreError
from pipeline.events import Outcome
from pipeline.loop import run
from pipeline.store import Store
from pipeline.store.engine import HEAD, driver, migrate
from pipeline.store.outcomes import latest, standing
from pipeline.store.reviews import Review
from pipeline.store.tables import CandidateRow, ReviewRow, RunRow

Tiny = Callable[..., Preset]
LOOP = ("needs_review", "1-1")  # what the loop of the fixture ends with


@pytest.fixture
def store(tiny: Tiny, tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    """A run of two candidates that no judge could check. The loop's best is 1-1."""
    opened = Store(tmp_path / "out", store_url)
    play(opened, tiny)
    yield opened
    opened.close()


def play(store: Store, tiny: Tiny, until: type | None = None) -> None:
    preset = tiny(judge={"routes": {"object": []}}, loop={"images": 2, "images_per_attempt": 2})
    brief = Brief(text="a cat", seed=5)
    store.runs.begin("r", brief, preset, store.out)
    for event in run([brief], preset, load(preset)):
        if until is not None and isinstance(event, until):
            return
        store.runs.take("r", event)


def say(
    store: Store, who: str, decision: str, candidate: str = "1-1", **more: Any
) -> tuple[str, str | None, str | None]:
    """Add a decision; returns the outcome, its candidate, and who decided it."""
    store.reviews.add(Review(run="r", candidate=candidate, who=who, decision=decision, **more))  # type: ignore[arg-type]
    return outcome(store)


def outcome(store: Store) -> tuple[str, str | None, str | None]:
    row = store.runs.get("r")
    assert row is not None
    assert (row.decided_at is None) == (row.decided_by is None)
    return row.status, row.best, row.decided_by


def columns(store: Store) -> dict[str, Any]:
    row = store.runs.get("r")
    assert row is not None
    return {column.name: getattr(row, column.name) for column in RunRow.__table__.columns}


def test_a_decision_is_the_outcome_and_an_undo_restores_the_loops(store: Store) -> None:
    before = columns(store)
    assert (before["status"], before["best"], before["loop_status"]) == (*LOOP, "needs_review")
    assert say(store, "ann", "approve", reason="good enough") == ("accepted", "1-1", "ann")
    after = columns(store)
    assert after["reason"] == "approved by ann: good enough"
    assert after["loop_status"] == "needs_review"
    assert say(store, "ann", "reject", requirements={"r1": "fail"}, reasons={"r1": "one dog"}) == (
        "rejected", "1-1", "ann"
    )  # fmt: skip
    assert columns(store)["reason"] == "rejected by ann: one dog"
    say(store, "ann", "undo")
    assert columns(store) == after
    say(store, "ann", "undo")
    assert columns(store) == before
    say(store, "ann", "undo")  # nothing is left to take back
    assert columns(store) == before


def test_an_approved_candidate_is_the_picture_whatever_became_of_the_others(store: Store) -> None:
    other = "1-2"
    assert say(store, "ann", "reject", other) == (*LOOP, None)  # 1-1, the best, waits as before
    assert say(store, "bob", "approve", other) == ("accepted", other, "bob")
    assert say(store, "bob", "reject", "1-1") == ("accepted", other, "bob")
    assert say(store, "ann", "approve", "1-1") == ("accepted", "1-1", "ann")
    assert say(store, "ann", "undo", "1-1") == ("accepted", other, "bob")
    assert say(store, "bob", "undo", other) == ("rejected", "1-1", "bob")


def test_of_two_people_who_disagree_the_later_counts(store: Store) -> None:
    say(store, "ann", "approve")
    assert say(store, "bob", "reject") == ("rejected", "1-1", "bob")
    assert [(r.who, r.decision) for r in store.reviews.standing(["r"])["r"]] == [
        ("ann", "approve"), ("bob", "reject"),
    ]  # fmt: skip
    assert say(store, "ann", "approve") == ("accepted", "1-1", "ann")
    # What ann said first was said before bob spoke.
    assert say(store, "ann", "undo") == ("rejected", "1-1", "bob")


def test_skips_reruns_and_answers_to_requirements_decide_nothing(store: Store) -> None:
    no = {"r1": "fail"}
    assert say(store, "ann", "skip", requirements=no) == (*LOOP, None)
    assert say(store, "ann", "rerun") == (*LOOP, None)
    assert say(store, "ann", "approve", requirements=no) == ("accepted", "1-1", "ann")
    assert say(store, "ann", "skip") == ("accepted", "1-1", "ann")
    assert [r.decision for r in store.reviews.latest(["r"])] == ["skip"]
    assert say(store, "ann", "undo") == ("accepted", "1-1", "ann")


def test_a_decision_on_a_run_that_was_interrupted(tiny: Tiny, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    play(store, tiny, until=Outcome)
    store.runs.stop(["r"])
    assert say(store, "ann", "reject") == ("stopped", None, None)  # the loop may still find another
    assert say(store, "bob", "approve", "1-2") == ("accepted", "1-2", "bob")
    assert say(store, "bob", "undo", "1-2") == ("stopped", None, None)
    play(store, tiny)
    assert outcome(store) == ("rejected", "1-1", "ann")
    assert say(store, "ann", "undo") == (*LOOP, None)
    store.close()


def test_a_decision_made_while_others_are_painted_counts_from_then_on(tiny: Tiny, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    play(store, tiny, until=Outcome)
    assert say(store, "ann", "approve", "1-2") == ("accepted", "1-2", "ann")
    play(store, tiny)
    assert outcome(store) == ("accepted", "1-2", "ann")
    assert say(store, "ann", "undo", "1-2") == (*LOOP, None)
    store.close()


def test_statistics_and_filters_follow(store: Store) -> None:
    from pipeline.results.stats import gather

    def funnel() -> dict[str, int]:
        found = gather(store).funnel
        return {
            name: found[name]
            for name in ("accepted", "approved by a person", "rejected by a person", "needs review")
        }

    assert list(funnel().values()) == [0, 0, 0, 1]
    say(store, "ann", "approve")
    assert list(funnel().values()) == [1, 1, 0, 0]
    assert [run.id for run in store.runs.find(status="accepted")] == ["r"]
    say(store, "ann", "reject")
    assert list(funnel().values()) == [0, 0, 1, 0]
    assert [run.id for run in store.runs.find(status="rejected")] == ["r"]
    assert gather(store).totals.accepted == 0


def test_who_decides_on_an_unknown_run_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no run 'nobody'"):
        store.reviews.add(Review(run="nobody", candidate="1-1", who="ann", decision="approve"))


def test_a_decision_that_fails_within_its_block_was_not_made(store: Store) -> None:
    review = Review(run="r", candidate="1-1", who="ann", decision="approve")
    with pytest.raises(OSError, match="disk"), store.reviews.settling("r", review):
        raise OSError("disk")
    assert outcome(store) == (*LOOP, None)
    assert store.reviews.log("r") == []


DECISIONS = (
    (),
    (("ann", "1-1", "approve"),),
    (("ann", "1-1", "reject"),),
    (("ann", "1-2", "reject"),),
    (("ann", "1-1", "approve"), ("bob", "1-1", "reject")),
    (("ann", "1-1", "approve"), ("bob", "1-1", "reject"), ("bob", "1-1", "undo")),
    (("ann", "1-2", "approve"), ("bob", "1-1", "reject"), ("ann", "1-2", "skip")),
    (("ann", "1-2", "approve"), ("bob", "1-1", "approve"), ("ann", "1-2", "rerun")),
)


@pytest.mark.parametrize("said", DECISIONS)
def test_decisions_of_older_stores_count(
    tiny: Tiny, tmp_path: Path, store_url: str | None, said: tuple[tuple[str, str, str], ...]
) -> None:
    """A store of revision 0004 is brought up to date: its runs are settled as if the decisions were made today."""
    now = Store(tmp_path / "now")
    play(now, tiny)
    for who, candidate, decision in said:
        now.reviews.add(
            Review(run="r", candidate=candidate, who=who, decision=decision, reason="so")  # type: ignore[arg-type]
        )
    (tmp_path / "old").mkdir()
    url = store_url or f"sqlite:///{tmp_path}/old/easel.db"
    new = ("loop_status", "decided_by", "decided_at", "replaced")
    run_then = {k: v for k, v in columns(now).items() if k not in new}
    run_then |= {"status": LOOP[0], "best": LOOP[1], "reason": columns(now)["outcome"]["reason"]}
    engine = create_engine(driver(url))
    with engine.begin() as connection:
        migrate(connection, "0004")
        connection.execute(RunRow.__table__.insert(), [run_then])  # type: ignore[attr-defined]
        for table, rows in ((CandidateRow, now.runs.candidates("r")), (ReviewRow, [])):
            for row in rows:
                values = {column.name: getattr(row, column.name) for column in table.__table__.columns}
                connection.execute(table.__table__.insert(), [values])  # type: ignore[attr-defined]
        for review in now.reviews.log("r"):
            values = review.model_dump(include={"at", "who", "run", "candidate", "decision"})
            values["record"] = review.model_dump(mode="json")
            connection.execute(ReviewRow.__table__.insert(), [values])  # type: ignore[attr-defined]
    engine.dispose()
    old = Store(tmp_path / "old", url)
    assert columns(old) == columns(now)
    assert old.reviews.log() == now.reviews.log()
    with old.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    old.close()
    now.close()


def test_what_stands_is_in_the_order_of_the_log() -> None:
    log = [
        Review(run="r", candidate=candidate, who=who, decision=decision)  # type: ignore[arg-type]
        for who, candidate, decision in (
            ("ann", "1-1", "approve"), ("bob", "1-1", "reject"), ("ann", "1-2", "skip"), ("ann", "1-1", "reject"),
            ("bob", "1-1", "rerun"),
        )
    ]  # fmt: skip
    assert standing(log) == [log[1], log[3]]
    assert latest(log) == [log[3], log[4], log[2]]
