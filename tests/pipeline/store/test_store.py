"""The store on SQLite and on a real Postgres."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from PIL import Image
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.brief import Brief
from pipeline.calls.kept import Result
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import OutputError, StoreError
from pipeline.files import write
from pipeline.loop import run
from pipeline.store import Store
from pipeline.store.engine import FILE, HEAD, masked
from pipeline.store.reviews import Review
from pipeline.store.tables import Table

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(tmp_path / "out", store_url)
    yield opened
    opened.close()


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8))


def test_migrations_make_the_tables_of_the_models(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    again = Store(store.out, store.url)  # opening an up-to-date store changes nothing
    again.close()


def test_a_newer_store_is_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="update Easel"):
        Store(store.out, store.url)


def test_a_run_is_written_down_once_however_often_it_is_played(tiny: Tiny, store: Store) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3})
    brief = Brief(text="two dogs on a red background", seed=5)
    counts = []
    for _ in range(2):
        assert store.runs.begin("r1", brief, preset, store.out, batch="b") == "two-dogs-on-a-red-background"
        for event in run([brief], preset, load(preset)):
            store.runs.take("r1", event)
        rows = (
            store.runs.attempts("r1"), store.runs.candidates("r1"), store.runs.checks("r1"), store.runs.calls("r1")
        )  # fmt: skip
        counts.append([len(found) for found in rows])
    assert counts[0] == counts[1]
    assert counts[0][:2] == [3, 3]
    found = store.runs.get("r1")
    assert found is not None
    assert (found.status, found.images, found.batch) == ("exhausted", 3, "b")
    assert found.started <= (found.ended or found.started) <= datetime.now(UTC)
    assert found.outcome is not None
    assert found.best == found.outcome["best"]["id"]
    for candidate in store.runs.candidates("r1"):
        assert store.pictures.get(candidate.image) is not None
        checks = store.runs.checks("r1", candidate.id)
        assert {c.kind for c in checks} >= {"intact", "count", "background"}
    calls = store.runs.calls("r1")
    assert {c.stage for c in calls} == {"image", "scorer"}
    assert all(c.seconds > 0 and c.kept == 0 for c in calls)


def test_runs_are_found_by_their_properties(tiny: Tiny, store: Store) -> None:
    preset = tiny()
    for i, words in enumerate(["a cat", "a Cat on the mat", "a dog, 100% red"]):
        store.runs.begin(f"r{i}", Brief(text=words, name="same"), preset, store.out, batch=str(i % 2))
    assert {r.id for r in store.runs.find(text="cat")} == {"r0", "r1"}
    assert [r.id for r in store.runs.find(text="100%")] == ["r2"]
    assert [r.id for r in store.runs.find(batch="1")] == ["r1"]
    assert [r.id for r in store.runs.find(status="running", limit=1, offset=2)] == ["r0"]
    assert sorted(r.folder for r in store.runs.find()) == ["same", "same-2", "same-3"]
    assert store.runs.get("nobody") is None


def test_a_run_is_found_by_its_name(tiny: Tiny, store: Store) -> None:
    preset = tiny()
    for id, name in (("ab12", "cat"), ("ab34", "dog"), ("cd%6", "ab12-x"), ("Ab56", "fox")):
        store.runs.begin(id, Brief(text="a cat", name=name), preset, store.out)
    for key, ids in (
        ("ab12", {"ab12"}), ("cat", {"ab12"}), ("out/dog", {"ab34"}), ("out/dog/", {"ab34"}), ("ab12-x", {"cd%6"}),
        ("ab", {"ab12", "ab34"}), ("ab3", {"ab34"}), ("cd%", {"cd%6"}), ("%", set()), ("b1", set()), ("", set()),
        ("do", set()),
    ):  # fmt: skip
        assert {row.id for row in store.runs.named(key)} == ids, key
    assert len(store.runs.named("ab", limit=1)) == 1


def test_results_are_kept_once_and_read_back_unchanged(store: Store) -> None:
    image = picture()
    store.results.put("image", {"a": Result({"steps": 8}, image)})
    store.results.put("text", {"b": Result({"text": "zero \0 byte"})})
    store.results.put("text", {"b": Result({"text": "later"})})
    found = store.results.get(["a", "b", "c"])
    assert set(found) == {"a", "b"}
    assert found["b"].value == {"text": "zero \0 byte"}
    kept = found["a"].image
    assert kept is not None
    assert np.array_equal(np.asarray(kept), np.asarray(image))
    assert store.results.count() == {"image": 1, "text": 1}


def test_a_damaged_picture_is_not_taken_for_a_result(store: Store) -> None:
    store.results.put("image", {"a": Result({}, picture(1)), "b": Result({}, picture(2))})
    files = sorted(store.pictures.folder.rglob("*.png"))
    assert len(files) == 2
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(files[0].read_bytes())
    assert store.results.get(["a", "b"]) == {}
    store.results.put("image", {"a": Result({}, picture(1)), "b": Result({}, picture(2))})  # painted again
    assert set(store.results.get(["a", "b"])) == {"a", "b"}


def test_old_results_can_be_dropped(store: Store) -> None:
    store.results.put("text", {"a": Result({"text": "x"})})
    assert store.results.forget(datetime.now(UTC) - timedelta(days=1)) == 0
    assert store.results.forget(datetime.now(UTC)) == 1


def test_reviews_are_a_log_and_undo_takes_back_the_last(tiny: Tiny, store: Store) -> None:
    store.runs.begin("r", Brief(text="a cat"), tiny(), store.out)
    for who, decision in (("ann", "approve"), ("ann", "reject"), ("bo", "approve"), ("ann", "undo")):
        store.reviews.add(Review(run="r", candidate="1-1", who=who, decision=decision))  # type: ignore[arg-type]
    assert [r.decision for r in store.reviews.log("r")] == ["approve", "reject", "approve", "undo"]
    assert {(r.who, r.decision) for r in store.reviews.latest(["r"])} == {
        ("ann", "approve"),
        ("bo", "approve"),
    }
    store.reviews.add(Review(run="r", candidate="1-1", who="ann", decision="undo"))
    store.reviews.add(Review(run="r", candidate="1-1", who="ann", decision="undo"))
    assert {r.who for r in store.reviews.latest(["r"])} == {"bo"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reviews SET who = 'bo'",
        "DELETE FROM reviews",
        "DELETE FROM runs",  # would take its reviews along
        "INSERT OR REPLACE INTO reviews SELECT id, at, 'bo', run, candidate, decision, record FROM reviews",
        "TRUNCATE reviews",
    ],
)
def test_the_database_lets_no_review_be_changed(tiny: Tiny, store: Store, change: str) -> None:
    only = {"INSERT": "sqlite", "TRUNCATE": "postgresql"}.get(change.split()[0])
    if only not in (None, store.engine.dialect.name):
        pytest.skip(f"a statement of {only} alone")
    store.runs.begin("r", Brief(text="a cat"), tiny(), store.out)
    said = Review(run="r", candidate="1-1", who="ann", decision="reject")
    store.reviews.add(said)
    with pytest.raises(DBAPIError, match="rows are added, never changed"), store.engine.begin() as connection:
        connection.execute(text(change))
    store.reviews.add(said)
    assert store.reviews.log("r") == [said, said]


def test_an_unreachable_store_is_reported_in_one_line(tmp_path: Path) -> None:
    for url, says in (
        ("mysql://me:secret@host/db", "neither SQLite nor Postgres"),
        ("nonsense", "not an address of a store"),
        ("postgresql://me:secret@127.0.0.1:1/db", "see that the database runs"),
        (f"sqlite:///{tmp_path}/no/such/folder/x.db", "unable to open"),
    ):
        with pytest.raises(StoreError) as caught:
            Store(tmp_path, url)
        assert says in str(caught.value)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert masked("postgresql://me:secret@host/db") == "postgresql://me@host/db"


def test_a_damaged_store_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "easel.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="move it away"):
        Store(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs /proc")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/nowhere")):
        with pytest.raises(OutputError, match="--out"):
            Store(bad)


def test_a_kept_picture_is_on_the_disk_before_its_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def watched(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    path = store.pictures.path(store.pictures.keep(picture()))
    assert synced[-2:] == [path.stat().st_ino, path.parent.stat().st_ino]
    assert store.pictures.folder.stat().st_ino in synced


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_modes_of_files_follow_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "a.txt", b"x")
        store = Store(tmp_path / "out")
        kept = store.pictures.path(store.pictures.keep(picture()))
        store.close()
    finally:
        os.umask(before)
    for path in (tmp_path / "a.txt", kept, store.out / FILE):
        assert path.stat().st_mode & 0o777 & mask == 0
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_was_moved_away_is_an_error_at_once(tmp_path: Path, again: bool) -> None:
    """Also where another store is in its place by then."""
    store = Store(tmp_path / "out")
    store.jobs.submit("one", "brief", {})
    store.out.rename(tmp_path / "elsewhere")
    other = Store(tmp_path / "out") if again else None
    for use in (
        store.jobs.list,
        lambda: store.jobs.submit("two", "brief", {}),
        lambda: store.jobs.claim("w"),
    ):
        with pytest.raises(StoreError, match="is gone: moved or deleted"):
            use()
    store.close()
    if other:
        other.close()
