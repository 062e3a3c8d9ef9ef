"""`easel batch` and `easel worker` as a person uses them: real processes, killed and stopped and started again."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.store import Store
from tests.scripts import signalled
from tests.scripts.signalled import PATIENCE

ROOT = Path(__file__).parents[3]
Tiny = Callable[..., Preset]
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "scripts.easel", *args]


def easel(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.csv", "name\nx\n", "no column named brief"),
        ("x.csv", "brief,sed\na cat,1\n", "did you mean seed?"),
        ("x.csv", "", "no briefs found"),
        ("x.yaml", "- [", "not YAML"),
        ("x.txt", "a cat", "use a file named .csv"),
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


def test_a_file_of_bad_rows_ends_with_status_2(tmp_path: Path) -> None:
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
    preset = tiny(judge=NEVER_PASS, loop={"images": 3, "together": 1})
    (tmp_path / "x.csv").write_text("brief,images\na cat,2\na dog,3\n")
    args = ["batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"), "--preset", str(preset.source)]
    stopped = signalled.easel(*args, signal=SIGINT, file="a-dog/attempts/1-1.png")
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "1 not met, 1 not finished" in stopped.stdout
    assert f"The same command continues: easel {args[0]} {args[1]}" in stopped.stdout
    assert (tmp_path / "out" / "report.html").exists()
    (tmp_path / "x.csv").write_text("brief,images\na cat,2\n")
    done = easel(*args)
    assert "1 of 1 briefs are done already" in done.stdout
    assert done.returncode == 3


@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.slow
def test_kills_lose_and_repeat_nothing(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"together": 3})
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benches.chaos_kill", "--warm", "--kills", "5", "--images", "2", "--preset",
         str(preset.source)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differences, 0 kept results made twice" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="kills")
@pytest.mark.slow
def test_a_killed_workers_job_is_finished_by_the_next(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 5})
    store = Store(tmp_path)
    payload = {"brief": Brief(text="a cat").model_dump(mode="json"), "preset": str(preset.source)}
    store.jobs.submit("x", "brief", payload)
    args = ("worker", "--out", str(tmp_path), "--until-empty")
    killed = signalled.easel(*args, signal=SIGKILL, file="attempts/3-1.png")
    assert killed.returncode == -SIGKILL, killed.stderr
    job = store.jobs.get("x")
    assert job is not None
    assert job.state == "running"
    assert store.results.count()["image"] == 3
    assert len(store.runs.candidates("x")) == 2
    done = easel(*args)
    assert done.returncode == 0, done.stderr
    job = store.jobs.get("x")
    assert job is not None
    assert job.state == "done"
    assert store.results.count()["image"] == 5
    assert len(store.runs.candidates("x")) == 5


@pytest.mark.slow
def test_rows_that_were_not_met_are_run_again(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 1})
    (tmp_path / "x.csv").write_text("brief,seed,sku\na cat,3,A-1\n")
    args = ["batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"), "--preset", str(preset.source)]
    assert easel(*args).returncode == 3
    again = easel(*args, "--retry", "not-met")
    assert again.returncode == 3, again.stderr
    assert "1 briefs are run again" in again.stdout
    (cells,) = csv.DictReader((tmp_path / "out" / "report.csv").open())
    assert (cells["seed"], cells["outcome"], cells["images"], cells["sku"]) == (
        "1000003",
        "exhausted",
        "1",
        "A-1",
    )
    wrong = easel(*args, "--retry", "accepted")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_many_bad_rows_take_a_few_lines(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("brief,seed\n" + "a cat,-1\n" * 1200)
    done = easel("batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stdout.count("left out: seed") == 10
    assert "1,190 more left out; the report lists each" in done.stdout
    assert "1,200 bad rows" in done.stdout
    assert len(done.stdout.splitlines()) < 20


def test_a_pipe_gets_a_count_now_and_then(tiny: Tiny, tmp_path: Path) -> None:
    preset = tiny(loop={"images": 1})
    rows = "".join(f"an apple but no apples,{n}\n" for n in range(45))  # contradictions: nothing is painted
    (tmp_path / "x.csv").write_text("brief,seed\n" + rows)
    done = easel(
        "batch", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out"), "--preset", str(preset.source)
    )
    counts = [line for line in done.stdout.splitlines() if "briefs/min" in line]
    assert [line.partition(",")[0] for line in counts] == ["20/45", "40/45"]
    assert all(" left" in line for line in counts)
