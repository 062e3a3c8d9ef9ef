"""Downloads by the worker: beside other jobs, cancelled, continued, and each fault in words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.store import Store
from pipeline.store.jobs import OPEN, Job
from pipeline.work import worker as workers
from pipeline.work.worker import Worker, _Work
from tests.hub import Hub, Repository, sha256
from tests.hub_preset import write_hub_preset

PATIENCE = 600.0
QUICK = ["loop.images=1", "loop.reader=rules", "loop.writer=template", "image.steps=2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Repository]]:
    return write_hub_preset(tmp_path_factory.mktemp("preset"))


@pytest.fixture
def preset(made: tuple[Path, dict[str, Repository]], hub: Hub) -> str:
    hub.repositories |= {id: Repository(dict(one.files), one.licence) for id, one in made[1].items()}
    return str(made[0])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "out")
    yield opened
    opened.close()


def job(store: Store, id: str) -> Job:
    found = store.jobs.get(id)
    assert found is not None
    return found


def test_mini_a_preset_that_downloads_and_mini_again_in_one_worker(
    store: Store, preset: str, hub: Hub
) -> None:
    for seed, (id, name) in enumerate((("one", "mini"), ("two", preset), ("three", "mini"))):
        brief = {"text": "a panda on a purple background", "seed": seed}
        store.jobs.submit(id, "brief", {"brief": brief, "preset": name, "set": QUICK})
    Worker(store).work(until_empty=True)
    assert any(request.startswith("GET /blobs") for request in hub.requests)
    for id in ("one", "two", "three"):
        assert (job(store, id).state, job(store, id).error) == ("done", None)
        run = store.runs.get(id)
        assert run is not None
        assert run.images == 1


def test_a_download_goes_on_beside_other_jobs_and_a_cancelled_one_continues(
    store: Store, preset: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = threading.Event()
    request_stop = _Work._request_stop

    def listen(work: _Work) -> None:
        request_stop(work)
        if work.asked == "cancel":
            heard.set()

    monkeypatch.setattr(workers, "BEAT", 0.05)
    monkeypatch.setattr(_Work, "_request_stop", listen)
    weights = hub.repositories["owner/text"].files["model.safetensors"]
    held = hub.fail(f"GET /blobs/{sha256(weights)}", cut=1000, hold=threading.Event(), times=1)
    assert held.hold is not None
    store.jobs.submit("p", "pull", {"preset": preset})
    worker = Worker(store, poll=0.05)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        assert held.met.wait(PATIENCE)
        store.jobs.submit("u", "unload", {"preset": "mini"})
        wait_for(lambda: job(store, "u").state == "done", "the job beside the download")
        assert job(store, "p").state == "running"
        store.jobs.ask("p", "cancel")
        assert heard.wait(PATIENCE)
        held.hold.set()  # the next bytes arrive, and the download sees that it is to stop
        wait_for(lambda: job(store, "p").state == "cancelled", "the end of the download")
        store.jobs.submit("again", "pull", {"preset": preset})
        wait_for(lambda: job(store, "again").state not in OPEN, "the end of the second download")
    finally:
        held.hold.set()
        worker.stop.pause()
        thread.join(PATIENCE)
    again = job(store, "again")
    assert again.state == "done"
    assert again.progress["bytes"] == again.progress["of_bytes"] > 0


def wait_for(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_fault_of_the_hub_is_the_jobs_error(store: Store, preset: str, hub: Hub) -> None:
    hub.repositories["owner/painter"].gated = 403
    store.jobs.submit("p", "pull", {"preset": preset})
    Worker(store, poll=0.05).work(until_empty=True)
    ended = job(store, "p")
    assert ended.state == "failed"
    assert "your account has not been given access to it; accept the licence at" in (ended.error or "")


def test_a_download_that_a_stopped_worker_left_is_continued_by_the_next(
    store: Store, preset: str, hub: Hub
) -> None:
    store.jobs.submit("p", "pull", {"preset": preset})
    first = Worker(store)
    assert store.jobs.claim(f"{first.name} downloads", pulls=True) is not None  # and it died
    Worker(store, poll=0.05).work(until_empty=True)
    assert job(store, "p").state == "done"
