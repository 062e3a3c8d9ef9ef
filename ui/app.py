"""The app: one page over the store. It submits work and shows what the store knows; a worker does the work."""

from __future__ import annotations

import gradio as gr

from pipeline.store import Store
from ui import create
from ui.desk import Desk
from ui.parts import html

SLOGAN = "A brief becomes pictures that meet it, on your own machine."
MASTHEAD = f'<header class="masthead"><h1>Easel</h1><p>{SLOGAN}</p></header>'


def build(store: Store) -> gr.Blocks:
    """The page, over one store."""
    desk = Desk(store)
    with gr.Blocks(title="Easel", analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        html(MASTHEAD)
        with gr.Tabs(elem_id="tabs"), gr.Tab("Create", id="create"):
            create.build(desk, demo)
    return demo
