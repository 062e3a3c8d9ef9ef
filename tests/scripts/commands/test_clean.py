"""`easel clean` on the console."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.store import Store
from scripts.easel import main


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["easel", "clean", *words])
    with pytest.raises(SystemExit) as exit:
        main()
    return exit.value.code


def test_clean_removes_only_with_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EASEL_RETENTION", raising=False)
    store = Store(tmp_path)
    path = store.pictures.path(store.pictures.keep(Image.new("RGB", (8, 8))))
    os.utime(path, (0, 0))
    assert called(monkeypatch, "--out", str(tmp_path)) in (0, None)
    said = capsys.readouterr().out
    assert "would free" in said
    assert "--yes" in said
    assert path.exists()
    assert called(monkeypatch, "--out", str(tmp_path), "--yes", "--json") in (0, None)
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"]["count"] == 1
    assert told["removed"]
    assert not path.exists()
    assert called(monkeypatch, "--out", str(tmp_path)) in (0, None)
    assert "nothing to free" in capsys.readouterr().out


def test_the_retention_can_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EASEL_RETENTION", "6w")
    Store(tmp_path).close()
    assert called(monkeypatch, "--out", str(tmp_path)) in (0, None)
    assert "older than 6w" in capsys.readouterr().out
    assert called(monkeypatch, "--out", str(tmp_path), "--older-than", "a month") == 2
    assert "12h, 30d, 6w" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["clean"], ["stats"], ["trace", "x"], ["review"]])
def test_commands_that_look_create_no_store(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["easel", *command, "--out", str(tmp_path / "typo")])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 2
    assert "no store in" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
