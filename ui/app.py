"""The app: one page that submits jobs to the store and shows what is in it. A worker process does the jobs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from pipeline.store import Store
from ui import api, batch, create, gallery, models, observe, review
from ui.desk import Desk
from ui.guard import NAME, connect, in_order, person
from ui.parts import html

FIRST_NAME = "me"  # until the person writes another
SLOGAN = "A brief becomes pictures that meet it, on your own machine."
MASTHEAD = f'<header class="masthead"><h1>Easel</h1><p>{SLOGAN}</p></header>'


def build(store: Store) -> gr.Blocks:
    """The page for one store."""
    desk = Desk(store)
    demo = gr.Blocks(title="Easel", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600))
    with demo:
        api.build(
            desk
        )  # first, so that its endpoints keep their names where handlers of the page have the same ones
        with gr.Row(elem_id="top"):
            html(MASTHEAD, min_width=240)
            kept = gr.BrowserState(FIRST_NAME, storage_key="easel.name", secret="easel")
            who = gr.Textbox(
                FIRST_NAME, label="Your name", max_length=80, scale=0, min_width=190, elem_id=NAME
            )
        with gr.Tabs(elem_id="tabs"):
            with _tab("Create"):
                create.build(desk, demo, who)
            with _tab("Batch") as tab:
                batch.build(desk, demo, tab, who)
            with _tab("Review") as tab:
                review.build(desk, tab, who)
            with _tab("Gallery") as tab:
                gallery.build(desk, demo, tab, who)
            with _tab("Observe") as tab:
                observe.build(desk, tab)
            with _tab("Models") as tab:
                models.build(desk, tab)
        demo.load(signed, [kept], who, api_visibility="private", show_progress="hidden")
        connect(in_order(who.blur, who.submit), lambda name: name, [who], [kept])
    return demo


def signed(kept: str | None) -> Any:
    """The name of the login, which cannot be changed; without a login, the one that this browser has kept."""
    name = person("")
    return gr.Textbox(name, interactive=False) if name else gr.Textbox(FIRST_NAME if kept is None else kept)


def _tab(label: str) -> gr.Tab:
    """A tab whose name goes into the page's address when it is opened."""
    name = label.lower()
    tab = gr.Tab(label, id=name)
    tab.select(None, None, None, js=f"() => easelAddress.tab('{name}')")
    return tab
