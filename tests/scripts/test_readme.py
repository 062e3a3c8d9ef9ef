"""What the README tells people to type."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.easel import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (easel .+)$", README, re.MULTILINE)
TARGETS = re.findall(r"`?make ([a-z]+)\b", README)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code in (0, 3), capsys.readouterr().err
    assert capsys.readouterr().out
    if " run " in command:
        assert list(tmp_path.glob("out/*/run.json"))


def test_the_readme_has_commands() -> None:
    assert any(" run " in command for command in COMMANDS)
    assert {"run", "test", "check"} <= set(TARGETS)


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_make_targets_of_the_readme_exist(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_options_of_the_readme_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["easel", "run", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main()
    help_text = capsys.readouterr().out
    for option in set(re.findall(r"`(--[a-z]+)", README)):
        assert option in help_text, option


def test_files_of_the_readme_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link
