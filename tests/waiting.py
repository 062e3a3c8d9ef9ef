"""Waiting for an event in a test, with a generous limit."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 600.0  # seconds; a loaded machine may take minutes to start the app


def wait_for(met: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until `met()` is true."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if met():
            return
        time.sleep(0.2)
    pytest.fail(f"after {patience:.0f} s there was still no sign of: {what}")
