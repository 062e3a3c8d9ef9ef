"""The part of the Models tab about what people's decisions taught the judges: how far each may decide alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from pipeline.config import Judge
from pipeline.errors import BriefError
from pipeline.files import write
from pipeline.judging.learned import Known, Learned, standing
from pipeline.results.bands import FEW, SOURCES, as_measured, grouped, in_words, who
from ui import presets
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.parts import card, download, html, sentence, table

FILE = "bands.json"
_HEADS = ("Kind", "By", "Answers", "Disagrees before", "Disagrees after", "What it may decide")


def bands_card(known: Sequence[Known], learned: Mapping[str, Learned], rules: Judge) -> str:
    """A table for each set of judges with each painter: what is known about each kind."""
    tables = "".join(
        table(_HEADS, [_row(one, learned.get(one.basis.key), rules) for one in some], caption=title)
        for title, some in grouped(known).items()
    )
    body = tables or '<p class="soft">No picture has been judged here yet.</p>'
    return card(
        "<h2>What people taught the judges</h2>"
        f'<p class="soft">Each yes or no in the Review tab is an answer about a judge. Where it was not measured '
        f"otherwise, it decides alone as soon as at most {rules.risk:.0%} of what it passes is wrong, with "
        f"{rules.confidence:.0%} confidence. Disagrees: the share of answers where the judge finds the opposite more "
        f"likely, before and after calibration.</p>{body}",
        "What people taught the judges",
    )


def _row(one: Known, learned: Learned | None, rules: Judge) -> tuple[str, ...]:
    words = escape(sentence(in_words(one.basis, learned, rules)))
    if learned is None:
        return escape(one.basis.kind), "–", "0", "–", "–", words
    return (
        escape(one.basis.kind), escape(SOURCES[learned.band.source]), str(learned.answers),
        *((f"{learned.before:.0%}", f"{learned.after:.0%}") if learned.answers >= FEW else ("–", "–")), words,
    )  # fmt: skip


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, preset: str) -> tuple[str, Any]:
        """The card, and the bands that can be reset."""
        known, rules = self.desk.store.bases.known(), presets.named(preset).judge
        choices = [(f"{one.basis.kind}: {who(one.basis)}", one.basis.key) for one in known]
        return bands_card(known, standing(known, rules), rules), gr.Dropdown(choices, value=None)

    def reset(self, key: str | None, preset: str) -> tuple[str, Any]:
        if not key:
            raise BriefError("choose a band to reset")
        self.desk.store.bases.reset([key])
        return self.show(preset)

    def export(self, preset: str) -> str:
        """Write the bands into the output folder, and link to the file."""
        known = self.desk.store.bases.known()
        content = json.dumps(as_measured(known, standing(known, presets.named(preset).judge)), indent=2)
        path = self.desk.out / FILE
        write(path, (content + "\n").encode())
        return card(f'<p class="links">{download(path, FILE)}</p>')


def build(desk: Desk, tab: gr.Tab, preset: gr.Dropdown) -> None:
    """Lay out this part below the rest of the tab and connect it. `preset` says the wanted risk."""
    page = Page(desk)
    shown = html(elem_id="models-bands")
    with gr.Row(elem_classes="beside"):
        chosen = gr.Dropdown([], label="Begin anew for", scale=3, elem_id="models-bands-chosen")
        reset = gr.Button("Reset", scale=1, min_width=100, elem_id="models-bands-reset")
        export = gr.Button("Export", scale=1, min_width=100, elem_id="models-bands-export")
    files = html(elem_id="models-bands-files")
    connect(in_order(tab.select, preset.input), page.show, [preset], [shown, chosen])
    connect(reset.click, page.reset, [chosen, preset], [shown, chosen])
    connect(export.click, page.export, [preset], [files])
