"""Building blocks of the page: pure functions from values to HTML. They escape all text that they are given, unless
a parameter says that it is HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from pipeline.brief import Requirement

MARKS = {
    "pass": "✓ pass", "fail": "✗ fail", "unsure": "? unsure", "unchecked": "– unchecked",
    "accepted": "✓ accepted", "needs_review": "? needs review", "rejected": "✗ rejected",
    "exhausted": "✗ not met", "failed": "✗ failed",
    "running": "running", "queued": "waiting", "paused": "paused", "stopped": "stopped", "cancelled": "cancelled",
    "done": "✓ done", "bad": "✗ left out", "ready": "✓ ready", "blocked": "✗ cannot be met",
    "approve": "✓ approved", "reject": "✗ rejected", "skip": "skipped", "rerun": "run again", "undo": "taken back",
}  # fmt: skip


def html(value: str = "", **more: Any) -> gr.HTML:
    """A component that holds HTML, styled by style.css alone."""
    return gr.HTML(value, apply_default_css=False, **more)


@contextmanager
def fold(label: str, id: str) -> Iterator[None]:
    """A section that is closed at first; a press on its label opens and closes it (page.js).

    Not an Accordion: Gradio creates the fields of a closed one when it opens, and then writes their first values once
    more, over what was typed meanwhile."""
    gr.Button(label, elem_id=f"{id}-fold", elem_classes="fold")
    with gr.Column(elem_id=id, elem_classes="folded"):
        yield


def moment(at: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time as HTML, in UTC; a script of the page shows it in the viewer's zone (page.js)."""
    told = at.astimezone(UTC)
    return f'<time datetime="{told:%Y-%m-%dT%H:%M:%SZ}">{told:{form}} UTC</time>'


def word(outcome: str) -> str:
    """The word for an outcome, without its sign."""
    return MARKS.get(outcome, outcome).lstrip("✓✗?– ")


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop, where it has none; an empty one stays empty."""
    stop = "" if not text or text.endswith((".", "!", "?", "…", "”")) else "."
    return text[:1].upper() + text[1:] + stop


def counted(n: int, noun: str) -> str:
    """A number with its noun: 1 image, 2 images."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def mark(outcome: str, by: str = "") -> str:
    """An outcome as a coloured word with a sign, so that colour is not needed to tell it. `by`: who decided it."""
    said = MARKS.get(outcome, outcome) + (f" by {by}" if by else "")
    return f'<span class="mark {escape(outcome)}">{escape(said)}</span>'


def link_to(path: Path) -> str:
    """The address of a file below the output folder, relative to the page, so that it works behind a proxy."""
    return "gradio_api/file=" + quote(str(path.resolve()))


def picture(path: Path, alt: str, version: object = "", kind: str = "") -> str:
    source = link_to(path) + (f"?{quote(str(version))}" if version != "" else "")
    lazy = "" if kind == "main" else ' loading="lazy"'
    return f'<img src="{source}" alt="{escape(alt, quote=True)}" class="{kind}"{lazy}>'


def download(path: Path, words: str, name: str = "") -> str:
    """A link that saves a file under its own name, or under the given one with the file's ending."""
    saved = f"{name}{path.suffix}" if name else path.name
    return f'<a href="{link_to(path)}" download="{escape(saved, quote=True)}">{escape(words)}</a>'


def job_link(id: str, kind: str, words: str) -> str:
    """A link to a job or run: to the tab Batch for a batch, else to Create."""
    where = "?tab=batch&amp;batch=" if kind == "batch" else "?job="
    return f'<a href="{where}{escape(quote(id), quote=True)}">{escape(words)}</a>'


def callout(text: str, kind: str = "") -> str:
    """A highlighted sentence. `kind`: "bad", "good" or empty."""
    role = ' role="alert"' if kind == "bad" else ""
    return f'<div class="callout {kind}"{role}>{escape(sentence(text))}</div>' if text else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "rows", caption: str = "") -> str:
    """A table; cells are HTML. `kind`: "rows" (on a narrow screen each cell gets a line, with its column's name),
    "rows numbers" (stays a table there) or "checks"."""
    said = f'<caption class="soft">{escape(caption)}</caption>' if caption else ""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    names = [f' data-label="{escape(h, quote=True)}"' if h else "" for h in heads]
    body = "".join(
        "<tr>" + "".join(f"<td{name}>{cell}</td>" for name, cell in zip(names, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}">{said}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figures(pairs: Iterable[tuple[str, str]]) -> str:
    """Figures with their captions, in rows of four or three."""
    cells = [f'<div class="figure"><b>{escape(n)}</b><span>{escape(w)}</span></div>' for n, w in pairs]
    kind = "by-four" if len(cells) % 4 == 0 else "by-three"
    return f'<div class="figures {kind}">{"".join(cells)}</div>'


def card(html: str, label: str = "", kind: str = "") -> str:
    """A section around HTML, with a label for screen readers. `kind`: "chart" has a frame."""
    name = f' aria-label="{escape(label, quote=True)}"' if label else ""
    return f'<section class="{f"easel {kind}".strip()}"{name}>{html}</section>'


def want_row(want: Requirement) -> str:
    """One requirement as an editable row."""
    text = escape(want.text, quote=True)
    note = f'<p class="note">{escape(want.flag or "")}: {escape(want.note)}</p>' if want.flag else ""
    now, other = ("must have", "nice to have") if want.must else ("nice to have", "must have")
    return (
        f'<li class="want {want.flag or ""}" data-id="{escape(want.id, quote=True)}">'
        f'<span class="kind">{want.kind}</span>'
        f'<input data-op="edit" aria-label="Requirement, {want.kind}" value="{text}" maxlength="200">'
        f'<button type="button" class="tap" data-op="must" aria-pressed="{str(want.must).lower()}"'
        f' aria-label="{text}: {now}; press for {other}">{now}</button>'
        f'<button type="button" class="tap cross" data-op="drop" aria-label="Remove: {text}">×</button>{note}</li>'
    )


# `easelEdits` is in page.js. Each event carries all edits that the server has not answered yet.
WANTS_SCRIPT = """
const say = (op, id, text) => trigger('want', { edits: easelEdits.add({ op, id, text }) });
const add = (field) => {
  const words = field.value.trim();
  field.focus();
  if (!words) return;
  field.value = '';
  say('add', '', words);
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-op]');
  if (!button) return;
  const field = element.querySelector('input[data-op="add"]');
  const item = button.closest('[data-id]');
  if (button.dataset.op === 'add') add(field); else say(button.dataset.op, item ? item.dataset.id : '', '');
});
element.addEventListener('change', (event) => {
  if (event.target.dataset.op !== 'edit') return;
  say('edit', event.target.closest('[data-id]').dataset.id, event.target.value);
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.dataset.op === 'add') add(event.target);
});
"""


def wants_list(
    requirements: Sequence[Requirement],
    reader: str,
    degraded: str | None,
    blocked: str | None,
    replaced: bool = False,
) -> str:
    """The requirements as an editable list. `replaced`: one that the user had edited can be had back."""
    rows = "".join(map(want_row, requirements))
    heading = f"<h2>What the picture must show</h2><p class='soft'>Read by {escape(reader)}. Change what is wrong.</p>"
    if not requirements:
        rows = (
            "<li class='soft'>No requirements yet. Describe the picture in the brief, or add one here.</li>"
        )
    add = (
        '<div class="add"><input data-op="add" aria-label="A further requirement" maxlength="200" '
        'placeholder="Add one: flat style, blue background, no dogs…">'
        '<button type="button" class="tap" data-op="add">Add</button></div>'
    )
    said = callout(blocked or "", "bad") + callout(f"Degraded: {degraded}" if degraded else "")
    if replaced:
        heading += (
            '<div class="callout" role="status">The brief changed, so its requirements were read anew. '
            '<button type="button" class="tap" data-op="back">Bring back my list</button></div>'
        )
    return card(f'{heading}<ul class="wants">{rows}</ul>{add}{said}', "Requirements")
