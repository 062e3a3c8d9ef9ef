"""The Gallery tab: every run with all its pictures, also the rejected ones; a person can decide about each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal, get_args

import gradio as gr

from pipeline.brief import Kind
from pipeline.errors import BriefError
from pipeline.results.decide import decide, take_back
from pipeline.store.reviews import Review
from pipeline.store.tables import RunRow
from ui import presets, run_parts
from ui.decide import people
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.parts import callout, card, counted, html, link_to, mark, moment, picture
from ui.view import RunView, shown_status

OUTCOMES = {
    "Any outcome": None, "Accepted": "accepted", "Needs review": "needs_review", "Rejected": "rejected",
    "Not met": "exhausted", "Failed": "failed", "Running": "running",
}  # fmt: skip
ANY_PRESET, ANY_KIND = "Any preset", "Any kind"
PAGE = 24
FILTERS = ("words", "outcome", "preset", "kind")  # in the page's address
_ANY = (ANY_PRESET, ANY_KIND, next(iter(OUTCOMES)))
_FILTERED = f"""(...values) => {{
  const any = {json.dumps(_ANY)}, names = {json.dumps(FILTERS)};
  easelAddress.put(Object.fromEntries(names.map((n, i) => [n, any.includes(values[i]) ? "" : values[i]])), false);
}}"""
# The grid may be long: scroll to the run that was opened.
_OPENED = """(id) => {
  easelAddress.put({ run: id });
  document.querySelector('#gallery-run')?.scrollIntoView();
}"""
SCRIPT = """
element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-run]');
  if (card) trigger('open', { run: card.dataset.run });
});
"""


def cards(
    rows: Sequence[RunRow], desk: Desk, reviews: Mapping[str, Sequence[Review]], chosen: str = ""
) -> str:
    """Runs as cards. `reviews`: run id → the decisions of people that stand."""
    if not rows:
        return card('<p class="soft">No run matches. Remove a filter, or paint something in Create.</p>')
    jobs = desk.store.jobs.states([row.job for row in rows if row.job])
    made = "".join(
        one_card(row, desk, jobs.get(row.job or ""), reviews.get(row.id, ()), row.id == chosen)
        for row in rows
    )
    return card(f'<div class="cards">{made}</div>', "Runs")


def one_card(row: RunRow, desk: Desk, job: str | None, reviews: Sequence[Review], chosen: bool) -> str:
    """`job`: the state of the run's job."""
    path = desk.out / row.folder / "attempts" / f"{row.best}.png"
    shown = (
        picture(path, f"Best picture for “{row.text[:120]}”")
        if row.best
        else '<span class="none">no picture</span>'
    )
    others = [review for review in reviews if review.at != row.decided_at]
    said = " ".join(
        [mark(shown_status(row, job), row.decided_by or ""), *(mark(r.decision, r.who) for r in others)]
    )
    return (
        f'<button type="button" class="card" data-run="{escape(row.id, quote=True)}" '
        f'aria-pressed="{str(chosen).lower()}">{shown}<span class="about"><span>{escape(row.text[:140])}</span>'
        f'<span>{said}</span><small class="soft">{moment(row.started)} · '
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
    said = f"<h3>What people said</h3>{people(log)}" if log else ""
    settings = json.dumps({"brief": row.brief, "preset": row.settings}, indent=1, ensure_ascii=False)
    return card(
        f"<h2>{escape(row.text)}</h2>{run_parts.outcome(run)}{said}"
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
        reviews = self.desk.store.reviews.standing([row.id for row in rows])
        return cards(rows[: int(size)], self.desk, reviews, chosen), gr.Button(visible=len(rows) > int(size))

    def arrive(self, request: gr.Request) -> tuple[Any, ...]:
        """The filters and the run in the page's address. Returns values of the filters, and what `show` does."""
        said = {name: str(request.query_params.get(name, ""))[:200] for name in (*FILTERS, "run")}
        known = (None, OUTCOMES, presets.names(), get_args(Kind))
        filters = [
            gr.skip() if not said[name] or (among is not None and said[name] not in among) else said[name]
            for name, among in zip(FILTERS, known, strict=True)
        ]
        shown = self.show(said["run"]) if self.desk.run(said["run"]) else tuple(gr.skip() for _ in range(10))
        return (*filters, *shown)

    def open(self, event: gr.EventData) -> tuple[Any, ...]:
        return self.show(str(event.run))

    def show(self, id: str) -> tuple[Any, ...]:
        """Returns run id, details, candidates to compare, comparison, attempts, candidate to decide on, panel, notice,
        and whether there is something to take back."""
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
            gr.Dropdown(ids, value=left), gr.Row(visible=True), "", gr.Button(visible=bool(run.reviews)),
        )  # fmt: skip

    def lay(self, id: str, left: str | None, right: str | None) -> str:
        run = self.desk.run(id)
        return compare(run, left or "", right or "") if run else ""

    def decide(
        self,
        decision: Literal["approve", "reject", "undo"],
        id: str,
        candidate: str | None,
        who: str,
        reason: str,
    ) -> tuple[Any, ...]:
        """Record a person's decision on a candidate, whatever the judge said, or take their last one back. Returns
        details, attempts, reason, notice, and whether there is something to take back."""
        if not id or not candidate:
            raise BriefError("choose a run and a candidate first")
        if decision == "undo":
            last, _ = take_back(self.desk.store, who, id)
            said = f"The decision on candidate {last.candidate} is taken back."
        else:
            decide(self.desk.store, id, candidate, who, decision, reason=reason)
            said = f"Candidate {candidate} is {'approved' if decision == 'approve' else 'rejected'}."
        run = self.desk.run(id)
        assert run is not None
        return (
            details(run, self.desk.store.reviews.log(run=id)), run_parts.history(run), "", callout(said, "good"),
            gr.Button(visible=bool(run.reviews)),
        )  # fmt: skip


def build(desk: Desk, demo: gr.Blocks, tab: gr.Tab, who: gr.Textbox) -> None:
    """Lay out the tab and connect it."""
    page = Page(desk)
    size, chosen = gr.Number(PAGE, visible="hidden"), gr.Textbox(visible="hidden", label="Chosen run")
    with gr.Row():
        text = gr.Textbox(label="Search", placeholder="Words of the brief", scale=3, elem_id="gallery-search")
        outcome = gr.Dropdown(list(OUTCOMES), value="Any outcome", label="Outcome")
        preset = gr.Dropdown([ANY_PRESET, *presets.names()], value=ANY_PRESET, label="Preset")
        kind = gr.Dropdown([ANY_KIND, *get_args(Kind)], value=ANY_KIND, label="Requirement")
    grid = html(js_on_load=SCRIPT, elem_id="gallery")
    more = gr.Button("Show more", visible=False)
    with gr.Row(visible=False, equal_height=False, elem_id="gallery-run") as panel:
        with gr.Column(min_width=300):
            about = html(elem_id="gallery-about")
            with gr.Row():
                candidate = gr.Dropdown([], label="Candidate", elem_id="overrule-candidate")
                reason = gr.Textbox(label="Reason", max_length=500, placeholder="Optional")
            with gr.Row():
                approve = gr.Button("Approve", variant="primary", min_width=90, elem_id="overrule-approve")
                reject = gr.Button("Reject", variant="stop", min_width=90, elem_id="overrule-reject")
                undo = gr.Button("Undo", visible=False, min_width=90, elem_id="overrule-undo")
            notice = html(elem_id="overrule-said")
        with gr.Column(min_width=300):
            with gr.Row():
                left = gr.Dropdown([], label="Compare", elem_id="compare-left")
                right = gr.Dropdown([], label="With", elem_id="compare-right")
            slider = html(elem_id="compare")
    turns = html(elem_id="gallery-attempts")

    filters = [text, outcome, preset, kind, size, chosen]
    # The attempts change when a run is opened and when a person decides on it.
    found = in_order(
        tab.select, text.change, outcome.input, preset.input, kind.input, size.change, turns.change
    )
    connect(found, page.find, filters, [grid, more])
    connect(more.click, lambda n: n + PAGE, [size], [size])
    opened = [chosen, about, left, right, slider, turns, candidate, panel, notice, undo]
    connect(grid.open, page.open, None, opened).success(None, [chosen], None, js=_OPENED)
    arrived = connect(demo.load, page.arrive, None, [text, outcome, preset, kind, *opened])
    arrived.then(None, None, None, js="() => easelAddress.arrived('gallery')")
    for changed in (text.change, outcome.change, preset.change, kind.change):
        changed(None, filters[:4], None, js=_FILTERED)
    for choice in (left, right):
        connect(choice.input, page.lay, [chosen, left, right], [slider])
    for button, decision in ((approve, "approve"), (reject, "reject"), (undo, "undo")):
        connect(
            button.click,
            lambda *given, decision=decision: page.decide(decision, *given),
            [chosen, candidate, who, reason],
            [about, turns, reason, notice, undo],
        )
