"""Access: a password kept as an Argon2 hash, a limit on failed logins, and a check of every request."""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import BriefError, ConfigError
from pipeline.files import write

FILE, VARIABLE = "easel.password", "EASEL_PASSWORD"
LEAST = 8  # fewest characters of a password
TRIES, EVERYBODY, WINDOW = 5, 30, 300.0  # failed logins in WINDOW seconds: per address, and in all
MAX_BODY = 32_000_000
SERVED = {".png", ".json", ".csv", ".jsonl", ".html"}
FOLDERS = {"easel.previews", "easel.pictures"}  # folders of Easel's own that may be served

_client: contextvars.ContextVar[str] = contextvars.ContextVar("client", default="")
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_FILE = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


def loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def set_password(out: Path, password: str) -> None:
    """Store the hash of a password in the output folder, readable by its owner only. Raises BriefError if it is too
    short."""
    if len(password) < LEAST:
        raise BriefError(f"the password is too short; use at least {LEAST} characters")
    out.mkdir(parents=True, exist_ok=True)
    write(out / FILE, PasswordHasher().hash(password).encode())
    (out / FILE).chmod(0o600)


def guard(out: Path, host: str) -> Guard | None:
    """The password check of an output folder; None if no password is set and only this machine can connect. Raises
    ConfigError if no password is set and other machines can connect."""
    if given := os.environ.get(VARIABLE):
        if len(given) < LEAST:
            raise ConfigError(f"{VARIABLE} is too short; use at least {LEAST} characters")
        return Guard(PasswordHasher().hash(given))
    if (out / FILE).exists():
        return Guard((out / FILE).read_text().strip())
    if not loopback(host):
        raise ConfigError(
            f"--host {host} lets other machines in, so it needs a password; set one with `easel password` first"
        )
    return None


class Guard:
    """Checks passwords. After too many failures, from one address or in all, every login is refused for a while."""

    def __init__(self, hashed: str, now: Callable[[], float] = time.monotonic) -> None:
        self._hash, self._now, self._hasher = hashed, now, PasswordHasher()
        self._failures: dict[str, deque[float]] = defaultdict(deque)

    async def admits(self, name: str, password: str) -> bool:
        """Gradio's `auth` callback. Any user name is accepted; the review log shows it with each decision.

        Pass this method to Gradio, not an object with an async `__call__`: Gradio does not await that, and an
        unawaited coroutine is true."""
        who = _client.get()
        for key, most in ((who, TRIES), ("", EVERYBODY)):
            if (wait := self._wait(key, most)) > 0:
                raise HTTPException(429, f"Too many wrong passwords; try again in {wait:.0f} seconds.")
        # Hashing is slow on purpose; in a thread it does not block the page.
        right = await asyncio.to_thread(self._right, password)
        if right:
            self._failures.pop(who, None)
        else:
            for key in {who, ""}:
                self._failures[key].append(self._now())
            if len(self._failures) > 1_000:
                self._failures = defaultdict(deque, {"": self._failures[""]})
        return right

    def _right(self, password: str) -> bool:
        try:
            return self._hasher.verify(self._hash, password[:1_000])
        except (VerificationError, InvalidHashError):
            return False

    def _wait(self, key: str, most: int) -> float:
        """Seconds until this address, or everybody, may try again."""
        failures = self._failures.get(key)
        if not failures:
            return 0.0
        now = self._now()
        while failures and failures[0] < now - WINDOW:
            failures.popleft()
        return failures[-most] + WINDOW - now if len(failures) >= most else 0.0


class Gate:
    """ASGI middleware: checks the host name, file path and body size of each request, and sets the content security
    policy of each answer."""

    def __init__(self, app: ASGIApp, out: Path, local: bool) -> None:
        self._app, self._out, self._local = app, out.resolve(), local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _client.set(scope["client"][0] if scope.get("client") else "")
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        if refusal:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        policy = _FILE if "/file=" in scope["path"] or "/file/" in scope["path"] else _PAGE

        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", policy.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except FileNotFoundError:
            # A preview that was deleted after Gradio had found it and before it was opened.
            if begun:
                raise
            await PlainTextResponse("this file is gone", 404)(scope, receive, send)

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        if self._local and not loopback(headers.get("host", "").rsplit(":", 1)[0]):
            # Against DNS rebinding: a site could let its own host name point to this machine.
            return 421, "Easel serves this machine only; open it at 127.0.0.1"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return 413, f"too large; Easel takes at most {MAX_BODY // 10**6} MB at a time"
        if "/proxy=" in path:
            return 403, "Easel does not fetch files from other servers"
        for mark in ("/file=", "/file/"):
            if mark in path and not self.served(unquote(path.split(mark, 1)[1])):
                return 403, "only pictures and records in the output folder are served"
        return None

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


def options(out: Path, host: str) -> dict[str, Any]:
    """The arguments of Gradio's `launch` that control access."""
    from starlette.middleware import Middleware

    kept = guard(out, host)
    message = "Enter any name; the review log shows it with your decisions. The password is that of this output folder."
    return {
        "auth": kept.admits if kept else None, "auth_message": message if kept else None,
        "app_kwargs": {"middleware": [Middleware(Gate, out=out, local=loopback(host))]},
    }  # fmt: skip
