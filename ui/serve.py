"""Serves the app: offline, to other machines only with a password, and files of the output folder only."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError
from pipeline.store import Store
from ui.command import keep_environment

if TYPE_CHECKING:
    import uvicorn
    from gradio.routes import App

UPLOADS = "easel.uploads"
SESSIONS = 200  # pages whose state is kept; each takes some 300 kB


@dataclass(frozen=True)
class Served:
    """The app while it is served. `app`: Gradio's own, behind the gate."""

    address: str
    app: App
    server: uvicorn.Server
    thread: threading.Thread

    def close(self) -> None:
        """Stop answering, and wait until open answers have ended."""
        self.app.stop_event.set()
        self.server.should_exit = True
        self.thread.join(timeout=10)


def serve(store: Store, host: str, port: int, proxy: str = "") -> Served:
    """Start the app in the background. `port` 0: any free one; `proxy`: the address of a reverse proxy whose
    X-Forwarded headers are believed. Raises ConfigError where `host` needs a password, or nothing can listen there."""
    listener = listen(host, port)
    uploads = store.out.resolve() / UPLOADS
    keep_environment()
    # Gradio reads these when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware
    from gradio.routes import App
    from starlette.routing import Mount

    from ui.access import guard
    from ui.app import build
    from ui.gate import Gate, loopback
    from ui.theme import STYLE, head, theme

    door = guard(store.out, host)
    demo = build(store).queue(default_concurrency_limit=8, max_size=256)
    demo.state_session_capacity = SESSIONS
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # With a middleware of this kind here, Gradio adds none of its own, which lets other sites in.
    outer.add_middleware(CORSMiddleware, allow_origins=[])
    gr.mount_gradio_app(
        outer, demo, path="/", server_name=host, server_port=port, auth=door.admits if door else None,
        auth_message=_LOGIN if door else None, allowed_paths=[str(store.out.resolve())], max_file_size="30mb",
        show_error=False, ssr_mode=False, enable_monitoring=False, footer_links=["api", "settings"],
        run_history=False, pwa=False, mcp_server=False, theme=theme(), css_paths=[STYLE], head=head(),
    )  # fmt: skip
    app = next(route.app for route in outer.routes if isinstance(route, Mount) and isinstance(route.app, App))
    gate = Gate(
        outer, store.out, local=loopback(host), login=app if door else None, uploads=uploads, proxy=proxy
    )
    config = uvicorn.Config(
        gate, log_level="warning", proxy_headers=False, server_header=False, ws="none", timeout_graceful_shutdown=3
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        if not thread.is_alive():
            raise ConfigError("the app could not start; its output above says why")
    at = f"[{host}]" if ":" in host.strip("[]") else host
    at = "localhost" if host in ("0.0.0.0", "::", "[::]") else at
    return Served(f"http://{at}:{listener.getsockname()[1]}/", app, server, thread)


_LOGIN = (
    "Enter any name; the review log shows it with your decisions. The password is that of this output folder."
)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address. Raises ConfigError, which says what to do, where that is not possible."""
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: a port is a number from 0 to 65535; 0 means any free one")
    bare = host.strip("[]")
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)
        return socket.create_server((address[0], port), family=family, backlog=256)
    except socket.gaierror:
        raise ConfigError(f"--host {host} is no address of this machine; use 127.0.0.1 or 0.0.0.0") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"cannot listen at {host}, port {port} ({why}); choose another with --port, or --port 0 for any free one"
        ) from None
    except (OverflowError, UnicodeError, ValueError):
        raise ConfigError(f"--host {host[:100]!r} is no address; use 127.0.0.1 or 0.0.0.0") from None
