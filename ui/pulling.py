"""The part of the Models tab that downloads a preset: the plan first, then a question, then progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import gradio as gr

from pipeline.store.jobs import OPEN, PULL, Job
from pipeline.work.pull import gigabytes
from pipeline.work.report import duration
from ui import presets
from ui.command import answer
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.parts import callout, card, html, sentence, table

RECENT = timedelta(hours=1)  # so long the page says how a job of models ended


def plan_card(name: str, plan: dict[str, Any]) -> str:
    """What the download of a preset takes."""
    heading = f"<h2>Download {escape(name)}</h2>"
    if not plan["repositories"]:
        return card(heading + callout(f"The preset {name} needs nothing from the hub.", "good"), "Download")
    rows = [
        (
            escape(row["repository"]),
            escape(row["revision"][:12]) + ("" if row["pinned"] else "<small>newest; not pinned</small>"),
            escape(row["licence"] or "none named; ask its owner")
            + ("<small>gated: accept it on the hub</small>" if row["gated"] else ""),
            gigabytes(row["size"]),
            gigabytes(row["left"]) if row["left"] else "all here",
            escape(", ".join(row["for"])),
        )
        for row in plan["repositories"]
    ]
    heads = ("Repository", "Revision", "Licence", "Size", "To download", "For")
    if not plan["left"]:
        said = callout(f"Everything is here, in {plan['folder']}.", "good")
    else:
        room = f"{gigabytes(plan['left'])} to download into {plan['folder']}, where {gigabytes(plan['free'])} are free."
        short = plan["left"] > plan["free"]
        said = callout(f"{room} That is not enough.", "bad") if short else f"<p>{escape(room)}</p>"
    return card(heading + table(heads, rows) + said, "Download")


def wanted(plan: dict[str, Any]) -> bool:
    """Whether there is something to download, and space for it."""
    return bool(0 < plan["left"] <= plan["free"])


def status(job: Job | None) -> str:
    """How far a download is, or how it ended."""
    if job is None:
        return ""
    name = presets.name_of(str(job.payload.get("preset", "")))
    if job.state in OPEN:
        return _going_on(job, name)
    if job.ended is None or datetime.now(UTC) - job.ended > RECENT:
        return ""
    if job.state == "failed":
        return callout(f"The preset {name} was not downloaded. {sentence(job.error or '')}", "bad")
    if job.state == "cancelled":
        return callout(
            f"The download of {name} was stopped. Files that are complete are kept; the next download continues."
        )
    return callout(f"The preset {name} is here; runs of it use the network no more.", "good")


def _going_on(job: Job, name: str) -> str:
    told = job.progress
    done, of = told.get("bytes", 0), told.get("of_bytes", 0)
    left = told.get("left_s")
    detail = f"{gigabytes(done)} of {gigabytes(of)}" if of else ""
    detail += f", {duration(left)} left" if of and left is not None else ""
    if job.asked == "cancel":
        words = "Stopping"
    elif job.state == "queued":
        words = f"Download of {name} is waiting"
    else:
        words = f"Downloading {name}" if of else f"Asking the hub about {name}"
    share = min(100, round(100 * done / of)) if of else 0
    return card(
        f'<div class="stage" role="status"><b>{escape(words)}</b><span class="soft">{detail}</span></div>'
        f'<div class="bar" role="progressbar" aria-label="Bytes of this download" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share}"><i style="width:{share}%"></i></div>',
        "Download",
    )


class Section:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def newest(self) -> Job | None:
        jobs = self.desk.store.jobs.list(kinds=(PULL,), limit=1)
        return jobs[0] if jobs else None

    def plan(self, name: str) -> tuple[str, str, Any]:
        """The plan of a preset, its name, and the buttons below it, where there is something to download."""
        plan = answer("pull", presets.location(name), "--plan")
        return plan_card(name, plan), name, gr.Row(visible=wanted(plan))

    def begin(self, name: str) -> tuple[Any, ...]:
        """Queue the download that was planned; the worker does it."""
        newest = self.newest()
        if newest is None or newest.state not in OPEN or newest.payload["preset"] != presets.location(name):
            self.desk.chore(PULL, name)
        return "", gr.Row(visible=False), *self.tick()

    def dismiss(self) -> tuple[str, Any]:
        return "", gr.Row(visible=False)

    def cancel(self) -> tuple[Any, ...]:
        if (job := self.newest()) is not None:
            self.desk.store.jobs.ask(job.id, "cancel")
        return self.tick()

    def tick(self) -> tuple[Any, ...]:
        """The progress, the button that stops it, and the timer that asks again while it goes on."""
        job = self.newest()
        going = job is not None and job.state in OPEN
        return status(job), gr.Button(visible=going), gr.Timer(active=going)


def build(desk: Desk, tab: gr.Tab, preset: gr.Dropdown, get: gr.Button) -> None:
    """Lay out the section and connect it. `get`: the button that asks for the plan of the chosen preset."""
    section = Section(desk)
    planned = gr.State("")
    plan = html(elem_id="models-plan")
    with gr.Row(visible=False) as question:
        yes = gr.Button("Download", variant="primary", scale=0, min_width=140, elem_id="models-pull")
        no = gr.Button("Not now", scale=0, min_width=120, elem_id="models-pull-not")
    progress = html(elem_id="models-pulled")
    stop = gr.Button("Stop the download", visible=False, scale=0, elem_id="models-pull-stop")
    timer = gr.Timer(2.0, active=False)

    connect(
        get.click,
        section.plan,
        [preset],
        [plan, planned, question],
        show_progress="minimal",
        concurrency_limit=1,
    )
    connect(yes.click, section.begin, [planned], [plan, question, progress, stop, timer])
    connect(no.click, section.dismiss, None, [plan, question])
    connect(stop.click, section.cancel, None, [progress, stop, timer])
    connect(in_order(tab.select, timer.tick), section.tick, None, [progress, stop, timer])
