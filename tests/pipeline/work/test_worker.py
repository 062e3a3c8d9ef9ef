"""The worker on tiny models: jobs end as they should, hear what is asked of them, and outlive it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from models.protocols import Step
from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.errors import StoreLost
from pipeline.events import Attempt, Event
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.store.jobs import Job
from pipeline.work.row import Row
from pipeline.work.worker import Worker, _Work
from tests import postgres
from tests.waiting import wait_for

Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "out")
    yield opened
    opened.close()


@pytest.fixture
def preset(tiny: Tiny) -> str:
    return str(tiny(judge=NEVER_PASS, loop={"images": 3}).source)


def ended(store: Store, id: str) -> Job:
    job = store.jobs.get(id)
    assert job is not None
    return job


def brief(text: str, preset: str, **fields: object) -> dict[str, object]:
    return {"brief": Brief(text=text, **fields).model_dump(mode="json"), "preset": preset}  # type: ignore[arg-type]


def test_a_brief_is_done_and_its_run_has_the_jobs_name(store: Store, preset: str) -> None:
    store.jobs.submit("one", "brief", brief("a cat", preset))
    store.jobs.submit("two", "brief", brief("a cat", preset))
    Worker(store).work(until_empty=True)
    for id, folder, painted in (
        ("one", "a-cat", 3),
        ("two", "a-cat-2", 0),
    ):  # the second one's answers are kept
        job = ended(store, id)
        assert (job.state, job.progress["done"], job.progress["images"]) == ("done", 1, painted)
        run = store.runs.get(id)
        assert run is not None
        assert (run.status, run.folder, run.job) == ("exhausted", folder, id)
        assert (store.out / folder / "best.png").exists()
    assert store.results.count()["image"] == 3  # the second was answered from what was kept
    assert not list((store.out / "easel.previews").glob("*"))


def test_a_batch_job_reports_progress_and_writes_a_report(
    store: Store, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, object]] = []
    report = store.jobs.report

    def listen(id: str, worker: str, progress: dict[str, object]) -> None:
        told.append(dict(progress))
        report(id, worker, progress)

    monkeypatch.setattr(store.jobs, "report", listen)
    text = "brief,images\na cat,1\n,7\na dog,2\n"
    store.jobs.submit("b", "batch", {"text": text, "kind": "csv", "name": "pets", "preset": preset})
    Worker(store).work(until_empty=True)
    job = ended(store, "b")
    assert (job.state, job.progress["of"], job.progress["done"]) == ("done", 2, 2)
    page = (store.out / str(job.progress["report"])).read_text()
    assert "0 of 3" in page
    assert "the brief is empty" in page
    assert {run.folder for run in store.runs.find(job="b")} == {"a-cat", "a-dog"}
    assert [t["done"] for t in told] == sorted(t["done"] for t in told)  # type: ignore[type-var]
    assert any(t.get("step") for t in told)


@pytest.mark.parametrize(
    ("kind", "payload", "says"),
    [
        ("brief", {"brief": {"text": ""}}, "brief is empty"),
        ("brief", {"brief": {"text": "a cat"}, "preset": "minni"}, "did you mean mini?"),
        ("brief", {"brief": {"text": "a cat", "width": 128, "height": 64}}, "paints squares"),
        ("brief", {"brief": {"text": "a cat", "limits": {"money": 1}}}, "money: mini: machine.price is 0"),
        ("brief", {"brief": {"text": "a cat"}, "set": ["loop.money=1"]}, "loop.money: machine.price is 0"),
        ("batch", {"text": "x", "kind": "csv"}, "no column named brief"),
        ("poem", {}, "update Easel"),
        ("batch", {"text": "brief\na cat", "kind": "csv", "set": ["image.model=./nowhere"]}, "nowhere"),
        ("brief", {}, "see the worker's output"),
    ],
)
def test_a_job_that_cannot_be_done_says_why(
    store: Store, kind: str, payload: dict[str, object], says: str
) -> None:
    store.jobs.submit("x", kind, payload)
    Worker(store).work(until_empty=True)
    job = ended(store, "x")
    assert job.state == "failed"
    assert says in (job.error or "")
    assert "\n" not in (job.error or "")


@pytest.mark.parametrize("what", ["cancel", "pause"])
@pytest.mark.parametrize("kind", ["brief", "batch"])
def test_a_request_to_stop_takes_effect_within_a_step(
    store: Store, preset: str, kind: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = (
        brief("a cat", preset)
        if kind == "brief"
        else {"text": "brief\na cat\na dog\n", "kind": "csv", "preset": preset, "set": ["loop.together=1"]}
    )
    store.jobs.submit("x", kind, payload)
    steps = 0
    on_step = _Work.on_step

    def ask_in_the_second_image(work: _Work, step: Step) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            store.jobs.ask("x", what)  # type: ignore[arg-type]
        on_step(work, step)

    monkeypatch.setattr(_Work, "on_step", ask_in_the_second_image)
    Worker(store).work(until_empty=True)
    job = ended(store, "x")
    assert job.state == {"cancel": "cancelled", "pause": "paused"}[what]
    assert steps == (3 if what == "cancel" else 4)  # a pause lets the image in hand come to its end
    runs = store.runs.find(job="x")
    if (kind, what) == ("brief", "cancel"):
        assert [(r.status, r.images) for r in runs] == [("exhausted", 1)]
        assert "stopped by the user" in runs[0].reason
        assert (store.out / "a-cat" / "best.png").exists()
    else:
        assert [r.status for r in runs] == ["stopped"]
    if what == "pause":
        assert store.results.count()["image"] == 2
        monkeypatch.undo()
        store.jobs.ask("x", "resume")
        Worker(store).work(until_empty=True)
        assert ended(store, "x").state == "done"
        assert store.results.count()["image"] == (3 if kind == "brief" else 6)
        assert {r.status for r in store.runs.find(job="x")} == {"exhausted"}


@pytest.mark.parametrize(("passes", "status"), [(False, "exhausted"), (True, "accepted")])
def test_a_picture_that_was_painted_when_its_brief_is_cancelled_is_judged_and_kept(
    store: Store, tiny: Tiny, passes: bool, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = {"default": {"pass": 0.0, "fail": 0.0}} if passes else NEVER_PASS
    path = str(tiny(judge=bands, loop={"images": 3}).source)
    store.jobs.submit("x", "brief", brief("a cat", path))
    on_step, steps = _Work.on_step, 0

    def ask_at_the_last_step(work: _Work, step: Step) -> None:
        nonlocal steps
        steps += 1
        if step.index == step.total:
            store.jobs.ask("x", "cancel")
        on_step(work, step)

    monkeypatch.setattr(_Work, "on_step", ask_at_the_last_step)
    Worker(store).work(until_empty=True)
    assert ended(store, "x").state == "cancelled"
    assert steps == 2  # of the first picture
    (run,) = store.runs.find(job="x")
    assert (run.status, run.images, run.best) == (status, 1, "1-1")
    assert (
        {check.outcome for check in store.runs.checks("x", "1-1")} == {"pass"} if passes else {"pass", "fail"}
    )
    assert (store.out / "a-cat" / "attempts" / "1-1.png").exists()


@pytest.mark.parametrize(("told", "images"), [(1, 0), (2, 1)])
def test_a_brief_cancelled_between_two_images_ends_with_what_it_has(
    store: Store, preset: str, told: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit("x", "brief", brief("a cat", preset))
    events = 0
    tell = _Work.tell

    def ask_after_an_event(work: _Work, row: Row, event: Event) -> None:
        nonlocal events
        events += 1
        if events == told:  # the reading, or the first attempt
            store.jobs.ask("x", "cancel")
        tell(work, row, event)

    monkeypatch.setattr(_Work, "tell", ask_after_an_event)
    Worker(store).work(until_empty=True)
    assert ended(store, "x").state == "cancelled"
    (run,) = store.runs.find(job="x")
    assert (run.status, run.images) == ("exhausted", images)
    assert "stopped by the user" in run.reason
    assert (store.out / "a-cat" / "run.json").exists()
    assert (store.out / "a-cat" / "best.png").exists() == bool(images)


def test_a_stopped_worker_returns_its_job_to_the_queue(
    store: Store, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit("x", "brief", brief("a cat", preset))
    store.jobs.submit("y", "brief", brief("a dog", preset))
    worker = Worker(store)
    on_step = _Work.on_step

    def stop(work: _Work, step: Step) -> None:
        worker.stop.pause()
        on_step(work, step)

    monkeypatch.setattr(_Work, "on_step", stop)
    worker.work()
    assert [(job.id, job.state, job.place) for job in store.jobs.list()] == [
        ("y", "queued", 1),
        ("x", "queued", 0),
    ]
    monkeypatch.undo()
    Worker(store).work(until_empty=True)
    assert {job.state for job in store.jobs.list()} == {"done"}


def test_previews_are_small_pictures_of_what_is_being_painted(
    store: Store, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    tell = _Work.say

    def look(work: _Work, now: bool = False, **what: object) -> None:
        tell(work, now=True, **what)
        if what.get("step"):
            job = ended(store, "x")
            with Image.open(store.out / str(job.progress["preview"])) as image:
                seen.append(image.size)

    monkeypatch.setattr(_Work, "say", look)
    store.jobs.submit("x", "brief", brief("a cat", preset))
    Worker(store).work(until_empty=True)
    assert seen
    assert all(max(size) <= 256 for size in seen)


def test_an_idle_worker_unloads_its_models(store: Store, preset: str) -> None:
    worker = Worker(store, idle=0.0, poll=0.01)
    store.jobs.submit("x", "brief", brief("a cat", preset))
    unload, loaded = worker.pool.unload, []

    def watch() -> int:
        loaded.append(unload())
        if len(loaded) == 2:
            worker.stop.pause()
        return loaded[-1]

    worker.pool.unload = watch  # type: ignore[method-assign]
    worker.work()
    assert loaded == [2, 0]
    assert ended(store, "x").state == "done"


def test_progress_that_nothing_follows_is_reported_with_the_next_heartbeat(
    store: Store, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.work.worker.BEAT", 0.05)
    monkeypatch.setattr("pipeline.work.worker._SAY", 3600.0)  # so that the second report waits
    store.jobs.submit("one", "pull", {"preset": preset})
    worker = Worker(store)
    job = store.jobs.claim(worker.name, pulls=True)
    assert job is not None
    work = _Work(worker, job)
    work.say(stage="planning", now=True)
    work.say(stage="downloading", of_bytes=10)

    def stage() -> str:
        return str(store.jobs.get("one").progress["stage"])

    assert stage() == "planning"
    with work.alive():
        wait_for(lambda: stage() == "downloading", "the progress that was held back")


def test_a_step_without_a_preview_is_reported_like_any_other(store: Store, preset: str) -> None:
    store.jobs.submit("one", "brief", brief("a cat", preset))
    job = store.jobs.claim("w")
    assert job is not None
    work = _Work(Worker(store), job)
    work.on_step(Step(1, 4, (0,), list))
    assert (work.progress["step"], work.progress["steps"]) == (1, 4)
    assert not work.preview.exists()


@pytest.mark.slow
def test_a_restart_of_postgres_ends_neither_worker_nor_page(
    tmp_path: Path, preset: str, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.cluster() as own:
        if own is None:
            pytest.skip("no Postgres: install Debian's postgresql")
        with postgres.database(own.address) as url:
            page, stop, stopped = Store(tmp_path, url), Stop(), threading.Event()
            page.jobs.submit("one", "brief", brief("a cat", preset))

            def interrupt() -> None:
                own.stop()
                stopped.set()

            worker = Worker(Store(tmp_path, url), stop, poll=0.05)
            act = _after_first_attempt(worker, interrupt)
            thread = threading.Thread(target=worker.work)
            thread.start()
            try:
                assert stopped.wait(600)
                with pytest.raises(StoreLost):
                    page.jobs.get("one")
                wait_for(lambda: "trying again" in caplog.text, "the worker's word about it")
                own.start()
                wait_for(lambda: ended(page, "one").state == "done", "the end of the job")
            finally:
                stop.pause()
                thread.join()
            assert act == ["stopped"]
            assert page.results.count()["image"] == 3
            assert caplog.text.count("trying again") == 1
            worker.store.close()
            page.close()


def test_a_batch_makes_way_for_a_brief_and_continues(
    store: Store, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = {"text": "brief\na cat\na dog\n", "kind": "csv", "preset": preset, "set": ["loop.together=1"]}
    store.jobs.submit("many", "batch", payload)
    asked: list[str] = []
    on_step = _Work.on_step

    def ask_in_the_first_image(work: _Work, step: Step) -> None:
        if not asked:
            asked.append("one")
            store.jobs.submit("one", "brief", brief("an owl", preset))
            work._looked = 0.0
        on_step(work, step)

    monkeypatch.setattr(_Work, "on_step", ask_in_the_first_image)
    Worker(store).work(until_empty=True)
    one, many = ended(store, "one"), ended(store, "many")
    assert (one.state, many.state, many.progress["done"]) == ("done", "done", 2)
    assert one.ended is not None
    assert many.ended is not None
    assert one.ended < many.ended
    assert store.results.count()["image"] == 9  # nothing is painted twice


def _after_first_attempt(worker: Worker, act: Callable[[], None]) -> list[str]:
    """Once, after the first attempt of a job, something happens. Returns a list that has an entry afterwards."""
    done: list[str] = []
    take = worker.store.runs.take

    def watched(id: str, event: Event) -> None:
        take(id, event)
        if isinstance(event, Attempt) and not done:
            done.append("stopped")
            act()

    worker.store.runs.take = watched  # type: ignore[method-assign]
    return done
