"""Every way of ending the page ends the worker that it started."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from pipeline.work.task import residents
from tests.ui.conftest import App, wait_for


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_worker_ends_with_the_page(tmp_path: Path, number: signal.Signals) -> None:
    if number is not signal.SIGKILL and signal.getsignal(number) is signal.SIG_IGN:
        # As under nohup, or in the background of a script: the app would be told to ignore it too.
        signal.signal(number, signal.SIG_DFL)
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
