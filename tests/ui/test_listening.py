"""Where the app listens: an address that cannot be had is one line, for the command too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipeline.errors import ConfigError
from tests.ui.conftest import App
from ui.serve import listen

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", 99999, "0 to 65535"),
        ("127.0.0.1", -1, "0 to 65535"),
        ("no.such.host.invalid", 0, "no address of this machine"),
        ("203.0.113.7", 0, "cannot listen at 203.0.113.7"),  # an address of documents, RFC 5737
        ("a" * 300, 0, "is no address"),
        ("::1::1", 0, "no address of this machine"),
    ],
)
def test_an_address_that_cannot_be_had(host: str, port: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        listen(host, port)


def test_a_port_in_use() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*choose another with --port"):
            listen("127.0.0.1", port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(host: str) -> None:
    try:
        with listen(host, 0) as listener:
            assert listener.family == socket.AF_INET6
    except ConfigError:
        pytest.skip("this machine has no IPv6 loopback address")


@pytest.mark.parametrize("args", [["--port", "99999"], ["--host", "no.such.host.invalid"]])
def test_the_command_says_so_in_one_line(args: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.easel", "ui", "--out", str(tmp_path), *args],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"EASEL_PASSWORD": "one-that-is-long-enough"},
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_loopback_is_not_reached_through_a_proxy(app: App) -> None:
    """A proxy that refuses everything is set; the app's example client still reaches the app."""
    with listen("127.0.0.1", 0) as refusing:
        proxy = f"http://127.0.0.1:{refusing.getsockname()[1]}"
        unreached = os.environ | dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), proxy)
        for name in ("NO_PROXY", "no_proxy"):
            unreached.pop(name, None)
        code = (
            "import sys, httpx; from scripts.direct import reach_loopback_directly; reach_loopback_directly(); "
            "print(httpx.get(sys.argv[1], timeout=600).status_code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, app.url], cwd=ROOT, env=unreached, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    assert done.stdout.split() == ["200"], done.stderr
    assert httpx.get(app.url).status_code == 200
