"""The console command as a person uses it: a real process, bundled models, exit statuses, one-line errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def easel(*args: str, stdin: bytes | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.easel", *args], cwd=ROOT, input=stdin, capture_output=True,
        env=os.environ | env, check=False, timeout=300,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", ""], "the brief is empty"),
        (["run", "   \n "], "the brief is empty"),
        (["run", "a cat", "--preset", "minni"], "did you mean mini?"),
        (["run", "a cat", "--preset", "/nowhere/x.yaml"], "no preset file"),
        (["run", "a cat", "--set", "image.stepz=3"], "did you mean steps?"),
        (["run", "a cat", "--set", "image.kind=oil"], "known kinds"),
        (["run", "a cat", "--width", "-5"], "width"),
        (["run", "a cat", "--images", "0"], "loop.images"),
        (["run", "a cat", "--seed", "-1"], "seed"),
        (["run", "a cat", "--out", "/proc/nowhere"], "--out"),
        (["run", "a cat", "--set", "image.model=./nowhere"], "nowhere"),
        (["run"], "Missing argument"),
        (["paint"], "No such command"),
    ],
)
def test_bad_input_is_one_line_and_status_2(args: list[str], says: str, tmp_path: Path) -> None:
    if args[:1] == ["run"] and "--out" not in args:
        args = [*args, "--out", str(tmp_path)]
    done = easel(*args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.startswith("easel: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_huge_and_binary_briefs_are_refused(tmp_path: Path) -> None:
    for data, says in ((b"cat " * 250_000, "shorten it"), (bytes(range(256)) * 8, "binary")):
        done = easel("run", "-", "--out", str(tmp_path), stdin=data)
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr) < 300
    assert list(tmp_path.iterdir()) == []


def test_presets_and_doctor_speak_json() -> None:
    names = [row["name"] for row in json.loads(easel("presets", "--json").stdout)]
    assert {"mini", "turbo", "studio", "server"} <= set(names)
    done = easel("doctor", "--json")
    findings = {row["what"]: row["state"] for row in json.loads(done.stdout)}
    assert findings["mini image"] == findings["mini scorer"] == findings["mini text"] == "ready"
    assert done.returncode == 0


def test_missing_weights_name_the_next_step(tmp_path: Path) -> None:
    done = easel(
        "run", "a cat", "--preset", "turbo", "--out", str(tmp_path), HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)
    )
    assert done.returncode == 2
    assert "hf download" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_same_brief_twice_gives_the_same_pixels(tmp_path: Path) -> None:
    brief = "a red balloon on a white background, flat style"
    records = []
    for name in ("first", "second"):
        done = easel(
            "run",
            brief,
            "--seed",
            "3",
            "--images",
            "2",
            "--out",
            str(tmp_path),
            "--name",
            name,
            "--json",
            "--fresh",
        )
        assert done.stdout, done.stderr
        records.append(json.loads(done.stdout))
        assert done.returncode == (0 if records[-1]["outcome"]["status"] == "accepted" else 3)
    files = [sorted((tmp_path / n / "attempts").glob("*.png")) for n in ("first", "second")]
    assert [f.name for f in files[0]] == [f.name for f in files[1]] != []
    from PIL import Image

    for one, two in zip(*files, strict=True):
        assert Image.open(one).tobytes() == Image.open(two).tobytes()
    checks = [[a["verdicts"] for a in r["attempts"]] for r in records]
    assert checks[0] == checks[1]


def test_a_brief_that_cannot_be_met_ends_with_status_3(tmp_path: Path) -> None:
    done = easel("run", "a cat on a red background, mostly blue", "--images", "1", "--out", str(tmp_path))
    assert done.returncode == 3
    assert "still missing: " in done.stdout
    assert next(tmp_path.glob("*/best.png")).stat().st_size > 0


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_keeps_what_there_is(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "scripts.easel", "run", "a cat on a red background, mostly blue",
        "--out", str(tmp_path), "--images", "500",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 240
    while not list(tmp_path.glob("*/attempts/1-1.png")):
        assert time.monotonic() < until, "no first attempt"
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert "stopped by the user" in record["outcome"]["reason"]
    assert next(tmp_path.glob("*/best.png")).stat().st_size > 0
