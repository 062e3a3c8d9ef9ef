"""`easel batch` and `easel worker` as a person uses them: real processes, killed and stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.store import Store

ROOT = Path(__file__).parents[3]
Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "scripts.easel", *args]


def easel(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.csv", "name\nx\n", "no column named brief"),
        ("x.csv", "brief,sed\na cat,1\n", "did you mean seed?"),
        ("x.csv", "", "holds no briefs"),
        ("x.yaml", "- [", "not YAML"),
        ("x.txt", "a cat", "name it .csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_status_2(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    done = easel("batch", str(tmp_path / name), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_only_bad_rows_are_told_and_end_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("brief,seed\n,1\na cat,-1\n")
    done = easel("batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "line 2 left out: the brief is empty" in done.stdout
    assert "line 3 left out: seed" in done.stdout
    assert "2 bad row" in done.stdout
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.slow
def test_ctrl_c_writes_the_report_and_says_how_to_go_on(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 400, "together": 1})
    (tmp_path / "x.csv").write_text("brief,images\na cat,2\na dog,400\n")
    args = ["batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"), "--preset", str(preset.source)]
    process = subprocess.Popen(
        command(*args), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 240
    while not list(tmp_path.glob("out/a-dog/attempts/1-1.png")):
        assert time.monotonic() < until, "no first attempt"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "1 not met, 1 not finished" in told
    assert f"The same command goes on: easel {args[0]} {args[1]}" in told
    assert (tmp_path / "out" / "report.html").exists()
    (tmp_path / "x.csv").write_text("brief,images\na cat,2\n")
    done = easel(*args)
    assert "1 of 1 briefs are done already" in done.stdout
    assert done.returncode == 3


@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.slow
def test_nothing_is_lost_doubled_or_done_twice_by_kills(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"together": 3})
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benches.chaos_kill", "--warm", "--kills", "5", "--images", "2", "--preset",
         str(preset.source)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differences, 0 kept results made twice" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="kills")
@pytest.mark.slow
def test_a_killed_workers_job_is_finished_by_the_next(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 14})
    store = Store(tmp_path)
    payload = {"brief": Brief(text="a cat").model_dump(mode="json"), "preset": str(preset.source)}
    store.jobs.submit("x", "brief", payload)
    args = command("worker", "--out", str(tmp_path), "--until-empty")
    process = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 240
    while store.results.count().get("image", 0) < 3:
        assert time.monotonic() < until, "no images"
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    had = store.results.count()["image"]
    job = store.jobs.get("x")
    assert job is not None
    assert job.state == "running"
    done = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    job = store.jobs.get("x")
    assert job is not None
    assert job.state == "done"
    assert had < 14 == store.results.count()["image"]
    assert len(store.runs.candidates("x")) == 14
