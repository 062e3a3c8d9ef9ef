"""Passwords, their limit, and which files may leave."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import HTTPException
from starlette.responses import FileResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pipeline.errors import BriefError, ConfigError
from tests.ui.conftest import PASSWORD, App
from tests.ui.in_loop import run
from ui.access import FILE, MOST, TRIES, WINDOW, Guard, guard, set_password
from ui.gate import Gate, client, loopback


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def hashed() -> str:
    """A hash that is quick to check; what makes one slow is written into it."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")


def attempt(door: Guard, password: str, address: str = "10.0.0.1") -> bool:
    client.set(address)
    return run(door.admits("ann", password))


def test_a_password_is_kept_as_a_hash_and_checked(tmp_path: Path) -> None:
    set_password(tmp_path, "correct horse")
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert (tmp_path / FILE).read_text().startswith("$argon2id$")
    door = guard(tmp_path, "0.0.0.0")
    assert door is not None
    assert attempt(door, "correct horse")
    assert not attempt(door, "wrong")


def test_too_many_tries_close_the_door_for_a_while(hashed: str) -> None:
    clock = Clock()
    door = Guard(hashed, clock)
    for _ in range(TRIES):
        assert not attempt(door, "wrong")
    with pytest.raises(HTTPException) as caught:
        attempt(door, "correct horse")
    assert caught.value.status_code == 429
    assert attempt(door, "correct horse", "10.0.0.2")  # another address is not locked out
    clock.now += WINDOW + 1
    assert attempt(door, "correct horse")


def test_many_addresses_do_not_help(hashed: str) -> None:
    door = Guard(hashed, Clock())
    for i in range(MOST):
        attempt(door, "wrong", f"10.0.1.{i}")
    with pytest.raises(HTTPException):
        attempt(door, "wrong", "10.0.2.1")


def test_the_tries_of_others_do_not_keep_the_owner_out(hashed: str) -> None:
    door = Guard(hashed, Clock())
    assert attempt(door, "correct horse", "10.0.0.7")
    for i in range(MOST):
        attempt(door, "wrong", f"10.0.1.{i}")
    assert attempt(door, "correct horse", "10.0.0.7")
    with pytest.raises(HTTPException):
        attempt(door, "correct horse", "10.0.2.1")


def test_a_house_with_ipv6_is_one_address(hashed: str) -> None:
    door = Guard(hashed, Clock())
    for i in range(TRIES):
        assert not attempt(door, "wrong", f"2001:db8:1:2::{i}")
    with pytest.raises(HTTPException):
        attempt(door, "wrong", "2001:db8:1:2:ffff::1")
    assert attempt(door, "correct horse", "2001:db8:1:3::1")


def test_tries_at_the_same_time_are_counted(hashed: str) -> None:
    """300 tries at once: no more passwords are checked than one after the other."""
    door, checked = Guard(hashed, Clock()), []
    right = door._right
    door._right = lambda password: checked.append(password) or right(password)  # type: ignore[method-assign,func-returns-value]

    async def rush() -> list[Any]:
        client.set("10.0.0.1")
        return await asyncio.gather(
            *(door.admits("ann", "wrong") for _ in range(300)), return_exceptions=True
        )

    answers = run(rush())
    assert len(checked) == TRIES
    assert sum(isinstance(answer, HTTPException) for answer in answers) == 300 - TRIES


def test_the_running_app_lets_nobody_in_without_it(guarded: App) -> None:
    def login(password: str) -> httpx.Response:
        return httpx.post(f"{guarded.url}/login", data={"username": "ann", "password": password})

    assert httpx.get(f"{guarded.url}/config").status_code == 401
    assert httpx.get(f"{guarded.url}/gradio_api/file={guarded.out}/x.png").status_code in (401, 403)
    assert login("wrong").status_code == 400
    admitted = login(PASSWORD)
    assert admitted.status_code == 200
    assert httpx.get(f"{guarded.url}/config", cookies=dict(admitted.cookies)).status_code == 200
    assert [login("wrong").status_code for _ in range(TRIES + 1)] == [400] * TRIES + [429]
    assert "try again" in login("wrong").json()["detail"]


def test_beyond_this_machine_a_password_is_demanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EASEL_PASSWORD", raising=False)
    assert guard(tmp_path, "127.0.0.1") is None
    with pytest.raises(ConfigError, match="needs a password"):
        guard(tmp_path, "0.0.0.0")
    with pytest.raises(BriefError, match="too short"):
        set_password(tmp_path, "short")
    monkeypatch.setenv("EASEL_PASSWORD", "long enough")
    assert guard(tmp_path, "0.0.0.0") is not None


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, local: bool) -> None:
    assert loopback(host) is local


def test_a_file_that_went_after_it_was_found_is_gone(tmp_path: Path) -> None:
    """The answer has begun when the file is opened, or the file is gone when its size is read."""
    file = tmp_path / "preview.png"

    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        file.write_bytes(b"x")
        answer = FileResponse(file, stat_result=file.stat() if scope["method"] == "GET" else None)
        file.unlink()
        await answer(scope, receive, send)

    client = TestClient(Gate(answers, tmp_path, True), base_url="http://127.0.0.1")
    for method in ("GET", "HEAD"):
        file.touch()
        answer = client.request(method, f"/gradio_api/file={file}")
        assert (answer.status_code, file.exists()) == (404, False)
    assert client.get(f"/gradio_api/file={file}").status_code == 404  # not 403: it would be served


def test_a_file_that_went_while_it_was_opened_is_gone(tmp_path: Path) -> None:
    async def opens(scope: Scope, receive: Receive, send: Send) -> None:
        (tmp_path / "preview.png").open("rb").close()

    gate = Gate(opens, tmp_path, True)
    answer = TestClient(gate, base_url="http://127.0.0.1").get(
        "/gradio_api/file=" + str(tmp_path / "preview.png")
    )
    assert answer.status_code == 404


def test_which_files_may_leave(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "owl").mkdir(parents=True)
    gate = Gate(lambda *_: None, out, True)  # type: ignore[arg-type,return-value]
    good = (
        "owl/run.json",
        "owl/attempts/1-1.png",
        "report.csv",
        "easel.previews/a.png",
        "easel.pictures/ab/ab.png",
    )
    bad = (
        "easel.db",
        "easel.password",
        "easel.worker.json",
        "easel.uploads/x.png",
        ".hidden/x.png",
        "../x.png",
        "x.py",
        "",
    )
    assert [name for name in good if not gate.served(str(out / name))] == []
    assert [name for name in bad if gate.served(str(out / name))] == []
    assert not gate.served("\0")
    (out / "a%2fb.png").touch()
    assert gate.served(str(out / "a%2fb.png"))  # a name is decoded once, by the server
