"""Every way of ending the page ends the worker that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.task import residents
from tests.ui.conftest import ROOT, App, go, wait_for
from tests.ui.steps import wait_for_answers


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_worker_ends_with_the_page(tmp_path: Path, number: signal.Signals) -> None:
    app = App(tmp_path / "out")
    wait_for(lambda: residents(app.out) is not None, "the worker")
    told = residents(app.out)
    assert told is not None
    worker = psutil.Process(told.pid)
    app._process.send_signal(number)
    app._process.wait(timeout=600)
    wait_for(
        lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the end of the worker"
    )


def easel(*words: str, **streams: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.easel", *words], cwd=ROOT, env=environment, **streams
    )


@pytest.mark.slow
def test_a_worker_of_the_page_ends_with_its_standard_input(tmp_path: Path) -> None:
    worker = easel("worker", "--out", str(tmp_path), "--until-eof", stdin=subprocess.PIPE)
    wait_for(lambda: residents(tmp_path) is not None, "the worker")
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=600) == 130


@pytest.mark.slow
def test_a_worker_started_by_hand_needs_no_standard_input(tmp_path: Path) -> None:
    worker = easel("worker", "--out", str(tmp_path), "--until-empty", stdin=subprocess.DEVNULL)
    assert worker.wait(timeout=600) == 0


@pytest.mark.slow
def test_the_page_says_that_another_process_works_in_its_folder_and_then_takes_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with exclusive(store):
        page = easel("ui", "--out", str(tmp_path), "--port", "0", stderr=subprocess.PIPE)
        assert page.stderr is not None
        said = next(line for line in page.stderr if b"already works in" in line).decode()
        assert "another easel process" in said
        assert "starts its own worker when that one has ended" in said
    store.close()
    wait_for(lambda: residents(tmp_path) is not None, "the page's own worker")
    page.send_signal(signal.SIGTERM)
    page.stderr.read()
    assert page.wait(timeout=600) == 0


@pytest.mark.slow
def test_the_page_says_once_that_its_folder_is_gone(tmp_path: Path, browser: Browser) -> None:
    app = App(tmp_path / "out", "--no-worker")
    page = browser.new_page()
    go(page, app.url)
    app.out.rename(tmp_path / "elsewhere")
    expect(page.locator(".toast-body")).to_contain_text("is gone: moved or deleted")
    wait_for_answers(page, 4)
    expect(page.locator(".toast-body")).to_have_count(1)
    assert not app.out.exists()
    page.close()
    app.stop()


@pytest.mark.slow
def test_the_page_starts_no_worker_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    page = easel("ui", "--out", str(tmp_path / "out"), "--port", "0", stderr=subprocess.PIPE)
    assert page.stderr is not None
    wait_for(lambda: residents(tmp_path / "out") is not None, "the worker")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    said = [next(page.stderr).decode()]
    while "was moved or deleted while the app used it" not in said[-1]:
        said.append(next(page.stderr).decode())
    assert not any("Traceback" in line for line in said)
    assert not (tmp_path / "out").exists()
    page.send_signal(signal.SIGTERM)
    page.stderr.read()
    assert page.wait(timeout=600) == 0
