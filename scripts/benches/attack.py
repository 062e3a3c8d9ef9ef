"""Attacks on an app with a password, and on the readers of files. Prints a table of what was tried and what happened.

    python -m scripts.benches.attack

Exit status 1 if anything got through. Other attacks have scripts of their own: scripts.benches.fuzz, chaos_kill, soak.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table
from starlette.routing import Mount

PASSWORD = "correct horse battery"
Finding = tuple[str, str, bool]  # what was tried, what happened, whether the app held
# What a browser needs to draw the page of the login.
_OPEN = ("/", "/login", "/login/", "/logout", "/assets/x", "/static/x", "/favicon.ico", "/robots.txt", "/theme.css",
         "/gradio_api/theme.css", "/gradio_api/startup-events")  # fmt: skip
_READ = """async (url) => {
  try { const r = await fetch(url, { credentials: "include" }); return (await r.text()).slice(0, 60); }
  catch (error) { return "blocked"; }
}"""


def bodies(address: str) -> Iterator[Finding]:
    """Bodies in chunks, without their length in a header."""
    for path, size, wanted in (("/login", 15_000, {200, 400, 422}), ("/login", 64_000, {413}),
                               ("/gradio_api/upload", 64_000, {401})):  # fmt: skip
        status = _chunked(address, path, size)
        yield f"POST {path}, {size:,} bytes in chunks, without login", str(status), status in wanted


def _chunked(address: str, path: str, size: int) -> int:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode()
        )
        try:
            for _ in range(size // 1_000):
                connection.sendall(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # refused before the end
        return int(connection.recv(4_096).split()[1])


def routes(address: str, app: Any) -> Iterator[Finding]:
    """Every route of the running app without a login."""
    asked, answered = 0, []
    with httpx.Client(base_url=address, timeout=60) as outside:
        for method, path in _routes(app.routes):
            plain = re.sub(r"{.*?}", "x", path)
            status = outside.request(method, plain).status_code
            asked += 1
            if status not in (401, 403) and plain not in _OPEN:
                answered.append(f"{method} {plain}: {status}")
    yield (
        f"{asked} routes without login",
        ", ".join(answered) or "none but the login's own page",
        not answered,
    )


def _routes(found: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for route in found:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from _routes(router.routes)
        elif isinstance(route, Mount):
            yield "GET", route.path + "/x"
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def race(address: str, tries: int = 300) -> Iterator[Finding]:
    """Wrong passwords, all at the same time."""

    async def at_once() -> Counter[int]:
        async with httpx.AsyncClient(base_url=address, timeout=120) as outside:
            form = {"username": "ann", "password": "wrong"}
            answers = [outside.post("/login", data=form) for _ in range(tries)]
            return Counter(answer.status_code for answer in await asyncio.gather(*answers))

    counts = asyncio.run(at_once())
    said = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
    yield f"{tries} wrong passwords at the same time", said, counts[200] == 0 and counts[400] <= 5


def other_sites(address: str) -> Iterator[Finding]:
    """A page of another origin reads the app, in Chromium, with the cookies of somebody who is logged in."""
    chromium = shutil.which("chromium")
    if chromium is None:
        yield "a page of another origin in a browser", "not tried: no chromium", True
        return
    from playwright.sync_api import sync_playwright

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<p>another site</p>")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        context.request.post(f"{address}/login", form={"username": "ann", "password": PASSWORD})
        for host in ("127.0.0.1", "localhost"):
            page = context.new_page()
            page.goto(f"http://{host}:{server.server_port}/")
            for path in ("/config", "/gradio_api/info"):
                said = str(page.evaluate(_READ, f"{address}{path}"))
                yield f"{host}, another port, reads {path} with cookies", said, said == "blocked"
        own = context.new_page()
        own.goto(address)
        said = str(own.evaluate(_READ, "/config"))
        yield "the app's own page reads /config", said[:20] + "…", '"version"' in said
        browser.close()
    server.shutdown()


def bombs() -> Iterator[Finding]:
    """Small files that would take much time or memory to read."""
    from pipeline.errors import EaselError
    from pipeline.work.rows import parse_rows

    nine = "\n".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(8)
    )
    files = {
        "YAML, aliases of aliases": ("yaml", f"- &a [x]\n- {{{nine.replace(chr(10), ', ')}}}\n"),
        "YAML, 5,000 levels": ("yaml", "- " + "[" * 5_000),
        "JSON, 100,000 levels": ("jsonl", '{"brief": ' + "[" * 100_000),
        "JSON, a number of 1,000,000 digits": (
            "jsonl",
            '{"brief": "a cat", "seed": ' + "9" * 1_000_000 + "}",
        ),
        "CSV, 100,000 columns": ("csv", "brief" + ",x" * 100_000 + "\n"),
        "CSV, 20,000 equal rows": ("csv", "brief\n" + "a cat\n" * 20_000),
    }
    for name, (kind, text) in files.items():
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            rows = parse_rows(text, kind, "bomb", "mini")
            said = f"{len(rows.good)} good rows, {len(rows.bad)} bad"
        except EaselError as error:
            said = str(error)[:60]
        took = time.monotonic() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_000
        yield (
            f"{name}, {len(text):,} bytes",
            f"{took:.1f} s, {grown:.0f} MB; {said}",
            took < 60 and grown < 500,
        )


def main(only: Annotated[str, typer.Option(help="names of attacks, with commas between them")] = "") -> None:
    """Try every attack, or those that `--only` names: bodies, routes, sites, bombs, race."""
    from pipeline.store import Store
    from ui.serve import serve

    os.environ["EASEL_PASSWORD"] = PASSWORD
    out = Path(tempfile.mkdtemp(prefix="easel-attack-"))
    store = Store(out)
    served = serve(store, "127.0.0.1", 0)
    address = served.address.rstrip("/")
    # The race comes last: afterwards this address is locked out.
    attacks: dict[str, Callable[[], Iterator[Finding]]] = {
        "bodies": partial(bodies, address), "routes": partial(routes, address, served.app),
        "sites": partial(other_sites, address), "bombs": bombs, "race": partial(race, address),
    }  # fmt: skip
    table, held = Table("attack", "tried", "what happened", ""), True
    for name, attack in attacks.items():
        if only and name not in only.split(","):
            continue
        for tried, happened, fine in attack():
            held &= fine
            table.add_row(name, tried, happened, "held" if fine else "GOT THROUGH")
    Console(width=150).print(table)
    served.close()
    store.close()
    shutil.rmtree(out, ignore_errors=True)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    typer.run(main)
