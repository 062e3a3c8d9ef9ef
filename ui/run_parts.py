"""A job and its run as HTML: status, picture, attempts with their checks, outcome."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PIL import Image

from pipeline.judging.verdict import ALWAYS
from pipeline.results.decided import picture_name
from pipeline.results.thumbnail import as_url
from pipeline.store.jobs import OPEN as OPEN_JOB
from pipeline.store.jobs import Job
from pipeline.store.runs import OPEN
from pipeline.work.report import ANSWERS, duration
from ui.decide import panel, people
from ui.parts import (
    callout,
    card,
    counted,
    download,
    job_link,
    link_to,
    mark,
    moment,
    picture,
    sentence,
    table,
    word,
)
from ui.templates import render
from ui.view import RunView, Shown, Turn

STAGES = {
    "loading": "Getting the models ready", "reading": "Reading the brief", "painting": "Painting",
    "done": "Finishing", "read": "Finishing",
}  # fmt: skip
COMING = "The picture appears here while it is painted."
EMPTY = "Your picture will be here. Write a brief, check its requirements, then paint."


def checks_table(shown: Shown, run: RunView) -> str:
    """Every check of a candidate: outcome, probability, judge and reason, and what people said of it."""
    rows, reviews = [], run.reviews_of(shown.row.id)
    for check in shown.checks:
        said = "".join(
            f"<small>{escape(r.who)} said {ANSWERS[r.requirements[check.requirement]]}"
            f"{': ' + escape(why) if (why := r.reasons.get(check.requirement)) else ''}</small>"
            for r in reviews
            if check.requirement in r.requirements
        )
        if check.requirement in ALWAYS and check.outcome == "pass" and not said:
            continue
        p = "" if check.probability is None else f"{check.probability:.2f}"
        want = escape(run.texts.get(check.requirement, check.requirement))
        nice = "" if check.must else " <small>nice to have</small>"
        rows.append((mark(check.outcome), f"{want}{nice}<small>{escape(check.reason)}</small>{said}", p))
    return table(("Verdict", "Requirement and reason", "p"), rows, "checks") if rows else ""


def attempt(turn: Turn, run: RunView) -> str:
    """One attempt: prompt, pictures, checks, and the next repair."""
    made = []
    for shown in turn.made:
        text, origin, note = shown.prompt
        whose = {"user": "your words", "model": "the text model", "template": "the template"}[origin]
        made.append(
            f'<p class="prompt">{escape(text)}<br><small>Prompt by {whose}{"; " + escape(note) if note else ""}. '
            f"Seed {shown.row.seed}.</small></p>"
            f'<div class="made"><div>{picture(shown.path, shown.alt(run.row.text))}'
            f'<p class="links">{download(shown.path, "Download", f"{run.folder.name}-{shown.row.id}")}</p></div>'
            f"<div>{checks_table(shown, run)}</div></div>"
        )
    gates = " ".join(
        " ".join([mark(shown.row.gate), *(mark(r.decision, r.who) for r in run.reviews_of(shown.row.id))])
        for shown in turn.made
    )
    coming = (
        f'<p class="next"><b>Next: {escape(turn.next.action)}.</b> {escape(sentence(turn.next.reason))}</p>'
        if turn.next
        else ""
    )
    action = turn.change.action
    how = f"<b>{action}</b>" if action in ("edit", "other painter") else ""
    return (
        f'<article class="attempt" aria-label="Attempt {turn.number}"><header>'
        f"<h3>Attempt {turn.number}</h3>{how}{gates}"
        f'<span class="soft">{escape(sentence(turn.change.reason))}</span></header>{"".join(made)}{coming}</article>'
    )


def history(run: RunView | None) -> str:
    """All attempts, newest first."""
    if run is None or not run.turns:
        return ""
    return card(f"<h2>Attempts</h2>{''.join(attempt(turn, run) for turn in reversed(run.turns))}", "Attempts")


def stands(job: Job, works: bool) -> str:
    """Where an open job stands, beyond its state; empty where there is nothing to add. `works`: a worker runs."""
    if job.state == "queued" and not works:
        return "No worker is running, so nothing is done. Start one with: easel worker"
    if job.state == "queued":
        return "It is next." if job.place == 0 else f"{job.place} before it."
    if job.state == "running":
        return {"pause": "Pausing…", "cancel": "Cancelling…"}.get(job.asked or "", "")
    return "Press Resume to go on." if job.state == "paused" else ""


def status(job: Job | None, works: bool = True) -> str:
    """What the job is doing, in words and as a progress bar; empty once it has ended. `works`: a worker runs."""
    if job is None or job.state not in OPEN_JOB:
        return ""
    said = stands(job, works)
    if job.state != "running":
        return render("status", words=word(job.state).capitalize(), detail=said, share=None)
    told = job.progress
    step, steps = told.get("step", 0), told.get("steps", 0)
    detail = f"attempt {told['attempt']}, step {step} of {steps}" if steps and "attempt" in told else ""
    words = said or STAGES.get(told.get("stage", ""), "Starting")
    return render("status", words=words, detail=detail, share=round(100 * step / steps) if steps else 0)


def stand(job: Job | None, run: RunView | None, out: Path) -> str | None:
    """The main picture: the preview of the running job, else the best picture, else the last one. None where its file
    is gone: then what is shown stays."""
    ended = run is not None and run.row.status not in OPEN
    if job is not None and job.state == "running" and not ended and "preview" in job.progress:
        live = out / str(job.progress["preview"])
        return _framed(live, "Preview of the picture being painted", "Being painted", kept=False)
    if run is not None and run.best is not None:
        by = f" by {run.row.decided_by}" if run.row.decided_by else ""
        caption = {"accepted": "Accepted", "rejected": "Rejected"}.get(run.row.status, "Best") + by
        said = f"{caption}: candidate {run.row.best}" if ended else "Best so far"
        return _framed(run.best.path, run.best.alt(run.row.text), said)
    if run is not None and run.turns and not ended:
        last = run.turns[-1].made[-1]
        return _framed(last.path, last.alt(run.row.text), "Last attempt")
    return blank(COMING if job is not None and job.state in OPEN_JOB else EMPTY)


def blank(caption: str = EMPTY) -> str:
    """The frame of the main picture without one."""
    return render("stand", small="", caption=caption)


def _framed(path: Path, alt: str, caption: str, kept: bool = True) -> str | None:
    """A picture in a frame of its shape. `kept`: its file stays; a preview's is soon replaced, so it is a part of the
    page."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            small = as_url(image)
    except OSError:
        return None
    source = link_to(path) if kept else None
    return render("stand", small=small, source=source, alt=alt, width=width, height=height, caption=caption)


def result(job: Job | None, run: RunView | None) -> str:
    """How the job ended; empty while it is open."""
    if job is not None and job.state == "failed":
        return card(callout(job.error or "the job failed", "bad"))
    if run is None or run.row.status in OPEN:
        if job is None or job.state != "cancelled":
            return ""
        painted = run is not None and run.turns
        return card(
            callout(
                f"Cancelled{'. What was painted is kept' if painted else ' before anything was painted'}."
            )
        )
    several = people(run.reviews) if len(run.reviews) > 1 else ""
    return card(outcome(run, several + panel(run)), "Outcome")


def outcome(run: RunView, decide: str = "") -> str:
    """Outcome, reason, who decided it and when, checks of the best candidate, files and cost. `decide`: HTML where a
    person can decide."""
    row = run.row
    links = []
    if row.best:
        links = [
            download(run.folder / picture_name(row.status), "Picture", f"{run.folder.name}-{row.best}"),
            download(run.folder / "sheet.png", "Contact sheet", f"{run.folder.name}-sheet"),
        ]
    links.append(download(run.folder / "run.json", "Run record", run.folder.name))
    checks = checks_table(run.best, run) if run.best else ""
    tokens = [counted(row.tokens, "token")] if row.tokens else []
    spent = ", ".join([counted(row.images, "image"), duration(row.seconds), *tokens, f"seed {row.seed}"])
    reason = sentence(row.reason)
    degraded = callout(f"Degraded: {row.degraded}") if row.degraded else ""
    return (
        f"<p>{mark(run.status, row.decided_by or '')} {escape(reason)}</p>{_decided(run)}{decide}{degraded}{checks}"
        f'<p class="links">{"".join(links)}</p><p class="soft">{spent}</p>'
    )


def _decided(run: RunView) -> str:
    """When a person decided, and how the loop had ended; empty where nobody did."""
    row = run.row
    if row.decided_at is None:
        return ""
    why = (row.outcome or {}).get("reason", "")
    loop = f"The loop ended with: {word(row.loop_status)}{', ' + why if why else ''}."
    return f'<p class="soft">{moment(row.decided_at)}. {escape(loop)}</p>'


def queue(jobs: list[Job], works: bool = True) -> str:
    """The jobs in the queue, with their places. `works`: a worker runs."""
    if not jobs:
        return card('<p class="soft">Nothing is waiting.</p>')
    rows = []
    for job in jobs:
        text = str(job.payload.get("brief", {}).get("text") or job.payload.get("name") or job.kind)
        place = stands(job, works) or ("in work" if job.state == "running" else "")
        rows.append((mark(job.state), job_link(job.id, job.kind, text[:90]), escape(place)))
    return card(table(("", "Job", "Place"), rows))
