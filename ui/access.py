"""Access: a password kept as an Argon2 hash, and a limit on failed logins."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import HTTPException

from pipeline.errors import BriefError, ConfigError
from pipeline.files import write
from ui.gate import client, loopback

FILE, VARIABLE = "easel.password", "EASEL_PASSWORD"
LEAST = 8  # fewest characters of a password
TRIES, MOST, WINDOW = 5, 30, 300.0  # failed logins in WINDOW seconds: per address, and in all
EVERYBODY = "everybody"
REMEMBERED = 1_000  # addresses


def set_password(out: Path, password: str) -> None:
    """Store the hash of a password in the output folder, readable by its owner only. Raises BriefError if it is too
    short."""
    if len(password) < LEAST:
        raise BriefError(f"the password is too short; use at least {LEAST} characters")
    out.mkdir(parents=True, exist_ok=True)
    write(out / FILE, PasswordHasher().hash(password).encode(), mode=0o600)


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
    """Checks passwords. After too many tries, from one address or in all, every login is refused for a while; an
    address that was admitted before is not kept out by the tries of others."""

    def __init__(self, hashed: str, now: Callable[[], float] = time.monotonic) -> None:
        self._hash, self._now, self._hasher = hashed, now, PasswordHasher()
        self._tries: dict[str, deque[float]] = defaultdict(deque)
        self._known: set[str] = set()

    async def admits(self, name: str, password: str) -> bool:
        """Gradio's `auth` callback. Any user name is accepted; the review log shows it with each decision.

        Pass this method to Gradio, not an object with an async `__call__`: Gradio does not await that, and an
        unawaited coroutine is true."""
        who = network(client.get())
        limits = {who: TRIES} if who in self._known else {who: TRIES, EVERYBODY: MOST}
        for key, most in limits.items():
            if (wait := self._wait(key, most)) > 0:
                raise HTTPException(429, f"Too many wrong passwords; try again in {wait:.0f} seconds.")
        # Counted before the password is checked, so that tries at the same time count too.
        stamp = self._now()
        for key in (who, EVERYBODY):
            self._tries[key].append(stamp)
        # Hashing is slow on purpose; in a thread it does not block the page.
        right = await asyncio.to_thread(self._right, password)
        if right:
            self._tries.pop(who, None)
            with contextlib.suppress(ValueError):
                self._tries[EVERYBODY].remove(stamp)
            self._known = {who, *list(self._known)[:REMEMBERED]}
        elif len(self._tries) > REMEMBERED:
            self._tries = defaultdict(deque, {k: self._tries[k] for k in (who, EVERYBODY)})
        return right

    def _right(self, password: str) -> bool:
        try:
            return self._hasher.verify(self._hash, password[:1_000])
        except (VerificationError, InvalidHashError):
            return False

    def _wait(self, key: str, most: int) -> float:
        """Seconds until this address, or everybody, may try again."""
        tries = self._tries.get(key)
        if not tries:
            return 0.0
        now = self._now()
        while tries and tries[0] < now - WINDOW:
            tries.popleft()
        return tries[-most] + WINDOW - now if len(tries) >= most else 0.0


def network(address: str) -> str:
    """What counts as one address: a house with IPv6 has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
