"""Approve, reject and undo wherever a picture is shown: in Create, in the rows of Batch, and in the Gallery.

The buttons are HTML. A click sends the event `decide` with the run, the candidate, the decision, and what was answered
and written in the box around the button.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

import gradio as gr

from pipeline.errors import BriefError
from pipeline.results.decide import decide, reviewer, take_back
from pipeline.store.reviews import Review
from pipeline.work.report import ANSWERS
from ui.desk import Desk
from ui.parts import mark, moment
from ui.view import RunView

SCRIPT = """
element.addEventListener('click', (event) => {
  const answer = event.target.closest('button[data-answer]');
  if (answer) {
    for (const other of answer.parentElement.querySelectorAll('button[data-answer]'))
      other.setAttribute('aria-pressed', other === answer && answer.getAttribute('aria-pressed') !== 'true');
    return;
  }
  const button = event.target.closest('button[data-decide]');
  if (!button) return;
  const box = button.closest('.decide'), answers = {};
  for (const given of box.querySelectorAll('button[data-answer][aria-pressed="true"]'))
    answers[given.dataset.want] = given.dataset.answer;
  const reason = box.querySelector('input[data-why]');
  trigger('decide', {
    run: box.dataset.run, candidate: box.dataset.candidate, decision: button.dataset.decide,
    answers: JSON.stringify(answers), reason: reason ? reason.value : '',
  });
});
"""
_WORDS = {"approve": "Approve", "reject": "Reject", "undo": "Undo"}


def decided(desk: Desk, who: str, event: gr.EventData) -> Review:
    """Record the decision of a click. Raises BriefError where it makes no sense."""
    run, candidate = str(event.run), str(event.candidate)
    if event.decision == "undo":
        row = desk.store.runs.get(run)
        if row is not None and row.decided_by not in (None, reviewer(who)):
            raise BriefError(
                f"{row.decided_by} decided this; enter that name to take it back, or decide otherwise"
            )
        return take_back(desk.store, who, run)[1]
    answers = json.loads(str(event.answers or "{}"))
    return decide(
        desk.store, run, candidate, who, event.decision, requirements=answers, reason=str(event.reason or "")
    )


def buttons(run: str, candidate: str, about: str, decisions: Sequence[str], inner: str = "") -> str:
    """A box with a button for each of the decisions. `about`: what the picture is for, for screen readers; `inner`:
    HTML before the buttons."""
    made = "".join(
        f'<button type="button" class="tap {decision}" data-decide="{decision}" '
        f'aria-label="{_WORDS[decision]}: {escape(about[:120], quote=True)}">{_WORDS[decision]}</button>'
        for decision in decisions
    )
    return (
        f'<div class="decide" data-run="{escape(run, quote=True)}" data-candidate="{escape(candidate, quote=True)}">'
        f'{inner}<div class="choices">{made}</div></div>'
    )


def offered(status: str, decided_by: str | None) -> tuple[str, ...]:
    """The decisions that are offered beside a run's picture: those that are missing, or to take one back."""
    if decided_by is not None:
        return ("undo",)
    return ("approve", "reject") if status == "needs_review" else ()


def panel(run: RunView) -> str:
    """Where a run's picture waits for a person: what the judge left open, and the buttons. Empty where it does not."""
    row = run.row
    decisions = offered(row.status, row.decided_by)
    if not decisions or run.best is None:
        return ""
    if decisions == ("undo",):
        return buttons(row.id, run.best.row.id, row.text, decisions)
    asked = [check for check in run.best.checks if check.outcome in ("unsure", "unchecked")]
    rows = "".join(_question(c.requirement, run.texts.get(c.requirement, c.requirement)) for c in asked)
    inner = (
        "<h3>A person must decide</h3>"
        + (
            f'<p class="soft">Does the picture show it? (optional)</p><ul class="asks">{rows}</ul>'
            if rows
            else ""
        )
        + '<input class="field" data-why aria-label="Reason for the decision" maxlength="500" '
        'placeholder="Reason (optional)">'
    )
    return buttons(row.id, run.best.row.id, row.text, decisions, inner)


def _question(requirement: str, text: str) -> str:
    """A requirement with buttons for yes and no."""
    text = escape(text, quote=True)
    answers = " ".join(
        f'<button type="button" class="tap" data-want="{escape(requirement, quote=True)}" data-answer="{answer}" '
        f'aria-pressed="false" aria-label="{text}: {label}">{label}</button>'
        for answer, label in ANSWERS.items()
    )
    return f'<li class="ask"><span>{text}</span><span>{answers}</span></li>'


def people(reviews: Sequence[Review]) -> str:
    """Decisions as a list: who said what when."""
    rows = "".join(
        f"<li>{mark(r.decision)} {escape(r.candidate)} by {escape(r.who)}, {moment(r.at)}"
        f"{': ' + escape(r.reason) if r.reason else ''}</li>"
        for r in reviews
    )
    return f"<ul>{rows}</ul>" if rows else ""
