"""ASGI middleware before Gradio: which requests reach the app, how large they may be, and what answers may carry.

Gradio protects most of its routes with the login, but not all, and answers other sites. So every request is checked
here first; what is not listed as open needs the login.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 32_000_000  # bytes of a request's body
MAX_BODY_OUTSIDE = 16_000  # without a login: room for the form of the login
PATIENCE = 20.0  # seconds in which a body without a login must arrive
MAX_OPEN_OUTSIDE = 32  # requests without a login that are answered at the same time
MAX_OPEN = 256  # with one, per address: each page keeps two streams open
_OUTSIDE = "without a login"
_GONE = "this file is gone"
MAX_UPLOADS, MAX_UPLOADED = 2_000, 500_000_000  # files and bytes in the folder of uploads
SERVED = {".png", ".json", ".csv", ".jsonl", ".html"}
FOLDERS = {"easel.previews", "easel.pictures"}  # folders of Easel's own that may be served

client: contextvars.ContextVar[str] = contextvars.ContextVar("client", default="")
"""The address that the request came from."""

# What answers without a login: the page of the login and what draws it. Everything else needs one.
_OPEN = {
    ("GET", "/"), ("HEAD", "/"), ("POST", "/login"), ("POST", "/login/"), ("GET", "/logout"), ("GET", "/favicon.ico"),
    ("GET", "/robots.txt"), ("GET", "/theme.css"), ("GET", "/gradio_api/theme.css"),
    ("GET", "/gradio_api/startup-events"),  # Gradio asks itself for it once it listens
}  # fmt: skip
_OPEN_BELOW = ("/assets/", "/static/")
# Not offered to anybody: the token of the login for scripts, fetching from other servers, Gradio's own extras.
_CLOSED = (
    "/gradio_api/token", "/gradio_api/proxy=", "/proxy=", "/gradio_api/run-history", "/gradio_api/runs",
    "/gradio_api/dev/", "/gradio_api/vibe", "/gradio_api/undo-vibe", "/gradio_api/process_recording",
    "/gradio_api/deep_link", "/monitoring", "/gradio_api/profiling",
)  # fmt: skip
_FORWARDED = ("x-forwarded-", "forwarded", "x-real-ip", "x-gradio-server", "x-original-")
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_FILE = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Cut(Exception):
    """The body of a request is larger than allowed, or takes too long."""


class Body:
    """The body of a request as it arrives. It is cut where it turns out larger than `most` bytes, or is not complete
    after `patience` seconds."""

    def __init__(self, receive: Receive, most: int, patience: float | None) -> None:
        self.most, self.cut = most, False
        self._receive, self._taken, self._complete = receive, 0, False
        self._until = None if patience is None else asyncio.get_running_loop().time() + patience

    async def __call__(self) -> Message:
        if self.cut:
            raise Cut
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.cut = True
            raise Cut from None
        self._taken += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._taken > self.most:
            self.cut = True
            raise Cut
        return message


def loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Logins(Protocol):
    """What Gradio keeps of logins: the end of the names of its cookies, and the name of the user by token."""

    cookie_id: str
    tokens: dict[str, str]


class Gate:
    """`out`: the output folder; `local`: only this machine can connect; `login`: where the logins are kept, None
    without a password; `uploads`: the folder of uploaded files; `proxy`: the address of the reverse proxy whose
    X-Forwarded headers are believed."""

    def __init__(
        self, app: ASGIApp, out: Path, local: bool, login: Logins | None = None, uploads: Path | None = None,
        proxy: str = "",
    ) -> None:  # fmt: skip
        self._app, self._out, self._local, self._login = app, out.resolve(), local, login
        self._uploads, self._proxy = uploads, proxy
        self._open = Counter[str]()  # requests that are being answered, by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope, headers = self._addressed(scope)
        refusal = self._refusal(scope, headers)
        inside = self._login is None or admitted(self._login, headers)
        if refusal is None and not inside and not _is_open(scope):
            refusal = (401, "Not authenticated")
        if refusal is None:
            refusal = self._crowded(inside)
        if refusal is None and (name := _file(scope["path"])) is not None and not Path(name).exists():
            refusal = (404, _GONE)
        if refusal is not None:
            await _refuse(*refusal, scope, receive, send)
            return
        body = Body(receive, MAX_BODY, None) if inside else Body(receive, MAX_BODY_OUTSIDE, PATIENCE)
        who = client.get() if inside else _OUTSIDE
        self._open[who] += 1
        try:
            await self._pass(scope, body, send)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def _addressed(self, scope: Scope) -> tuple[Scope, dict[str, str]]:
        """The request without the headers of proxies that nobody configured; and its headers by name."""
        peer = scope["client"][0] if scope.get("client") else ""
        believed = bool(self._proxy) and peer == self._proxy
        pairs = [
            (key, value)
            for key, value in scope["headers"]
            if believed or not key.decode("latin-1").lower().startswith(_FORWARDED)
        ]
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in pairs}
        scope = {**scope, "headers": pairs}
        if believed:
            # The last address is the one that the proxy itself saw.
            peer = headers.get("x-forwarded-for", peer).rsplit(",", 1)[-1].strip() or peer
            if headers.get("x-forwarded-proto") == "https":
                scope["scheme"] = "https"
        client.set(peer)
        return scope, headers

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip().lower()
        if self._local and not loopback(_name(host)):
            # Against DNS rebinding: a site could let its own host name point to this machine.
            return 421, "Easel serves this machine only; open it at 127.0.0.1"
        if _foreign(scope, headers, host):
            return 403, "other sites may not use Easel"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:20]) > MAX_BODY:
            return 413, f"too large; Easel takes at most {MAX_BODY // 10**6} MB at a time"
        path = scope["path"]
        if path.startswith(_CLOSED) or "/proxy=" in path:
            return 403, "Easel does not offer this"
        if (name := _file(path)) is not None and not self.served(name):
            return 403, "only pictures and records in the output folder are served"
        if path.rstrip("/").endswith("/upload") and self._full():
            return 507, "the folder of uploads is full; try again in an hour"
        return None

    def _crowded(self, inside: bool) -> tuple[int, str] | None:
        who, most = (client.get(), MAX_OPEN) if inside else (_OUTSIDE, MAX_OPEN_OUTSIDE)
        return (429, "too many requests at the same time; try again") if self._open[who] >= most else None

    async def _pass(self, scope: Scope, body: Body, send: Send) -> None:
        """Let the app answer, with our headers; a body that was cut is answered here."""
        begun = False
        name = _file(scope["path"])
        policy = _PAGE if name is None else _FILE
        held: Message | None = None  # the beginning of an answer with a file, until the file is open

        async def guarded(message: Message) -> None:
            nonlocal begun, held
            if body.cut and not begun:
                raise Cut  # the app's own answer to a body that was cut
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *_strict_cookies(message["headers"], scope["scheme"] == "https"),
                    (b"content-security-policy", policy.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                ]
                if name is not None:
                    message["headers"] = [_unnamed(*pair) for pair in message["headers"]]
                    held = message
                    return
            begun = True
            if held is not None:
                await send(held)
                held = None
            await send(message)

        try:
            await self._app(scope, body, guarded)
        except Cut:
            if not begun:
                await _refuse(413, f"too large, or too slow; at most {body.most:,} bytes", scope, body, send)
        except (FileNotFoundError, RuntimeError):
            # A file that was deleted after Gradio had found it and before it was opened.
            if begun or name is None or Path(name).exists():
                raise
            await _refuse(404, _GONE, scope, body, send)

    def served(self, name: str) -> bool:
        """Whether a file may be served: a picture or record below the output folder, after following links."""
        try:
            inside = Path(name).resolve().relative_to(self._out)
        except (ValueError, OSError, RuntimeError):
            return False
        first = inside.parts[0] if inside.parts else ""
        if first.startswith(("easel.", ".")) and first not in FOLDERS:
            return False
        return inside.suffix.lower() in SERVED

    def _full(self) -> bool:
        """Whether the folder of uploads has no room left. Uploads are deleted when they were read, or after an hour."""
        if self._uploads is None or not self._uploads.is_dir():
            return False
        files = [path for path in self._uploads.rglob("*") if not path.is_dir()]
        with suppress(OSError):  # one was deleted meanwhile
            return len(files) >= MAX_UPLOADS or sum(path.lstat().st_size for path in files) >= MAX_UPLOADED
        return False


async def _refuse(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(why, status, {"connection": "close"})(scope, receive, send)


def admitted(login: Logins, headers: dict[str, str]) -> bool:
    """Whether the request carries the cookie of a login."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    names = (f"access-token-{login.cookie_id}", f"access-token-unsecure-{login.cookie_id}")
    return any(name in cookies and cookies[name].value in login.tokens for name in names)


def _unnamed(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header of an answer with a file, without the file's name: the link to it may give a better one."""
    return key, value.split(b";")[0] if key.lower() == b"content-disposition" else value


def _file(path: str) -> str | None:
    """The file that a request asks for; None where it asks for none."""
    for mark in ("/file=", "/file/"):
        if mark in path:
            return path.split(mark, 1)[1]
    return None


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    if path.startswith(_OPEN_BELOW) and ".." not in path and "/file" not in path:
        return bool(scope["method"] in ("GET", "HEAD"))
    return (scope["method"], path) in _OPEN


def _name(host: str) -> str:
    """The host name of `name:port` or `[address]:port`."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _foreign(scope: Scope, headers: dict[str, str], host: str) -> bool:
    """Whether a page of another site sends this request. Programs that are no browsers send no Origin."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            parts = urlsplit(origin.lower())
            default = {"http": 80, "https": 443}.get(parts.scheme)
            asked = urlsplit(f"//{host}")
            if (parts.hostname, parts.port or default) != (asked.hostname, asked.port or default):
                return True
        except ValueError:
            return True
        return parts.hostname is None
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link on another site may open the page.
        return not (
            scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        )
    return False


def _strict_cookies(pairs: list[tuple[bytes, bytes]], https: bool) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with each cookie out of reach of scripts and other sites."""
    made = []
    for key, value in pairs:
        if key.lower() == b"set-cookie":
            kept = [
                part
                for part in value.split(b";")
                if not part.strip().lower().startswith((b"samesite", b"httponly"))
            ]
            if https and not any(part.strip().lower() == b"secure" for part in kept):
                kept.append(b" Secure")
            value = b";".join([*kept, b" HttpOnly", b" SameSite=Strict"])
        made.append((key, value))
    return made
