"""A real Postgres for the tests: the one that EASEL_TEST_POSTGRES names, or a cluster of our own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

VARIABLE = "EASEL_TEST_POSTGRES"


def programs() -> Path | None:
    """The folder with initdb and pg_ctl; Debian keeps them off the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return folders[-1] if folders else None


@dataclass(frozen=True)
class Cluster:
    """A server of our own. `address`: of its maintenance database."""

    address: str
    start: Callable[[], None]
    stop: Callable[[], None]  # connections end at once


@contextmanager
def server() -> Iterator[str | None]:
    """The address of a server's maintenance database; None where there is no Postgres."""
    if given := os.environ.get(VARIABLE):
        yield given
        return
    with cluster() as own:
        yield own.address if own else None


@contextmanager
def cluster() -> Iterator[Cluster | None]:
    """A running server of our own; None where Postgres is not installed."""
    bin = programs()
    if bin is None:
        yield None
        return
    # Postgres refuses to run as root. The path is short because a socket's path must be.
    root = os.geteuid() == 0
    as_user = ["runuser", "-u", "postgres", "--"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="easel-pg-", dir="/tmp"))
    if root:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(program: str, *args: str) -> None:
        command = [*as_user, str(bin / program), "-D", str(folder / "data"), *args]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd="/tmp")

    try:
        call("initdb", "-U", "easel", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -p {port}"
        start = partial(call, "pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        start()
        address = f"postgresql://easel@/postgres?host={folder}&port={port}"
        yield Cluster(address, start, partial(call, "pg_ctl", "-w", "-m", "fast", "stop"))
    finally:
        with suppress(subprocess.CalledProcessError):
            call("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(address: str) -> Iterator[str]:
    """The address of an empty database of its own, dropped afterwards."""
    import psycopg

    name = f"easel_{uuid4().hex}"
    head, mark, tail = address.partition("?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    try:
        yield f"{head.rpartition('/')[0]}/{name}{mark}{tail}"
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]
