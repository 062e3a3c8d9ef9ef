"""Which requests reach the app: of other sites, without a login, too large, with forged headers; and every route."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from pipeline.config import Preset
from pipeline.store import Store
from tests.ui.conftest import PASSWORD, App, add_runs
from tests.ui.in_loop import run
from ui.gate import MAX_BODY_OUTSIDE, MAX_OPEN_OUTSIDE, Gate
from ui.serve import Served, serve

HOST = "easel.example:7860"


class Login:
    cookie_id = "x"
    tokens = {"good": "ann"}  # noqa: RUF012


async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads the whole body and says how long it was, and from where it came."""
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    cookie = b"access-token-x=good; HttpOnly; SameSite=none; Secure"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", cookie)]})
    names = sorted(key.decode() for key, _ in scope["headers"])
    await send({"type": "http.response.body", "body": json.dumps([size, names]).encode()})


def ask(
    gate: Gate, path: str = "/", method: str = "GET", parts: tuple[bytes, ...] = (b"",), peer: str = "10.0.0.9",
    **headers: str,
) -> tuple[int, Any, dict[str, str]]:  # fmt: skip
    """Status, body and headers of the answer to one request, with a body that comes in parts."""
    given = {"host": HOST} | {key.replace("_", "-"): value for key, value in headers.items()}
    scope: Scope = {
        "type": "http", "method": method, "path": path, "scheme": "http", "client": (peer, 1), "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }  # fmt: skip
    left, said = list(parts), []

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        said.append(message)

    run(gate(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in said)
    answered = {key.decode().lower(): value.decode() for key, value in said[0]["headers"]}
    return said[0]["status"], body, answered


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(swallow, tmp_path, False, Login())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": f"http://{HOST}"}, 200),
        ({"origin": "http://EASEL.example:7860"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://easel.example"}, 403),  # another port
        ({"origin": "http://easel.example:7860.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),  # a link
        ({"x_forwarded_host": "evil.example", "origin": "http://evil.example"}, 403),
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_other_sites_are_refused(tmp_path: Path, headers: dict[str, str], status: int, local: bool) -> None:
    assert ask(Gate(swallow, tmp_path, False, None), **headers)[0] == status
    if local:
        given = {key: value.replace("easel.example", "127.0.0.1") for key, value in headers.items()}
        given = {key: value.replace("EASEL.example", "127.0.0.1") for key, value in given.items()}
        assert ask(Gate(swallow, tmp_path, True, None), host="127.0.0.1:7860", **given)[0] == status


@pytest.mark.parametrize(
    "path", ["/config", "/gradio_api/heartbeat/x", "/gradio_api/upload", "/anything/else"]
)
def test_without_a_login_almost_nothing_answers(gate: Gate, path: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        assert ask(gate, path, method)[0] == 401
        assert ask(gate, path, method, cookie="access-token-x=bad")[0] == 401
        assert ask(gate, path, method, cookie="access-token-y=good")[0] == 401
        assert ask(gate, path, method, cookie="access-token-x=good")[0] == 200
    assert ask(gate, "/", cookie="x" * 9000 + "=\x7f;;;")[0] == 200


def test_a_body_in_parts_is_cut(gate: Gate) -> None:
    part = b"x" * 4_000
    assert ask(gate, "/login", "POST", (part,) * 4)[0] == 200
    assert ask(gate, "/login", "POST", (part,) * 5)[0] == 413
    assert 4 * len(part) == MAX_BODY_OUTSIDE
    large = (b"x" * 1_000_000,) * 33
    assert ask(gate, "/gradio_api/queue/join", "POST", large, cookie="access-token-x=good")[0] == 413


def test_a_body_that_never_comes_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.gate.PATIENCE", 0.0)
    scope: Scope = {
        "type": "http", "method": "POST", "path": "/login", "scheme": "http", "client": ("10.0.0.9", 1),
        "headers": [(b"host", HOST.encode())],
    }  # fmt: skip
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    run(Gate(swallow, tmp_path, False, Login())(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    assert said[0]["status"] == 413


def test_open_requests_without_a_login_are_limited(tmp_path: Path) -> None:
    async def crowd() -> list[int]:
        leave, statuses = asyncio.Event(), []

        async def waits(scope: Scope, receive: Receive, send: Send) -> None:
            await leave.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        gate = Gate(waits, tmp_path, False, Login())
        scope = {
            "type": "http", "method": "GET", "path": "/", "scheme": "http", "client": ("10.0.0.9", 1),
            "headers": [(b"host", HOST.encode())],
        }  # fmt: skip
        calls = [asyncio.create_task(gate(scope, asyncio.Event().wait, send)) for _ in range(100)]  # type: ignore[arg-type]
        while len(statuses) < 100 - MAX_OPEN_OUTSIDE:
            await asyncio.sleep(0)
        leave.set()
        await asyncio.gather(*calls)
        return statuses

    statuses = run(crowd())
    assert (statuses.count(200), statuses.count(429)) == (MAX_OPEN_OUTSIDE, 100 - MAX_OPEN_OUTSIDE)


def test_headers_of_proxies_are_believed_from_the_configured_one_only(tmp_path: Path) -> None:
    forged = {"x_forwarded_for": "1.2.3.4", "x_forwarded_host": "easel.org", "x_forwarded_proto": "https"}
    _, body, answer = ask(Gate(swallow, tmp_path, False, None), **forged)
    assert json.loads(body)[1] == ["host"]
    assert answer["set-cookie"].count("Secure") == 1
    behind = Gate(swallow, tmp_path, False, None, proxy="10.0.0.9")
    status, body, _ = ask(behind, origin="https://easel.org", **forged)
    assert status == 200
    assert "x-forwarded-proto" in json.loads(body)[1]
    assert ask(behind, peer="10.0.0.8", origin="https://easel.org", **forged)[0] == 403


def test_cookies_are_out_of_reach_of_scripts_and_sites(tmp_path: Path) -> None:
    cookie = ask(Gate(swallow, tmp_path, False, None))[2]["set-cookie"]
    assert cookie.endswith("HttpOnly; SameSite=Strict")
    assert "none" not in cookie


def test_the_folder_of_uploads_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = tmp_path / "easel.uploads"
    gate = Gate(swallow, tmp_path, False, None, uploads)
    assert ask(gate, "/gradio_api/upload", "POST")[0] == 200
    (uploads / "a").mkdir(parents=True)
    (uploads / "a/b.csv").write_bytes(b"x" * 100)
    monkeypatch.setattr("ui.gate.MAX_UPLOADED", 100)
    assert ask(gate, "/gradio_api/upload", "POST")[0] == 507
    assert ask(gate, "/gradio_api/queue/join", "POST")[0] == 200


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The app behind a password, in this process."""
    monkeypatch.setenv("EASEL_PASSWORD", PASSWORD)
    for name in (
        "GRADIO_ANALYTICS_ENABLED",
        "GRADIO_TEMP_DIR",
        "HF_HUB_OFFLINE",
    ):  # set by the app, and taken back
        monkeypatch.setenv(name, os.environ.get(name, ""))
    store = Store(tmp_path / "out")
    running = serve(store, "127.0.0.1", 0)
    yield running
    running.close()
    store.close()


# What a browser needs to draw the page of the login.
OPEN = {"/", "/login", "/login/", "/logout", "/assets/{path:path}", "/static/{path:path}", "/favicon.ico", "/theme.css",
        "/robots.txt", "/gradio_api/theme.css", "/gradio_api/startup-events"}  # fmt: skip


def every_route(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and path of every route; FastAPI keeps those of a router together."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from every_route(router.routes)
        elif isinstance(route, Mount):
            yield "GET", route.path + "/x"
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def test_every_route_is_asked_without_a_login(served: Served) -> None:
    routes = list(every_route(served.app.routes))
    assert len(routes) > 70
    assert ("POST", "/gradio_api/queue/join") in routes
    with httpx.Client(base_url=served.address, timeout=60) as outside:
        for method, path in routes:
            answer = outside.request(method, re.sub(r"{.*?}", "x", path))
            opened = path in OPEN and (method in ("GET", "HEAD") or path.startswith("/login"))
            assert opened or answer.status_code in (401, 403), f"{method} {path}: {answer.status_code}"
        # The page of the login has nothing of the app's own page; the names of the endpoints are public.
        page = outside.get("/").text
        assert '"auth_required":true' in page.replace(" ", "")
        assert "a panda on a purple background" not in page
        assert outside.get("/gradio_api/token").status_code == 403


def test_the_name_of_a_decision_is_that_of_the_login(
    served: Served, tmp_path: Path, tiny_preset: Preset
) -> None:
    store = Store(tmp_path / "out")
    (run,) = add_runs(store, tiny_preset, ["a cat for ann"])
    client = Client(served.address, auth=("ann", PASSWORD), verbose=False)
    (waiting,) = client.predict("bob", api_name="/review_queue")
    said = client.predict(run, waiting["candidate"], "bob", "approve", api_name="/decide")
    assert said["who"] == "ann"
    assert [review.who for review in store.reviews.log()] == ["ann"]
    assert client.predict("carl", api_name="/review_queue") == []  # it is ann's queue, whatever is said
    store.close()


def raw(app: App, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", app.port), timeout=120) as connection:
        connection.sendall(request)
        got = b""
        while part := connection.recv(65536):
            got += part
            if b"\r\n\r\n" in got:
                break
        return got.split(b"\r\n")[0]


def test_chunks_before_the_login_are_cut_by_the_running_app(guarded: App) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for path, expected in ((b"/login", b"413"), (b"/gradio_api/upload", b"401"), (b"/", b"401")):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        head += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        assert raw(guarded, head + chunk * 4).split()[1] == expected
