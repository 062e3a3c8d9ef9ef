"""The Gallery tab: every run with all its pictures, also the rejected ones; a person can overrule the judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, Literal, get_args

import gradio as gr

from pipeline.brief import Kind
from pipeline.config import available
from pipeline.errors import BriefError
from pipeline.store.reviews import Review
from pipeline.store.tables import RunRow
from ui import run_parts
from ui.desk import Desk
from ui.guard import connect, spoken
from ui.parts import callout, card, counted, html, link_to, mark, picture
from ui.view import RunView, shown_status

OUTCOMES = {
    "Any outcome": None, "Accepted": "accepted", "Needs review": "needs_review", "Not met": "exhausted",
    "Failed": "failed", "Running": "running",
}  # fmt: skip
ANY_PRESET, ANY_KIND = "Any preset", "Any kind"
PAGE = 24
SCRIPT = """
element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-run]');
  if (card) trigger('open', { run: card.dataset.run });
});
"""


def cards(rows: Sequence[RunRow], desk: Desk, words: dict[str, list[str]], chosen: str = "") -> str:
    """Runs as cards. `words`: run id → decisions of people."""
    if not rows:
        return card('<p class="soft">No run matches. Remove a filter, or paint something in Create.</p>')
    jobs = desk.store.jobs.states([row.job for row in rows if row.job])
    made = "".join(
        one_card(
            row, desk, [shown_status(row, jobs.get(row.job or "")), *words.get(row.id, [])], row.id == chosen
        )
        for row in rows
    )
    return card(f'<div class="cards">{made}</div>', "Runs")


def one_card(row: RunRow, desk: Desk, words: list[str], chosen: bool) -> str:
    path = desk.out / row.folder / "attempts" / f"{row.best}.png"
    shown = (
        picture(path, f"Best picture for “{row.text[:120]}”")
        if row.best
        else '<span class="none">no picture</span>'
    )
    said = " ".join(mark(word) for word in words)
    return (
        f'<button type="button" class="card" data-run="{escape(row.id, quote=True)}" '
        f'aria-pressed="{str(chosen).lower()}">{shown}<span class="about"><span>{escape(row.text[:140])}</span>'
        f'<span>{said}</span><small class="soft">{row.started:%d %b %Y %H:%M} · '
        f"{escape(row.preset)} · seed {row.seed} · {counted(row.images, 'image')}</small></span></button>"
    )


def compare(run: RunView, left: str, right: str) -> str:
    """Two candidates over each other, with a slider between them."""
    by_id = {shown.row.id: shown for shown in run.candidates}
    if left not in by_id or right not in by_id or left == right:
        return card('<p class="soft">Choose two different candidates to compare.</p>')
    a, b = by_id[left], by_id[right]
    names = escape(left), escape(right)
    return card(
        f'<div><div class="compare">{picture(a.path, a.alt(run.row.text), kind="main")}'
        f"{picture(b.path, b.alt(run.row.text), kind='main')}</div>"
        f'<input class="slide" type="range" min="0" max="100" value="50" aria-label="From {names[0]} to {names[1]}">'
        f'<div class="pair"><span>{names[0]} {mark(a.row.gate)}</span><span>{names[1]} {mark(b.row.gate)}</span>'
        "</div></div>",
        "Compare",
    )


def details(run: RunView, log: list[Review]) -> str:
    """A run without its attempts: outcome, decisions of people, settings, links."""
    row = run.row
    said = "".join(
        f"<li>{mark(r.decision)} {escape(r.candidate)} by {escape(r.who)}, {r.at:%d %b %Y %H:%M}"
        f"{': ' + escape(r.reason) if r.reason else ''}</li>"
        for r in log
    )
    people = f"<h3>What people said</h3><ul>{said}</ul>" if said else ""
    settings = json.dumps({"brief": row.brief, "preset": row.settings}, indent=1, ensure_ascii=False)
    return card(
        f"<h2>{escape(row.text)}</h2>{run_parts.outcome(run)}{people}"
        f"<details><summary>All settings</summary><pre class='scroll'>{escape(settings)}</pre></details>"
        f'<p class="links"><a href="?job={escape(row.id)}">Open in Create</a>'
        f'<a href="{link_to(run.folder / "run.json")}">Full record</a></p>',
        "Run",
    )


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def find(
        self, text: str, outcome: str, preset: str, kind: str, size: float, chosen: str = ""
    ) -> tuple[str, gr.Button]:
        rows = self.desk.store.runs.find(
            text=text or None, status=OUTCOMES.get(outcome), preset=None if preset == ANY_PRESET else preset,
            kind=None if kind == ANY_KIND else kind, limit=int(size) + 1,
        )  # fmt: skip
        words: dict[str, list[str]] = {}
        for review in self.desk.store.reviews.latest([row.id for row in rows]):
            words.setdefault(review.run, []).append(review.decision)
        return cards(rows[: int(size)], self.desk, words, chosen), gr.Button(visible=len(rows) > int(size))

    def open(self, event: gr.EventData) -> tuple[Any, ...]:
        return self.show(str(event.run))

    def show(self, id: str) -> tuple[Any, ...]:
        """Returns run id, details, candidates to compare, comparison, attempts, candidate to overrule, and panel."""
        run = self.desk.run(id)
        if run is None:
            raise BriefError("this run is no longer in the store; refresh the gallery")
        ids = [shown.row.id for shown in run.candidates]
        left, right = (
            (run.row.best or (ids[0] if ids else None)),
            next((i for i in ids if i != run.row.best), None),
        )
        log = self.desk.store.reviews.log(run=id)
        return (
            id, details(run, log), gr.Dropdown(ids, value=left), gr.Dropdown(ids, value=right),
            compare(run, left or "", right or "") if len(ids) > 1 else "", run_parts.history(run),
            gr.Dropdown(ids, value=left), gr.Row(visible=True),
        )  # fmt: skip

    def lay(self, id: str, left: str | None, right: str | None) -> str:
        run = self.desk.run(id)
        return compare(run, left or "", right or "") if run else ""

    def overrule(
        self, decision: Literal["approve", "reject"], id: str, candidate: str | None, who: str, reason: str
    ) -> tuple[Any, ...]:
        """Log a person's decision on a candidate, whatever the judge said."""
        if not id or not candidate:
            raise BriefError("choose a run and a candidate first")
        if not who.strip():
            raise BriefError("enter your name; the log keeps it with each decision")
        self.desk.store.reviews.add(
            Review(
                run=id, candidate=candidate, who=who.strip()[:80], decision=decision, why="overruled",
                reason=reason.strip()[:500],
            )
        )  # fmt: skip
        run = self.desk.run(id)
        assert run is not None
        said = "approved" if decision == "approve" else "rejected"
        return (
            details(run, self.desk.store.reviews.log(run=id)),
            "",
            callout(f"Candidate {candidate} is {said}.", "good"),
        )


def build(desk: Desk, tab: gr.Tab, who: gr.Textbox) -> None:
    """Lay out the tab and connect it."""
    page = Page(desk)
    size, chosen = gr.Number(PAGE, visible="hidden"), gr.Textbox(visible="hidden", label="Chosen run")
    with gr.Row():
        text = gr.Textbox(label="Search", placeholder="Words of the brief", scale=3, elem_id="gallery-search")
        outcome = gr.Dropdown(list(OUTCOMES), value="Any outcome", label="Outcome")
        preset = gr.Dropdown([ANY_PRESET, *available()], value=ANY_PRESET, label="Preset")
        kind = gr.Dropdown([ANY_KIND, *get_args(Kind)], value=ANY_KIND, label="Requirement")
    grid = html(js_on_load=SCRIPT, elem_id="gallery")
    more = gr.Button("Show more", visible=False)
    with gr.Row(visible=False, equal_height=False, elem_id="gallery-run") as panel:
        with gr.Column(min_width=300):
            about = html(elem_id="gallery-about")
            with gr.Row():
                candidate = gr.Dropdown([], label="Candidate", elem_id="overrule-candidate")
                reason = gr.Textbox(label="Reason", max_length=500, placeholder="What the judge got wrong")
            with gr.Row():
                approve = gr.Button("Accept it after all", variant="primary", elem_id="overrule-approve")
                reject = gr.Button("Reject it after all", variant="stop", elem_id="overrule-reject")
            notice = html(elem_id="overrule-said")
        with gr.Column(min_width=300):
            with gr.Row():
                left = gr.Dropdown([], label="Compare", elem_id="compare-left")
                right = gr.Dropdown([], label="With", elem_id="compare-right")
            slider = html(elem_id="compare")
    turns = html(elem_id="gallery-attempts")

    filters = [text, outcome, preset, kind, size, chosen]
    connect(tab.select, page.find, filters, [grid, more])
    connect(text.change, page.find, filters, [grid, more], trigger_mode="always_last")
    for choice in (outcome, preset, kind):
        connect(choice.input, page.find, filters, [grid, more])
    connect(more.click, lambda n: n + PAGE, [size], [size]).then(
        spoken(page.find), filters, [grid, more], api_visibility="private", show_progress="hidden"
    )
    opened = [chosen, about, left, right, slider, turns, candidate, panel]
    # The grid may be long: scroll to the run that was opened.
    connect(grid.open, page.open, None, opened).success(
        spoken(page.find), filters, [grid, more], api_visibility="private", show_progress="hidden"
    ).then(None, None, None, js="() => document.querySelector('#gallery-run')?.scrollIntoView()")
    for choice in (left, right):
        connect(choice.input, page.lay, [chosen, left, right], [slider])
    for button, decision in ((approve, "approve"), (reject, "reject")):
        connect(
            button.click,
            lambda *given, decision=decision: page.overrule(decision, *given),
            [chosen, candidate, who, reason],
            [about, reason, notice],
        )
