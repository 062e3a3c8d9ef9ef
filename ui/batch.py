"""The Batch tab: preview a file of briefs, start it, and follow it in a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import gradio as gr

from pipeline.errors import BriefError
from pipeline.store.jobs import BATCH, OPEN, Job
from pipeline.store.tables import RunRow
from pipeline.work.estimate import Estimate, estimate
from pipeline.work.report import ENDED, OUTCOMES, Entry, Report, duration, gather, write_report
from pipeline.work.row import Rows
from pipeline.work.row_formats import KINDS, text_of
from ui import presets
from ui.decide import SCRIPT, buttons, decided, offered
from ui.desk import Desk, read_batch
from ui.guard import connect, in_order, spoken
from ui.parts import callout, card, download, figures, html, mark, picture, sentence, table
from ui.run_parts import stands
from ui.view import shown_status
from ui.wants import blocked

MAX_BYTES = 4_000_000  # of an uploaded file: tens of thousands of briefs
SHOWN = 200  # rows of a table
LOOKED_AT = 1_000  # rows of a file whose briefs are read before it starts
EXAMPLE = """\
brief,name,seed,must,images
"a panda on a purple background, cartoon style",panda,7,,4
"two owls on a gray background",owls,1,flat style; no dogs,6
"a guitar on a yellow background, flat style",,3,,
"""
REPORT_SCRIPT = """
element.addEventListener('click', (event) => {
  if (event.target.closest('button[data-report]')) trigger('report', {});
});
"""
_HELP = {
    "brief": "what you want, in your words: the only required column",
    "name": "the folder for its pictures",
    "seed": "the same brief and seed give the same pictures",
    "must": "further requirements, separated by semicolons",
    "images": "the most images to paint for it",
    "preset": "the preset for this row",
    "size": "in pixels: 256, or 512x256",
}  # fmt: skip


def guide() -> str:
    """What a file of briefs looks like."""
    head, *rows = csv.reader(io.StringIO(EXAMPLE))
    columns = "".join(f"<li><b>{name}</b> {escape(what)}</li>" for name, what in _HELP.items())
    link = f"data:text/csv;charset=utf-8,{quote(EXAMPLE)}"
    return card(
        "<p>A table with one brief per row. Make it in any spreadsheet and save it "
        f"as CSV. JSONL and YAML with the same names work too.</p>"
        f"{table(head, [[escape(cell) for cell in row] for row in rows])}"
        f'<p class="links"><a href="{link}" download="briefs.csv">Download this example</a></p>'
        f"<h3>Columns</h3><ul>{columns}</ul>"
        "<p class='soft'>image.steps, image.guidance and the keys of loop may be columns too. A row that cannot be "
        "read is reported with its line; the others run.</p>",
        "What a file of briefs looks like",
    )


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def parse(self, file: str | None, preset: str) -> tuple[Any, ...]:
        """Read an uploaded file and delete it. Returns what `rows` does; all empty without a file."""
        if not file:
            return "", "", "", "", gr.Button(interactive=False)
        path = Path(file)
        kind = KINDS.get(path.suffix.lower())
        try:
            if kind is None:
                raise BriefError(
                    "this is not a file of briefs; upload one that ends in .csv, .jsonl or .yaml"
                )
            if path.stat().st_size > MAX_BYTES:
                raise BriefError(
                    f"the file is larger than {MAX_BYTES // 10**6} MB; split it, or use `easel batch`"
                )
            data = path.read_bytes()
        finally:
            path.unlink(missing_ok=True)
        return self.rows(data, kind, path.stem, path.name, preset)

    def example(self, preset: str) -> tuple[Any, ...]:
        """The rows of the example, as if it had been uploaded."""
        return self.rows(EXAMPLE.encode(), "csv", "example", "the example", preset)

    def rows(self, data: bytes, kind: str, name: str, where: str, preset: str) -> tuple[Any, ...]:
        """Returns text, kind and name to submit, a preview of the rows, and whether Start is enabled."""
        text = text_of(data, where)
        rows = read_batch(text, kind, name, presets.location(preset))
        expected = estimate(rows.good, self.desk.store)
        known = blocked(rows.good[:LOOKED_AT])
        seen = card(estimated(rows, expected, len(known)) + preview(rows, known), "Rows of the file")
        return text, kind, name, seen, gr.Button(interactive=bool(rows.good))

    def start(self, text: str, kind: str, name: str, preset: str) -> tuple[Any, ...]:
        if not text:
            raise BriefError("there is nothing to start; upload a file of briefs first")
        job = self.desk.submit_batch(text, kind, name, preset)
        return self.opened(job.id)

    def ask(self, what: str, id: str) -> tuple[Any, ...]:
        self.desk.store.jobs.ask(self.desk.job(id).id, what)  # type: ignore[arg-type]
        return self.show(id, "")

    def decide(self, id: str, who: str, event: gr.EventData) -> tuple[Any, ...]:
        """Record what a person decided about a row."""
        decided(self.desk, who, event)
        return self.show(id, "")

    def report(self, id: str) -> tuple[Any, ...]:
        """Write the report anew, with what people decided since."""
        job = self.desk.job(id)
        write_report(gather(_rows(job), self.desk.store), self.desk.store, f"report-{job.id}")
        return self.show(id, "")

    def arrive(self, request: gr.Request) -> str:
        """The batch in the page's address."""
        named = str(request.query_params.get("batch") or request.query_params.get("job", ""))[:64]
        return named if self.desk.batch(named) else ""

    def opened(self, chosen: str | None) -> tuple[Any, ...]:
        """Show the chosen batch, or the newest one; and fold away the explanation of the file if there is one. Returns
        the batches to choose from, what `show` does, and the explanation."""
        jobs = self.desk.store.jobs.list(kinds=(BATCH,))
        if not jobs:
            return gr.Dropdown(visible=False), *(gr.skip() for _ in range(8))
        known = {job.id for job in jobs} | {
            chosen for chosen in [chosen] if chosen and self.desk.batch(chosen)
        }
        id = chosen if chosen in known else jobs[0].id
        choices = [(f"{_name(job)}, {job.submitted:%d %b %H:%M} UTC", job.id) for job in jobs]
        return (
            gr.Dropdown(choices, value=id, visible=True), *self.show(str(id), ""), gr.Accordion(open=False)
        )  # fmt: skip

    def again(self, id: str) -> tuple[Any, ...]:
        """Continue a batch that has ended before all its rows did: those that are done stay done."""
        job = self.desk.job(id)
        made = self.desk.store.jobs.submit(uuid4().hex, BATCH, job.payload)
        return self.opened(made.id)

    def show(self, id: str, seen: str) -> tuple[Any, ...]:
        """Returns the new `seen`, table, timer, and the buttons pause, resume, cancel and continue; unchanged ones
        skipped."""
        job = self.desk.store.jobs.get(id) if id else None
        if job is None:
            return "", gr.skip(), gr.Timer(active=False), *(gr.skip() for _ in range(4))
        now = f"{job.state}|{job.asked}|{job.place}|{job.progress}|{self.desk.works}"
        if now == seen:
            return tuple(gr.skip() for _ in range(7))
        busy = job.state in OPEN
        return (
            now, progress(job, self.desk), gr.Timer(active=busy),
            gr.Button(visible=busy and job.state != "paused", interactive=job.asked is None),
            gr.Button(visible=job.state == "paused"),
            gr.Button(visible=busy, interactive=job.asked != "cancel"),
            gr.Button(visible=job.state in ("cancelled", "failed")),
        )  # fmt: skip


def estimated(rows: Rows, expected: Estimate | None, blocked: int = 0) -> str:
    """How many rows there are and what they will take, in the same words as `easel batch --estimate`."""
    cells = [
        (str(len(rows.good)), "brief" if len(rows.good) == 1 else "briefs"),
        (str(len(rows.bad)), "row left out" if len(rows.bad) == 1 else "rows left out"),
        (expected.images if expected else "none left", "images"),
    ]
    if blocked:
        cells.insert(
            2,
            (str(blocked), "brief that no picture meets" if blocked == 1 else "briefs that no picture meets"),
        )
    if expected and expected.time:
        cells.append((expected.time, "model time, by earlier runs"))
    elif expected:
        cells.append(("not known yet", "time: no run to go by"))
    return figures(cells)


def preview(rows: Rows, known: Mapping[int, str]) -> str:
    """The rows that will run, with their settings, and the bad ones, with what is wrong. `known`: line → why no picture
    can meet its brief."""
    bad = [(b.line, mark("bad"), escape(b.text or "–"), escape(sentence(b.why))) for b in rows.bad]
    good = [
        (
            row.line, mark("blocked" if row.line in known else "ready"), escape(row.brief.words[:160]),
            escape(sentence(known.get(row.line, "")) or f"{row.preset.name}, seed {row.brief.seed}"),
        )
        for row in rows.good[:SHOWN]
    ]  # fmt: skip
    cells = [(str(line), *rest) for line, *rest in sorted([*bad, *good])]
    more = f'<p class="soft">and {len(rows.good) - SHOWN} more</p>' if len(rows.good) > SHOWN else ""
    return table(("Line", "", "Brief", "Settings, or error"), cells) + more


def _name(job: Job) -> str:
    return str(job.payload.get("name") or "batch")


def _rows(job: Job) -> Rows:
    given = job.payload
    return read_batch(given["text"], given["kind"], _name(job), given.get("preset", "mini"))


def progress(job: Job, desk: Desk) -> str:
    """Progress of a batch: figures, and a table with a row for each brief."""
    rows = _rows(job)
    report = gather(rows, desk.store)
    counts = report.counts
    over = sum(counts[s] for s in ENDED)
    share = round(100 * over / max(1, len(rows.good)))
    told = str(job.progress.get("said", ""))
    bar = (
        f'<div class="stage" role="status"><b>{escape(rows.name)}</b><span>{mark(job.state)} '
        f"{escape(stands(job, desk.works))}</span></div>"
        f'<div class="bar" role="progressbar" aria-label="Briefs done" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share}"><i style="width:{share}%"></i></div><p class="soft">{escape(told)}</p>'
    )
    numbers = figures(
        [(f"{over} of {len(rows.good)}", "briefs done")]
        + [(str(counts[s]), OUTCOMES[s].lower()) for s in ENDED]
        + [(str(counts["bad"]), "row left out" if counts["bad"] == 1 else "rows left out")]
        + [
            (str(report.images), "image" if report.images == 1 else "images"),
            (duration(report.seconds), "model time"),
        ]
    )
    body = table(
        ("Line", "Picture", "Brief", "Outcome", "Why", "Images"),
        [line(e, desk, job.state) for e in report.entries[:SHOWN]],
    )
    more = (
        f'<p class="soft">The first {SHOWN} of {len(report.entries)} rows.</p>'
        if len(report.entries) > SHOWN
        else ""
    )
    error = callout(job.error or "", "bad")
    return card(bar + error + numbers + report_links(job, desk, report) + body + more, "Batch")


def line(entry: Entry, desk: Desk, job: str) -> tuple[str, ...]:
    """One row of the table."""
    run: RunRow | None = entry.run
    small = (
        f'<span class="thumb">{picture(desk.out / entry.shown, f"For “{entry.text[:80]}”")}</span>'
        if entry.shown
        else ""
    )
    text = escape(entry.text[:140])
    if run is not None:
        text = f'<a href="?job={escape(run.id, quote=True)}">{text}</a>'
    state = shown_status(run, job) if run else job if job in ("cancelled", "paused", "failed") else "queued"
    outcome = mark(state) if entry.status == "open" else mark(entry.status, (run and run.decided_by) or "")
    if run is not None and run.best and (choices := offered(run.status, run.decided_by)):
        outcome += buttons(run.id, run.best, entry.text, choices)
    why = (
        ""
        if entry.status in ("open", "accepted") and not entry.decided_at
        else escape(sentence(entry.reason))
    )
    if entry.decided_at:
        why += f"<small>{entry.decided_at}</small>"
    return str(entry.line), small, text, outcome, why, str(run.images) if run else ""


def report_links(job: Job, desk: Desk, report: Report) -> str:
    """Links to the files of the report; and a button to write them anew, where people decided since."""
    name = job.progress.get("report")
    page = desk.out / str(name)
    if not name or not page.exists():
        return ""
    newest = desk.store.reviews.newest([entry.run.id for entry in report.entries if entry.run])
    late = newest is not None and newest.timestamp() > page.stat().st_mtime
    again = '<button type="button" class="tap" data-report>Update the report: people decided since</button>'
    return (
        f'<p class="links">{download(page, "Report")}{download(page.with_suffix(".csv"), "Report as CSV")}'
        f"{again if late else ''}</p>"
    )


_CHOSEN = "(id) => easelAddress.put({ batch: id })"


def build(desk: Desk, demo: gr.Blocks, tab: gr.Tab, who: gr.Textbox) -> None:
    """Lay out the tab and connect it. `who` is the field with the person's name."""
    page = Page(desk)
    text, kind, name, seen = (gr.Textbox(visible="hidden", label=w) for w in ("Text", "Kind", "Name", "Seen"))
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            file = gr.File(
                label="A file of briefs: CSV, JSONL or YAML", height=162, elem_id="batch-file",
                file_types=sorted(KINDS),
            )  # fmt: skip
        with gr.Column(scale=2, min_width=240):
            preset = gr.Dropdown(
                presets.names(), value="mini", label="Preset", info="For rows that do not name one."
            )
            with gr.Row(elem_classes="snug"):
                start = gr.Button("Start", variant="primary", interactive=False, elem_id="batch-start")
                example = gr.Button("Try the example", elem_id="batch-example")
    seen_rows = html(elem_id="batch-rows")
    job = gr.Dropdown([], label="Batch", visible=False, elem_id="batch-chosen", allow_custom_value=True)
    with gr.Row():
        pause = gr.Button("Pause", visible=False, elem_id="batch-pause")
        resume = gr.Button("Resume", visible=False, elem_id="batch-resume")
        cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="batch-cancel")
        again = gr.Button("Continue", visible=False, elem_id="batch-continue")
    going = html(js_on_load=SCRIPT + REPORT_SCRIPT, elem_id="batch-table")
    with gr.Accordion("What a file of briefs looks like", open=True) as how:
        html(guide(), elem_id="batch-guide")
    timer = gr.Timer(1.5, active=False)

    shown = [seen, going, timer, pause, resume, cancel, again]
    parsed = [text, kind, name, seen_rows, start]
    # First the rows of another file go, also where the new one is refused. At last the field is free for another file.
    read = connect(file.upload, lambda: page.parse(None, ""), None, parsed).then(
        spoken(page.parse), [file, preset], parsed, api_visibility="private", show_progress="hidden"
    )
    for ended in (read.success, read.failure):
        ended(lambda: None, None, file, api_visibility="private", show_progress="hidden")
    connect(example.click, page.example, [preset], parsed)
    started = connect(start.click, page.start, [text, kind, name, preset], [job, *shown, how])
    started.success(
        lambda: ("", "", gr.Button(interactive=False)), None, [text, seen_rows, start], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    for button, what in ((pause, "pause"), (resume, "resume"), (cancel, "cancel")):
        connect(button.click, lambda id, what=what: page.ask(what, id), [job], shown)
    continued = connect(again.click, page.again, [job], [job, *shown, how])
    for made in (started, continued, connect(in_order(job.input), page.opened, [job], [job, *shown, how])):
        made.then(None, [job], None, js=_CHOSEN)
    connect(going.decide, page.decide, [job, who], shown)
    connect(going.report, page.report, [job], shown)
    connect(timer.tick, page.show, [job, seen], shown)
    connect(tab.select, page.opened, [job], [job, *shown, how])
    connect(demo.load, page.arrive, None, [job]).then(None, [job], None, js="(id) => easelAddress.batch(id)")
