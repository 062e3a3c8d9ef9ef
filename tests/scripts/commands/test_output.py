"""The command goes on where nobody reads its output, and on consoles that lack characters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.store import Store
from scripts.commands.output import PLAIN
from tests.scripts.signalled import PATIENCE, easel

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "scripts.easel"]


def test_a_run_goes_on_when_its_output_is_closed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "a red apple", "--images", "1", "--out", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("Wants")
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(PATIENCE) in (0, 3)
    assert said == ""
    (run,) = Store(tmp_path).runs.find(limit=9)
    assert run.outcome is not None
    assert (tmp_path / run.folder / "run.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("args", [["presets"], ["presets", "--json"], ["--help"]])
def test_a_full_device_is_one_line(args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *args], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("easel: standard output cannot be written (")
    assert len(done.stderr.splitlines()) == 1


def test_the_reader_of_a_pipe_may_leave() -> None:
    done = subprocess.run(
        f"{sys.executable} -m scripts.easel presets --json | head -1; exit ${{PIPESTATUS[0]}}",
        cwd=ROOT, shell=True, executable="/bin/bash", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


def test_a_console_without_utf_8_gets_plain_characters(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "run", "a red apple", "--images", "1", "--out", str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    assert done.stdout.isascii()
    assert PLAIN["✓"] + " pass" in done.stdout


def test_a_run_whose_process_was_killed_is_stopped(tmp_path: Path) -> None:
    killed = easel("run", "a red apple", "--out", str(tmp_path), signal=signal.SIGKILL, file="1-1.png")
    assert killed.returncode == -signal.SIGKILL
    assert [run.status for run in Store(tmp_path).runs.find(limit=9)] == ["running"]
    done = subprocess.run(
        [*COMMAND, "stats", "--json", "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["funnel"]["briefs"] == 1
    assert [run.status for run in Store(tmp_path).runs.find(limit=9)] == ["stopped"]
