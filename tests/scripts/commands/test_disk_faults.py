"""Disks and stores that fail under a run: one clear error, never a traceback, and what was written before stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.errors import EaselError
from pipeline.events import Attempt
from pipeline.results.run_folder import read_metadata
from pipeline.store import engine
from pipeline.work import play
from scripts.commands import run as command
from tests.pipeline.conftest import tiny, tiny_folder  # noqa: F401
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]
BRIEF = Brief(text="a cat on a red background", name="cat")


@pytest.fixture
def preset(tiny: Tiny) -> Preset:  # noqa: F811
    return tiny(judge=NEVER_PASS, loop={"images": 3})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a file system that fills up")
    yield disk
    subprocess.run(["umount", "-l", "-R", str(disk)], check=True)


def refused(preset: Preset, out: Path) -> str:
    """The error of a run that must fail; main() shows it as one line."""
    with pytest.raises(EaselError) as error:
        command.run_briefs([BRIEF], preset, out, False)
    assert "\n" not in str(error.value)
    return str(error.value)


def after_first_attempt(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Something happens to the machine between the first attempt and the second."""
    original = play.run

    def interrupted(*args: object, **more: object) -> Iterator[object]:
        for event in original(*args, **more):  # type: ignore[arg-type]
            yield event
            if isinstance(event, Attempt) and event.number == 1:
                act()

    monkeypatch.setattr(play, "run", interrupted)


def test_a_disk_that_fills_up(preset: Preset, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill() -> None:
        file = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    os.write(file, b"\0" * size)
        os.close(file)

    after_first_attempt(monkeypatch, fill)
    said = refused(preset, small_disk)
    assert "No space left" in said or "full" in said
    assert read_metadata(small_disk / "cat/attempts/1-1.png")["candidate"]["id"] == "1-1"
    assert not list((small_disk / "cat/attempts").glob(".*"))


def test_a_disk_that_is_full_from_the_start(preset: Preset, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"\0" * (2**20 - 4096))
    assert "full" in refused(preset, small_disk)


def test_a_folder_that_turns_read_only(
    preset: Preset, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal() -> None:
        attempts = str(small_disk / "cat/attempts")
        for how in (["--bind", attempts, attempts], ["-o", "remount,bind,ro", attempts]):
            subprocess.run(["mount", *how], check=True)

    after_first_attempt(monkeypatch, seal)
    said = refused(preset, small_disk)
    assert "Read-only" in said or "readonly" in said
    assert read_metadata(small_disk / "cat/attempts/1-1.png")["candidate"]["id"] == "1-1"


def test_a_folder_that_is_read_only_from_the_start(preset: Preset, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes anywhere; the test above covers it with a read-only mount")
    tmp_path.chmod(0o500)
    assert "--out" in refused(preset, tmp_path / "out")


def test_a_store_that_stays_locked(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = engine._options
    monkeypatch.setattr(
        engine,
        "_options",
        lambda url: options(url) | {"connect_args": {"timeout": 0.2, "check_same_thread": False}},
    )

    def lock() -> None:
        holder = sqlite3.connect(tmp_path / engine.FILE, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")
        held.append(holder)

    held: list[sqlite3.Connection] = []
    after_first_attempt(monkeypatch, lock)
    said = refused(preset, tmp_path)
    held[0].close()
    assert "locked" in said
    assert "another process holds it" in said
    assert (tmp_path / "cat/attempts/1-1.png").stat().st_size > 0


def test_a_store_that_goes_away(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove() -> None:
        for file in tmp_path.glob(f"{engine.FILE}*"):
            file.unlink()

    after_first_attempt(monkeypatch, remove)
    said = refused(preset, tmp_path)
    assert "the store" in said
    assert (tmp_path / "cat/attempts/1-1.png").stat().st_size > 0
