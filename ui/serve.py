"""Serves the app: offline, to other machines only with a password, and files of the output folder only."""

from __future__ import annotations

import os

from pipeline.store import Store

UPLOADS = "easel.uploads"


def serve(store: Store, host: str, port: int) -> str:
    """Start the app in the background. Returns its address. Raises ConfigError if `host` needs a password."""
    uploads = store.out.resolve() / UPLOADS
    # Gradio reads these when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    from ui.access import options
    from ui.app import build
    from ui.theme import STYLE, head, theme

    rules = options(store.out, host)
    demo = build(store)
    _, address, _ = demo.queue(default_concurrency_limit=8, max_size=256).launch(
        server_name=host, server_port=port, share=False, inbrowser=False, prevent_thread_lock=True, quiet=True,
        allowed_paths=[str(store.out.resolve())], max_file_size="30mb", show_error=False, ssr_mode=False,
        enable_monitoring=False, footer_links=["api", "settings"], theme=theme(), css_paths=[STYLE], head=head(),
        pwa=False, mcp_server=False, strict_cors=True, **rules,
    )  # fmt: skip
    return str(address)
