"""The Models tab: what each preset does and needs, what is in memory, and the measured errors of the judge."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import Any

import gradio as gr

from pipeline.config import Preset, data_file
from pipeline.errors import ConfigError
from pipeline.store.jobs import OPEN, Job
from pipeline.work.task import LOAD, UNLOAD, Residents, residents
from ui import bands, presets, pulling
from ui.command import answer
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.parts import callout, card, figures, html, sentence, table


def preset_card(preset: Preset) -> str:
    """One preset: what it does and needs, and its models."""
    rows = [
        (
            escape(name),
            escape(str(getattr(spec, "model", ""))),
            escape(str(getattr(spec, "device", None) or "any")),
        )
        for name, spec in preset.models.items()
    ]
    offline = "works offline" if preset.offline else "downloads its weights once"
    return card(
        f"<h2>{escape(preset.name)}</h2><p>{escape(preset.about)}</p>"
        f'<p class="soft">Needs {escape(preset.needs or "nothing special")}; {offline}.</p>'
        + table(("Key", "Model", "Device"), rows),
        f"Preset {escape(preset.name)}",
    )


def judge_table(preset: Preset) -> str:
    """The measured error rates of the preset's judge, by kind of requirement."""
    measured = preset.judge.measured
    if not measured:
        return card(
            callout(
                f"The judge of {preset.name} was never measured, so it ranks pictures and people decide. Each yes or "
                f"no in the Review tab measures it; “easel measure {preset.name}” lets it measure itself."
            )
        )
    try:
        rows = json.loads(data_file(measured, preset.base).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"judge.measured of {preset.name} cannot be read ({error})") from None

    def share(row: dict[str, Any], key: str) -> str:
        return f"{row[key]:.1%}" if key in row else "–"

    rows = {kind: row[0] if isinstance(row, list) else row for kind, row in rows.items()}

    cells = [
        (
            escape(kind), share(row, "false_accept"), share(row, "false_reject"), share(row, "unsure"),
            f"{row['pass']:.2f}" if row.get("pass") is not None else "–",
        )
        for kind, row in rows.items()
    ]  # fmt: skip
    on = {str(row.get("measured_on", "")) for row in rows.values()} - {""}
    heads = (
        "Requirement",
        "Passes what is wrong",
        "Fails what is right",
        "Unsure",
        "Pass from p",
    )
    return card(
        "<h2>How far the judge can be trusted</h2>"
        + table(heads, cells, "rows numbers")
        + f'<p class="soft">Measured on {escape("; ".join(sorted(on)))}. Kinds that are not listed go to a person.</p>',
        "The judge's errors",
    )


def size(bytes: int | None) -> str:
    """The size of a model in memory, as HTML; 0 for a model behind a server, None if unknown."""
    if bytes is None:
        return "not&nbsp;known"
    if not bytes:
        return "none&nbsp;here"
    return f"{bytes / 2**30:.2f}&nbsp;GiB" if bytes >= 2**30 else f"{bytes / 2**20:.1f}&nbsp;MiB"


def memory(found: Residents | None, waiting: int) -> str:
    """The models in the worker's memory, and the memory of its process."""
    if found is None:
        note = "No worker is running, so no job is done. Start the app without --no-worker, or run “easel worker”."
        return card("<h2>In memory</h2>" + callout(note))
    rows = [
        (
            escape(str(who["name"])),
            escape(str(who["kind"])),
            escape(str(who["device"])),
            escape(str(who["dtype"])),
            size(who.get("bytes")),
        )
        for who in found.loaded
    ]
    cells = (
        (f"{found.memory / 2**30:.2f} GiB", "held by the worker"),
        (str(len(rows)), "model loaded" if len(rows) == 1 else "models loaded"),
        (str(waiting), "job open" if waiting == 1 else "jobs open"),
    )  # fmt: skip
    body = (
        table(("Model", "Kind", "Device", "Precision", "Memory"), rows)
        + '<p class="soft">Memory of a model: the bytes of its parameters and buffers. The rest of the memory '
        "holds libraries, pictures and activations.</p>"
        if rows
        else '<p class="soft">No model is loaded.</p>'
    )
    return card(f"<h2>In memory</h2>{figures(cells)}{body}", "In memory")


def said(job: Job) -> str:
    """How far the loading or unloading of models is, or how it ended, where that matters."""
    name = presets.name_of(str(job.payload["preset"]))
    if job.state in OPEN:
        word = f"Loading {name}" if job.kind == LOAD else "Unloading"
        return callout(word + (" after the running job." if job.state == "queued" else "."), "good")
    if job.ended is None or datetime.now(UTC) - job.ended > pulling.RECENT:
        return ""
    if job.state == "failed":
        return callout(f"The preset {name} was not loaded. {sentence(job.error or '')}", "bad")
    if first := job.progress.get("unloaded_first"):
        return callout(
            f"{', '.join(first)} had to be unloaded before {name} was in memory, because memory does not hold both."
        )
    return ""


def doctor() -> str:
    """What this machine can run, by `easel doctor`. Raises BriefError without an answer."""
    findings = answer("doctor")
    marks = {"ready": "pass", "missing": "fail", "note": "quiet"}
    words = {"ready": "✓ ready", "missing": "✗ missing", "note": "note"}
    rows = [
        (
            f'<span class="mark {marks[f["state"]]}">{words[f["state"]]}</span>',
            escape(f["what"]), escape(f["detail"]),
        )
        for f in findings
    ]  # fmt: skip
    return card("<h2>Doctor</h2>" + table(("", "What", "Found"), rows), "Doctor")


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, name: str) -> tuple[str, str, str]:
        preset = presets.named(name)
        return preset_card(preset), judge_table(preset), self.memory()

    def memory(self) -> str:
        jobs = self.desk.store.jobs.list(*OPEN)
        return memory(residents(self.desk.out), len(jobs))

    def tick(self) -> tuple[str, str]:
        """The memory card, and how far the newest loading or unloading is."""
        newest = self.desk.store.jobs.list(kinds=(LOAD, UNLOAD), limit=1)
        return self.memory(), said(newest[0]) if newest else ""

    def ask(self, kind: str, name: str) -> tuple[str, str]:
        """Queue the loading or unloading of models; the worker does it between two jobs."""
        self.desk.chore(kind, name)
        return self.tick()


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out the tab and connect it."""
    page = Page(desk)
    with gr.Row(elem_classes="beside"):
        preset = gr.Dropdown(presets.names(), value="mini", label="Preset", scale=3, elem_id="models-chosen")
        load = gr.Button("Load", variant="primary", scale=1, min_width=100, elem_id="models-load")
        unload = gr.Button("Unload all", scale=1, min_width=120, elem_id="models-unload")
        get = gr.Button("Download", scale=1, min_width=120, elem_id="models-get")
        ask = gr.Button("Ask the doctor", scale=1, min_width=140, elem_id="models-doctor")
    notice = html(elem_id="models-said")
    pulling.build(desk, tab, preset, get)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            about = html(elem_id="models-preset")
            held = html(elem_id="models-memory")
        with gr.Column(min_width=300):
            errors = html(elem_id="models-judge")
    found = html(elem_id="models-doctor-said")
    bands.build(desk, tab, preset)

    connect(in_order(tab.select, preset.input), page.show, [preset], [about, errors, held])
    for button, kind in ((load, LOAD), (unload, UNLOAD)):
        connect(button.click, lambda name, kind=kind: page.ask(kind, name), [preset], [held, notice])
    connect(ask.click, doctor, None, [found], show_progress="minimal", concurrency_limit=1)
    connect(gr.Timer(4.0).tick, page.tick, None, [held, notice])
