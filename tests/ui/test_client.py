"""The example client, as a process, against the running app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.signalled import PATIENCE
from tests.ui.conftest import PASSWORD, ROOT, App


def client(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.client", *args], cwd=ROOT, env=os.environ | env, capture_output=True,
        text=True, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
def test_it_prints_sentences_saves_the_picture_and_exits_by_the_outcome(app: App, tmp_path: Path) -> None:
    done = client("a panda on a purple background", "--url", app.url, "--save", str(tmp_path / "panda.png"))
    assert done.returncode == 0, done.stderr
    assert "wants a panda" in done.stdout
    assert "accepted: every must-have passes" in done.stdout
    assert (tmp_path / "panda.png").read_bytes().startswith(b"\x89PNG")
    open_ = client("a panda, it should feel calm", "--images", "1", "--url", app.url)
    assert open_.returncode == 3
    assert "needs review: " in open_.stdout
    refused = client(" ", "--url", app.url)
    assert refused.returncode == 2
    assert refused.stderr.startswith("client: The brief is empty")
    assert refused.stderr.count("\n") == 1


def test_an_app_with_a_password_says_what_is_missing(guarded: App) -> None:
    without = client("a panda", "--url", guarded.url)
    assert (without.returncode, without.stdout) == (2, "")
    assert "--name" in without.stderr
    wrong = client("a panda", "--url", guarded.url, "--name", "ann", EASEL_PASSWORD="something else")
    assert wrong.returncode == 2
    assert "correct the password" in wrong.stderr
    known = client(
        "a panda", "--url", guarded.url, "--name", "ann", "--preset", "minni", EASEL_PASSWORD=PASSWORD
    )
    assert known.returncode == 2
    assert "did you mean mini?" in known.stderr


def test_without_an_app_it_says_how_to_start_one() -> None:
    done = client("a panda", "--url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "easel ui" in done.stderr
    assert done.stderr.count("\n") == 1
