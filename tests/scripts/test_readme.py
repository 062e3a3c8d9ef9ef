"""What the README tells people to type."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.easel import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (easel .+)$", README, re.MULTILINE)
_QUICK = ["--images", "1", "--set", "loop.reader=rules", "--set", "loop.writer=template"]
TARGETS = re.findall(r"(?<!easel )make ([a-z]+)\b", README)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme_run(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    loaded_once: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command, comments=True)
    if words[1] == "run":  # as written, but for what takes time: the rest is the same
        words += _QUICK
    elif (
        words[1] == "pull"
    ):  # asks a hub of the network; tests/scripts/commands/test_pull.py has one of its own
        words += ["--help"]
    elif words[1] == "replay":  # of what the command before it made
        batch(Path("briefs.csv"))
        monkeypatch.setattr(
            sys, "argv", ["easel", "compare", "briefs.csv", "--vary", "loop.images=1,2", "--out", "out/steps"]
        )
        with pytest.raises(SystemExit):
            main()
    elif words[1] == "verify":  # the shell replaces the star
        monkeypatch.setattr(sys, "argv", ["easel", "run", "a panda", *_QUICK])
        with pytest.raises(SystemExit):
            main()
        words[2:3] = [str(path) for path in tmp_path.glob(words[2])]
    elif words[1] in ("batch", "compare"):
        batch(Path(words[2]))
        for preset in (ROOT / "scripts/evaluation/cascade").glob("*.yaml"):
            shutil.copy(preset, tmp_path)
    elif words[1] in ("review", "eval"):  # of a picture that waits for a person
        waiting = [*_QUICK, "--name", "a-panda", "--out", "out/"]
        before = [["easel", "run", "a panda, it should feel calm", *waiting]]
        if words[1] == "eval":
            before.append(["easel", "review", "approve", "a-panda", "--by", "ann", "--out", "out/"])
        if words[1] == "eval" and words[2] != "add":
            before.append(["easel", "eval", "add", "a-panda", "--out", "out/"])
        if words[1:3] == ["eval", "import"]:
            before.append(["easel", "eval", "export", words[3], "--out", "out/"])
        for line in before:
            monkeypatch.setattr(sys, "argv", line)
            with pytest.raises(SystemExit):
                main()
        capsys.readouterr()
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as exit:
        main()
    said = capsys.readouterr()
    assert exit.value.code in (None, 0, 3), said.err
    assert said.out
    if words[1:3] == ["eval", "--at-least"]:
        (shown,) = re.findall(r"^```\n(kind  .+?)^```", README, re.MULTILINE | re.DOTALL)
        assert said.out == shown
    if words[1] == "run":
        assert list(tmp_path.glob("out/*/run.json"))


def batch(path: Path) -> None:
    """Write a file of one brief."""
    rows = (ROOT / "tests/data/stickers.csv").read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(rows[:2]), encoding="utf-8")


def test_scripts_of_the_readme_exist() -> None:
    named = set(re.findall(r"python -m ([a-z_.]+)", README))
    assert "scripts.client" in named
    assert all(find_spec(name) for name in named)


def test_the_client_of_the_readme_runs_as_written() -> None:
    (command,) = re.findall(r"^    (python -m scripts\.client .+)$", README, re.MULTILINE)
    activated = f". {shlex.quote(str(Path(sys.prefix) / 'bin' / 'activate'))} && {command} --help"
    done = subprocess.run(["bash", "-c", activated], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--save" in done.stdout


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "owls.png").exists()


def test_the_readme_has_commands() -> None:
    assert any(" run " in command for command in COMMANDS)
    assert {"run", "test", "check"} <= set(TARGETS)


def test_make_targets_of_the_readme_exist() -> None:
    command = ["make", "--dry-run", *sorted(set(TARGETS))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def made(*words: str) -> str:
    """The commands of a fresh set-up."""
    command = ["make", "--dry-run", "--always-make", "PYTHON=python3", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_set_up_of_the_main_job_has_no_test_tools() -> None:
    assert "--group dev" not in made("run")
    assert "xllamacpp" not in made("ui")
    assert "--group dev" in made("test")
    assert 'easel run "$BRIEF"' in made("run")


def test_another_build_of_torch_comes_from_its_own_index() -> None:
    assert "--index-url" not in made("setup")
    lines = [line for line in made("setup", "TORCH_INDEX=file:///nowhere").splitlines() if "pip" in line]
    (own,) = [line for line in lines if "--index-url file:///nowhere" in line]
    assert own.endswith("torch torchvision")
    assert lines.index(own) < next(n for n, line in enumerate(lines) if "--editable" in line)


def test_options_of_the_readme_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in (
        "run",
        "make",
        "batch",
        "worker",
        "trace",
        "stats",
        "clean",
        "ui",
        "review",
        "report",
        "bands",
        "measure",
        "pull",
        "compare",
        "replay",
        "verify",
        "eval",
    ):
        monkeypatch.setattr(sys, "argv", ["easel", command, "--help"])
        with pytest.raises(SystemExit):
            main()
    help_text = capsys.readouterr().out
    ours = "\n".join(line for line in README.splitlines() if "scripts." not in line)  # scripts have their own
    for option in set(re.findall(r"`(--[a-z]+)", ours)):
        assert option in help_text, option


def test_files_of_the_readme_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link
