"""The requirements panel of the Create tab: it follows the brief as it is typed, and can be edited.

The rules read the brief at every change; once the field is left, the text model reads it too. An answer may arrive
late: after the brief has changed, after the user has edited the list, or while the user is typing in it. So a reading
never writes the panel directly. The server makes an offer, and a script in the page takes it only if it still applies.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr
from pydantic import TypeAdapter

from pipeline.brief import Requirement
from pipeline.store.jobs import OPEN
from ui.desk import Desk
from ui.guard import connect
from ui.parts import card, wants_list
from ui.wants import Draft, Edit, anew, edited

_EDITS = TypeAdapter(list[Edit])
READING = card('<p class="soft" role="status">The text model is reading it too…</p>')

# Takes what the rules read in a changed brief, unless the panel already shows that brief.
_FOLLOW = """(offer, draft, wants) => {
  if (!offer) return [draft, wants];
  const said = JSON.parse(offer), now = JSON.parse(draft), fresh = JSON.parse(said.draft);
  const shown = now.text === fresh.text && now.preset === fresh.preset;
  return shown ? [draft, wants] : [said.draft, said.wants];
}"""
# Takes what the text model read only if the panel still shows the draft that it was asked about, or what the rules
# read in the same brief, and nobody is typing in the list.
_ACCEPT = """(offer, draft, wants) => {
  if (!offer) return [draft, wants];
  const said = JSON.parse(offer), now = JSON.parse(draft), fresh = JSON.parse(said.draft);
  const same = said.seen === draft || (!now.edited && !now.job && now.reading.reader === "the rules"
    && now.text === fresh.text && now.preset === fresh.preset);
  const typing = said.wants !== null && document.activeElement?.matches("#wants input");
  return same && !typing && !easelEdits.of(draft).length ? [said.draft, said.wants ?? wants] : [draft, wants];
}"""

# Takes the answer to the user's edits only if it answers all of them.
_ANSWER = """(offer, draft, wants) => {
  if (!offer) return [draft, wants];
  const said = JSON.parse(offer);
  return said.seen === draft && said.edits === easelEdits.of(draft).length ? [said.draft, said.wants] : [draft, wants];
}"""


def draft_html(draft: Draft) -> str:
    reading = draft.reading
    return wants_list(
        reading.requirements, reading.reader, reading.degraded, reading.blocked, bool(draft.before)
    )


def offer(seen: str, draft: Draft, redraw: bool = True, edits: int = 0) -> str:
    """A new draft for the page to take in place of `seen`. Without `redraw` the list on the page stays as it is.
    `edits`: how many edits of the user it answers."""
    wants = draft_html(draft) if redraw else None
    return json.dumps({"seen": seen, "draft": draft.model_dump_json(), "wants": wants, "edits": edits})


def parsed(said: str) -> Draft:
    """The draft in the page's hidden field."""
    return Draft.model_validate_json(said) if said else Draft()


def parsed_edits(said: str) -> list[Edit]:
    """The edits of the list that a script of the page sends."""
    return _EDITS.validate_json(said) if said else []


def with_reading(draft: Draft, reading: dict[str, Any] | None) -> Draft:
    """The draft with what the text model read, if it read anything; it no longer waits for an answer."""
    changed: dict[str, Any] = {"job": None}
    if reading and not draft.edited:
        changed["reading"] = Draft.model_validate({"reading": reading}).reading
    return draft.model_copy(update=changed)


def with_list(draft: Draft, wants: tuple[Requirement, ...]) -> Draft:
    """The draft with a given list of requirements, which counts as edited by the user."""
    reading = draft.reading.model_copy(update={"requirements": wants, "reader": "you"})
    return draft.model_copy(update={"reading": reading, "edited": True})


class Panel:
    """The handlers of the panel. Each takes widget values and returns widget values; no offer is ""."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def typed(self, text: str, preset: str, said: str) -> str:
        """The brief or the preset changed: offer what the rules read."""
        draft = parsed(said)
        if draft.text == text and draft.preset == preset:
            return ""  # text and draft were put into the page together
        return offer(said, anew(draft, text, preset))

    def settle(self, text: str, preset: str, said: str) -> tuple[gr.Timer, str]:
        """The brief is written: ask the text model to read it."""
        draft = parsed(said)
        if not text.strip() or (draft.settled and draft.text == text and draft.preset == preset) or draft.job:
            return gr.skip(), ""
        stale = (draft.text, draft.preset) != (text, preset)
        draft = anew(draft, text, preset) if stale else draft
        draft = draft.model_copy(update={"job": self.desk.read(text, preset).id})
        return gr.Timer(active=True), offer(said, draft, redraw=stale)

    def listen(self, said: str) -> tuple[gr.Timer, str, str]:
        """Whether the text model has answered. The page asks again until it has taken the answer."""
        draft = parsed(said)
        if draft.job is None:
            return gr.Timer(active=False), "", ""
        job = self.desk.store.jobs.get(draft.job)
        if job is not None and job.state in OPEN:
            return gr.skip(), READING, ""
        reading = job.progress.get("reading") if job is not None else None
        return gr.skip(), "", offer(said, with_reading(draft, reading), redraw=bool(reading))

    def want(self, said: str, event: gr.EventData) -> str:
        """The user edited the list: offer the draft after all edits since `said`."""
        edits = parsed_edits(str(event.edits))
        return offer(said, edited(parsed(said), *edits), edits=len(edits))


def offering(
    event: Callable[..., Any], handler: Callable[..., Any], inputs: Any, outputs: Any, reading: list[Any],
    script: str = _ACCEPT, **more: Any,
) -> Any:  # fmt: skip
    """Connect a handler whose last output is an offer for `reading`, the draft and the list. Every such event has a
    hidden field of its own: in a shared one, two offers that arrive together would overwrite each other."""
    offered = gr.Textbox(visible="hidden", label="Offered draft")
    made = connect(event, handler, inputs, [*outputs, offered], **more)
    made.then(None, [offered, *reading], reading, js=script)
    return made


def editing(event: Callable[..., Any], panel: Panel, reading: list[Any]) -> Any:
    """Connect the event of an edit. Quick edits run at the same time: each carries those before it."""
    return offering(event, panel.want, reading[:1], [], reading, _ANSWER, trigger_mode="multiple")


def follow(event: Callable[..., Any], panel: Panel, inputs: Any, reading: list[Any]) -> Any:
    """Connect an event that changes the brief or the preset. The last change is always read."""
    return offering(event, panel.typed, inputs, [], reading, _FOLLOW, trigger_mode="always_last")
