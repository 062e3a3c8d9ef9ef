"""One app with one worker, as `easel ui` starts them, and one browser, for all tests of the app."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset, load_preset
from pipeline.events import Outcome, Started
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder
from pipeline.store import Store
from tests.pipeline.tiny_preset import write_preset
from tests.ui.steps import PANDA, watched, write
from tests.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse"
SHOTS = ROOT / "tests/shots"
NEVER_MET = "a cat, mostly purple"  # contradictory, and not flagged as such
expect.set_options(timeout=PATIENCE * 1000)


class App:
    """`easel ui` as a process."""

    def __init__(self, out: Path, *options: str, **environment: str) -> None:
        self.out, self.port = out, _free_port()
        self._options, self._environment = options, environment
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "scripts.easel",
            "ui",
            "--out",
            str(self.out),
            "--port",
            str(self.port),
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | self._environment
        self._process = subprocess.Popen([*command, *self._options], cwd=ROOT, env=environment)
        try:
            wait_for(self._up, "an answer of the app")
        except BaseException:
            self._process.kill()
            raise

    def _up(self) -> bool:
        assert self._process.poll() is None, "the app ended"
        try:
            return httpx.get(self.url, timeout=5).status_code in (200, 401)
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Preset) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("app") / "out", "--preset", str(tiny_preset.source))
    yield running
    running.stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[App]:
    """An app behind a password."""
    running = App(tmp_path / "out", "--no-worker", EASEL_PASSWORD=PASSWORD)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def client(app: App) -> Client:
    return Client(app.url, verbose=False)


@pytest.fixture(scope="session")
def store(app: App) -> Iterator[Store]:
    opened = Store(app.out)
    yield opened
    opened.close()


def state(store: Store, id: str) -> str:
    job = store.jobs.get(id)
    return job.state if job else "none"


@pytest.fixture
def busy(client: Client, store: Store) -> Iterator[str]:
    """A job in work that does not end until it is cancelled: no brief that is submitted later can begin before."""
    id = client.predict(NEVER_MET, images=5000, seed=1, api_name="/submit")["id"]
    wait_for(lambda: state(store, id) == "running", "the job in work")
    yield id
    client.predict(id, "cancel", api_name="/ask")
    wait_for(lambda: state(store, id) == "cancelled", "the end of the job in work")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium: install Debian's package of that name")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, app: App) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.set_default_timeout(PATIENCE * 1000)
    opened = context.new_page()
    foreign: list[str] = []
    opened.on(
        "request",
        lambda r: foreign.append(r.url) if not r.url.startswith((app.url, "data:", "blob:")) else None,
    )
    go(opened, app.url)
    yield opened
    context.close()
    assert not foreign, f"the page asked elsewhere: {foreign}"


@pytest.fixture(scope="session")
def accepted(app: App, browser: Browser, store: Store) -> str:
    """A brief that was written, read, and painted until it was accepted. Returns the job."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    go(page, app.url)
    write(page, PANDA, seed=7)
    expect(page.locator("#wants .want")).to_have_count(3)
    page.locator("#paint").click()
    expect(page.locator("#result .mark").first).to_have_text("✓ accepted")
    expect(page.locator("#stand img")).to_have_attribute(
        "alt", "Candidate 1-1 for “" + PANDA + "”, gate: pass"
    )
    assert page.locator("#history article").count() >= 1
    assert page.locator("#result a[download]").all_inner_texts() == ["Picture", "Contact sheet", "Run record"]
    for link in page.locator("#result a[download]").all():
        assert httpx.get(f"{app.url}/{link.get_attribute('href')}").status_code == 200
    expect(page.locator("#again")).to_be_visible()
    expect(page.locator("#alike")).to_be_visible()
    id = watched(page)
    context.close()
    return id


def go(page: Page, url: str) -> None:
    """Open the page and wait until it has been filled."""
    page.goto(url)
    page.wait_for_selector("body[data-opened]")


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    """A preset on tiny random checkpoints that no judge can check: every picture goes to a person."""
    path = write_preset(
        tmp_path_factory.mktemp("tiny"),
        judge={"routes": {"object": []}},
        loop={"images": 1, "reader": "rules"},
    )
    return load_preset(str(path))


def add_runs(store: Store, preset: Preset, texts: list[str]) -> list[str]:
    """Real runs of a preset, put into a store without a queue. Returns their ids."""
    briefs = [Brief(text=text, seed=i) for i, text in enumerate(texts)]
    ids = [f"made-{preset.name}-{abs(hash(text)):x}" for text in texts]
    folders: dict[int, RunFolder] = {}
    for event in run(briefs, preset, load(preset)):
        at = event.brief
        if isinstance(event, Started):
            folder = store.out / store.runs.begin(ids[at], briefs[at], preset, store.out)
            folders[at] = RunFolder(folder, briefs[at], preset)
        folders[at].take(event)
        store.runs.take(ids[at], event)
        assert not isinstance(event, Outcome) or event.best is not None
    return ids
