"""`easel doctor` and `easel presets` on a console: what is here, what can be had, what fits best."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable

import pytest

from models.machine import Machine
from scripts.commands import doctor, presets
from tests.hub import Hub

LARGE = Machine(main=64 * 10**9, gpu=48 * 10**9, name="a card")


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    for module in (doctor, presets):
        monkeypatch.setattr(module, "this_machine", lambda: LARGE)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=10**12))


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    return {row["what"]: (row["state"], row["detail"]) for row in json.loads(capsys.readouterr().out)}


def test_what_is_not_here_is_missing_and_the_best_that_can_be_had_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor.examine(as_json=True) == 0  # the default preset can run
    found = told(capsys)
    assert found["turbo image"] == (
        "missing",
        "The weights of black-forest-labs/FLUX.2-klein-4B are not in the local cache",
    )
    assert found["studio"][0] == "missing"
    assert "get it with: easel pull studio" in found["studio"][1]
    assert found["mini"][0] == "ready"
    assert found["fits best"] == ("ready", "studio; get it with: easel pull studio")
    assert "downloads" not in found


def test_where_nothing_can_be_had_the_best_is_one_that_is_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    doctor.examine(as_json=True)
    found = told(capsys)
    assert found["downloads"] == (
        "note", "not now: no answer from http://127.0.0.1:9; go online, or correct HF_ENDPOINT",
    )  # fmt: skip
    assert found["fits best"] == ("ready", "mini; it is here")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    doctor.examine(as_json=True)
    assert "unset HF_HUB_OFFLINE" in told(capsys)["downloads"][1]


def test_a_default_preset_that_does_not_fit_is_said_and_is_the_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "this_machine", lambda: Machine(main=10**9))
    assert doctor.examine(as_json=True) == 3
    found = told(capsys)
    assert found["mini"][0] == "missing"
    assert re.match(r"does not fit: takes [1-9]\.", found["mini"][1]), found["mini"]
    assert found["fits best"][0] == "missing"


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("show", [doctor.examine, presets.show])
def test_no_line_is_longer_than_the_console(
    show: Callable[[bool], object],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show(False)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert max(map(len, lines)) <= columns


def test_presets_say_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    presets.show(True)
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert (states["mini"], states["turbo"], states["studio"]) == (
        "here", "to download (17.0 GB)", "to download (43.0 GB)",
    )  # fmt: skip
