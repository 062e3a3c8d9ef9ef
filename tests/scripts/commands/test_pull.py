"""`easel pull` on a hub of this machine: the plan, the question, an interruption, the second start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import hub as hubs
from tests.hub import Hub, Repository
from tests.hub_preset import write_hub_preset
from tests.scripts.signalled import PATIENCE, ROOT

Easel = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Repository]]:
    return write_hub_preset(tmp_path_factory.mktemp("preset"))


@pytest.fixture
def served(repositories: tuple[Path, dict[str, Repository]]) -> Iterator[Hub]:
    with hubs.serve() as hub:
        hub.repositories |= repositories[1]
        yield hub


@pytest.fixture
def preset(repositories: tuple[Path, dict[str, Repository]]) -> str:
    return str(repositories[0])


@pytest.fixture
def easel(served: Hub, tmp_path: Path) -> Easel:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts.easel", *args], cwd=ROOT, env=os.environ | served.environment(tmp_path),
            capture_output=True, text=True, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


def test_a_plan_then_a_download_then_a_run_that_asks_nobody(
    preset: str, served: Hub, easel: Easel, tmp_path: Path
) -> None:
    before = easel(
        "run", "a cat", "--preset", preset, "--out", str(tmp_path / "out"), "--set", "offline=true"
    )
    assert before.returncode == 2
    assert f"download them with: easel pull {preset} (or hf download owner/text --revision" in before.stderr
    assert served.requests == []

    planned = json.loads(easel("pull", preset, "--plan", "--json").stdout)
    by_name = {row["repository"]: row for row in planned["repositories"]}
    assert by_name.keys() == {f"owner/{name}" for name in ("painter", "lora", "text", "adapter", "judge")}
    assert by_name["owner/judge"]["licence"] == "cc-by-nc-4.0"
    assert by_name["owner/lora"]["for"] == ["image: LoRA"]
    assert "sd_tiny_vae.safetensors" not in by_name["owner/painter"]["files"]
    assert planned["left"] == sum(row["left"] for row in planned["repositories"]) > 0
    assert not [request for request in served.requests if request.startswith("GET /blobs")]

    unasked = easel("pull", preset)
    assert unasked.returncode == 2
    assert "add --yes to download" in unasked.stderr
    done = easel("pull", preset, "--yes")
    assert done.returncode == 0, done.stderr
    assert "everything is here" in done.stdout
    assert json.loads(easel("pull", preset, "--plan", "--json").stdout)["left"] == 0

    served.requests.clear()
    ran = easel("run", "a cat", "--preset", preset, "--out", str(tmp_path / "out"))
    assert ran.returncode in (0, 3), ran.stderr
    assert served.requests == []


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_keeps_what_is_complete_and_the_same_command_goes_on(
    preset: str, served: Hub, easel: Easel, tmp_path: Path
) -> None:
    weights = served.repositories["owner/text"].files["model.safetensors"]
    held = served.fail(f"GET /blobs/{hubs.sha256(weights)}", cut=1000, hold=hubs.threading.Event())
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'easel'; from scripts.easel import main; main()",
         "pull", preset, "--yes"],
        cwd=ROOT, env=os.environ | served.environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while not held.met.wait(1):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    assert held.hold is not None
    held.hold.set()  # the next bytes arrive, and the download sees that it is to stop
    said, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "stopped; files that are complete are kept" in said
    assert not list(tmp_path.rglob("*.incomplete"))

    served.faults.clear()
    served.requests.clear()
    assert easel("pull", preset, "--yes").returncode == 0
    again = [request for request in served.requests if request.startswith("GET /blobs")]
    assert f"GET /blobs/{hubs.sha256(weights)}" in again


def test_a_fault_is_one_line(preset: str, served: Hub, easel: Easel) -> None:
    served.repositories["owner/painter"] = Repository(served.repositories["owner/painter"].files, gated=401)
    said = easel("pull", preset, "--yes")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "accept the licence at http://127.0.0.1" in said.stderr
    assert "/owner/painter, then log in with: hf auth login" in said.stderr


def test_a_preset_without_downloads_says_so(easel: Easel, served: Hub) -> None:
    said = easel("pull", "mini")
    assert said.returncode == 0
    assert "needs nothing from the hub" in said.stdout
    assert served.requests == []
