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
    assert called(monkeypatch, "--out", str(tmp_path)) in (0, None)
    assert "older than 6w" in capsys.readouterr().out
    assert called(monkeypatch, "--out", str(tmp_path), "--older-than", "a month") == 2
    assert "12h, 30d, 6w" in capsys.readouterr().err
