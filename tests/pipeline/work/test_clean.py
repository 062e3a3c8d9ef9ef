"""What `easel clean` frees, and what it must leave alone, on SQLite and on a real Postgres."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from pipeline.brief import Brief
from pipeline.calls.kept import Result
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import BriefError, StoreError
from pipeline.loop import run
from pipeline.store import Store
from pipeline.work.clean import GRACE, Cleaned, age, clean
from pipeline.work.worker import PREVIEWS
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]
MONTH = timedelta(days=30)
LONG_AGO = datetime.now(UTC) - 2 * MONTH


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(tmp_path / "out", store_url)
    yield opened
    opened.close()


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8))


def played(preset: Preset, store: Store, id: str = "r1") -> None:
    brief = Brief(text="two dogs on a red background", seed=5)
    store.runs.begin(id, brief, preset, store.out)
    for event in run([brief], preset, load(preset, store.results)):
        store.runs.take(id, event)


def grow_old(store: Store) -> None:
    """As if everything in the store had been written two months ago."""
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE results SET at = :then"), {"then": LONG_AGO.replace(tzinfo=None)})
    for path in files(store):
        os.utime(path, (LONG_AGO.timestamp(),) * 2)


def files(store: Store) -> list[Path]:
    return sorted(
        path for path in store.out.rglob("*") if path.is_file() and not path.name.startswith("easel.db")
    )


def counts(cleaned: Cleaned) -> tuple[int, int, int, int]:
    return tuple(f.count for f in (cleaned.results, cleaned.pictures, cleaned.leftovers, cleaned.previews))  # type: ignore[return-value]


def test_clean_frees_exactly_what_it_announced(store: Store) -> None:
    store.results.put("image", {"a": Result({}, picture(1)), "b": Result({}, picture(2))})
    store.results.put("text", {"c": Result({"text": "x" * 1000})})
    grow_old(store)
    before = files(store)
    said = clean(store, MONTH, remove=False)
    assert counts(said) == (3, 2, 0, 0)
    assert said.pictures.bytes == sum(path.stat().st_size for path in before)
    assert said.results.bytes > 1000
    assert files(store) == before
    assert len(store.results.get(["a", "b", "c"])) == 3
    assert clean(store, MONTH, remove=True) == said.model_copy(update={"removed": True})
    assert files(store) == []
    assert store.results.count() == {}
    assert clean(store, MONTH, remove=True).total.count == 0


def test_clean_keeps_pictures_of_runs_and_dropped_answers_are_asked_again(tiny: Tiny, store: Store) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3})
    played(preset, store)
    kept = store.results.count()
    store.results.put("image", {"orphan": Result({}, picture())})
    grow_old(store)
    cleaned = clean(store, MONTH, remove=True)
    assert cleaned.pictures.count == 1
    assert store.results.count() == {}
    candidates = store.runs.candidates("r1")
    assert len(candidates) == 3
    assert all(store.pictures.get(candidate.image) for candidate in candidates)
    played(preset, store, "r2")
    assert store.results.count() == kept
    assert [c.image for c in store.runs.candidates("r2")] == [c.image for c in candidates]


def test_results_within_the_retention_stay_with_their_pictures(store: Store) -> None:
    store.results.put("image", {"old": Result({}, picture(1)), "both": Result({}, picture(2))})
    grow_old(store)
    store.results.put("image", {"new": Result({}, picture(2))})
    os.utime(store.pictures.path(store.pictures.keep(picture(2))), (LONG_AGO.timestamp(),) * 2)
    assert counts(clean(store, MONTH, remove=True))[:2] == (2, 1)
    assert set(store.results.get(["old", "both", "new"])) == {"new"}


def test_a_picture_that_was_written_before_its_row_is_left_alone(store: Store) -> None:
    name = store.pictures.keep(picture())
    assert counts(clean(store, MONTH, remove=True)) == (0, 0, 0, 0)
    grow_old(store)
    store.pictures.keep(picture())  # wanted again: its row comes next
    assert counts(clean(store, MONTH, remove=True)) == (0, 0, 0, 0)
    later = datetime.now(UTC) + 2 * GRACE
    assert counts(clean(store, MONTH, remove=True, now=later)) == (0, 1, 0, 0)
    assert store.pictures.get(name) is None


def test_a_picture_kept_while_it_is_removed_is_there_afterwards(tmp_path: Path) -> None:
    store, image = Store(tmp_path), picture()
    path = store.pictures.path(store.pictures.keep(image))
    for _ in range(200):
        os.utime(path, (LONG_AGO.timestamp(),) * 2)
        start = threading.Barrier(2)

        def remove(start: threading.Barrier = start) -> None:
            start.wait()
            store.pictures.remove(path, LONG_AGO.timestamp() + 1)

        other = threading.Thread(target=remove)
        other.start()
        start.wait()
        store.pictures.keep(image)
        other.join()
        assert path.exists()
    assert files(store) == [path]


def test_files_left_behind_go_and_those_in_use_stay(store: Store) -> None:
    previews, run_folder = store.out / PREVIEWS, store.out / "a-cat"
    for folder in (previews, run_folder):
        folder.mkdir()
    for id in ("done", "running"):
        store.jobs.submit(id, "brief", {})
        assert store.jobs.claim("w") is not None
        (previews / f"{id}.png").write_bytes(b"123")
        if id == "done":
            store.jobs.end(id, "w", "done")
    dead, alive = f".x.png.abc.{2**22 + 1}.part", f".x.png.abc.{os.getpid()}.part"
    for folder in (store.out, previews, run_folder):
        (folder / dead).write_bytes(b"1234")
        (folder / alive).write_bytes(b"1234")
    assert clean(store, MONTH, remove=True).total.count == 0  # all written just now
    grow_old(store)
    cleaned = clean(store, MONTH, remove=True)
    assert (cleaned.leftovers.count, cleaned.leftovers.bytes) == (2, 8)
    assert (cleaned.previews.count, cleaned.previews.bytes) == (1, 3)
    left = {str(path.relative_to(store.out)) for path in files(store)}
    assert left == {
        alive, f"{PREVIEWS}/{alive}", f"{PREVIEWS}/running.png", f"a-cat/{alive}", f"a-cat/{dead}",
    }  # fmt: skip


def test_a_folder_with_runs_of_another_store_is_refused(tiny: Tiny, tmp_path: Path, store: Store) -> None:
    store.results.put("image", {"a": Result({}, picture())})
    (store.out / "elsewhere").mkdir()
    (store.out / "elsewhere" / "run.json").write_text("{}")
    grow_old(store)
    with pytest.raises(StoreError, match="--store"):
        clean(store, MONTH, remove=True)
    assert set(store.results.get(["a"])) == {"a"}


def test_ages() -> None:
    assert age("12h") == timedelta(hours=12)
    assert age(" 30D ") == timedelta(days=30)
    assert age("6w") == timedelta(weeks=6)
    for bad in ("", "30", "-1d", "1y", "d", "1.5d", "999999d"):
        with pytest.raises(BriefError, match="12h, 30d, 6w"):
            age(bad)
