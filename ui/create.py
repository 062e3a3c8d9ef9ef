"""The Create tab: write a brief, check its requirements, paint, and follow the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from pipeline.brief import Reading
from pipeline.errors import BriefError
from pipeline.store.jobs import OPEN, Job
from pipeline.work.task import BRIEF, Task
from ui import presets, run_parts
from ui.decide import SCRIPT, decided
from ui.desk import Desk, any_seed, brief
from ui.form import BUDGET, MOST_IMAGES, form_of, overrides, seed_of
from ui.guard import connect, in_order
from ui.origin import Origin, of_job, of_run, settings_in
from ui.parts import WANTS_SCRIPT, callout, fold, html
from ui.requirements import (
    Panel,
    draft_html,
    editing,
    follow,
    offer,
    offering,
    parsed,
    parsed_edits,
    with_list,
    with_reading,
)
from ui.view import RunView
from ui.wants import BY_RULES, Draft, anew, edited, quick

EXAMPLES = (
    "a panda on a purple background, cartoon style",
    "two owls on a gray background, flat style",
    "a guitar on a yellow background, flat style",
    "a kitty on a blue background, cartoonish, it should feel calm",
)
# Puts the job's id into the page's address, for a reload. On a narrow screen, scrolls to the picture.
_WATCHED = """() => {
  const id = document.querySelector("#watched textarea, #watched input")?.value;
  if (id) easelAddress.put({ job: id });
  if (id && innerWidth < 700) document.getElementById("stand")?.scrollIntoView({ block: "center" });
}"""
# What is painted is what is on the page, also where the server has not answered an edit of the list yet.
_PAINT = "(late, text, draft, ...form) => [easelEdits.toPaint(draft), text, draft, ...form]"


def about(preset: str) -> str:
    """What a preset does and needs."""
    found = presets.named(preset)
    return f"{found.about} Needs {found.needs}." if found.needs else found.about


class Page:
    """The handlers. Each takes widget values and returns widget values."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def example(self, words: str, preset: str, said: str) -> tuple[str, str, str]:
        """The brief of an example with what the rules read in it."""
        draft = anew(parsed(said), words, preset)
        return words, draft.model_dump_json(), draft_html(draft)

    def paint(
        self, edits: str, text: str, said: str, preset: str, seed: str, width: float | None,
        height: float | None, changes: str, *budget: float | None,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Submit the brief with the requirements on the page. If only the rules have read it so far, the job reads it
        anew with the text model. `edits`: those of the list that are not answered yet; `budget` is in the order of
        ui.form.BUDGET."""
        draft = parsed(said)
        if late := parsed_edits(edits):
            draft = edited(draft, *late)
        asked_for = overrides(changes, budget)
        same = draft.text == text and draft.preset == preset
        if not same and not draft.edited:
            draft = quick(text, preset).model_copy(update={"job": draft.job})
        refuse_blocked(draft.reading)
        wants = draft.reading.requirements if draft.settled and (same or draft.edited) else None
        asked = brief(text, seed_of(seed), _whole(width), _whole(height), wants)
        if draft.job and not draft.edited:
            self.desk.store.jobs.ask(draft.job, "cancel")
        return (*self._watch(self.desk.submit(Task(brief=asked, preset=preset, set=asked_for))), "")

    def again(self, id: str) -> tuple[Any, ...]:
        """Submit the same brief with a random seed."""
        origin, seed = self._origin(id), any_seed()
        return (*self._submit_like(id, origin, {"seed": seed}), str(seed))

    def alike(self, id: str) -> tuple[Any, ...]:
        """Submit the prompt of the best picture with the next seed and the same requirements."""
        origin, run = self._origin(id), self.desk.run(id)
        if run is None or run.best is None:
            raise BriefError("there is no picture yet; wait until one attempt is finished")
        changed = {
            "text": run.best.prompt[0], "seed": (run.best.row.seed + 1) % 2**63, "requirements": run.wants, "name": "",
        }  # fmt: skip
        return self._submit_like(id, origin, changed)

    def _submit_like(self, id: str, origin: Origin, changed: dict[str, Any]) -> tuple[Any, ...]:
        """Submit what made a run with a changed brief; says what of the run could not be had again."""
        if (run := self.desk.run(id)) is not None and run.reading is not None:
            refuse_blocked(run.reading)
        task = origin.again()
        task = task.model_copy(update={"brief": task.brief.model_copy(update=changed)})
        told = callout(origin.told("that run")) if origin.differs else ""
        return (*self._watch(self.desk.submit(task)), told)

    def ready(self, said: str) -> gr.Button:
        """Paint cannot be pressed while it is known that no picture can meet the brief."""
        return gr.Button(interactive=parsed(said).reading.blocked is None)

    def cancel(self, id: str) -> tuple[Any, ...]:
        self.desk.store.jobs.ask(self.desk.job(id).id, "cancel")
        return self._show(id, "")

    def resume(self, id: str) -> tuple[Any, ...]:
        self.desk.store.jobs.ask(self.desk.job(id).id, "resume")
        return self._show(id, "")

    def decide(self, id: str, who: str, event: gr.EventData) -> tuple[Any, ...]:
        """Record what a person decided about the picture on the page."""
        decided(self.desk, who, event)
        return self._show(id, "")

    def tick(self, id: str, seen: str, said: str) -> tuple[Any, ...]:
        """What changed of the job; and, if the page only has what the rules read, an offer of the job's own reading."""
        draft, late = parsed(said), ""
        run = self.desk.store.runs.get(id) if id and not draft.settled else None
        if (
            run
            and run.reading
            and run.reading["reader"] != BY_RULES
            and " ".join(draft.text.split()) == run.text
        ):
            late = offer(said, with_reading(draft, run.reading))
        return *self._show(id, seen), late

    def opened(self, request: gr.Request) -> tuple[Any, ...]:
        """Show the job or run in the page's address; without one, the running job or the next in the queue."""
        named = str(request.query_params.get("job", ""))[:64]
        if self.desk.batch(named) is not None:
            return self._nothing("")  # the tab Batch shows it
        newest = None if named else self.desk.newest_open()
        id = named or (newest.id if newest else "")
        try:
            origin = self._origin(id) if id else None
        except BriefError as error:
            return self._nothing(callout(str(error), "bad"))
        if origin is None:
            return self._nothing("")
        run = self.desk.run(id)
        told = callout(origin.told("this run")) if origin.differs else ""
        return id, *self._show(id, ""), *_fields(origin.task, run.reading if run else None), told

    def _nothing(self, said: str) -> tuple[Any, ...]:
        """No job to show; the form stays as it is."""
        stand = run_parts.blank()
        return (
            "",
            "",
            gr.Timer(active=False),
            said,
            stand,
            "",
            "",
            *_buttons(None, None),
            *(gr.skip() for _ in range(_FIELDS + 1)),
        )

    def reload(self, file: str | None) -> tuple[Any, ...]:
        """Fill the form with the settings stored in an uploaded PNG, and delete the upload."""
        if not file:
            raise BriefError("no picture was uploaded; choose a PNG that Easel wrote")
        path = Path(file)
        try:
            origin = settings_in(path)
        finally:
            path.unlink(missing_ok=True)
        return *_fields(origin.task), callout(origin.told("this picture"), "" if origin.differs else "good")

    def _origin(self, id: str) -> Origin:
        """What made a job for one brief, or a run. Raises BriefError for an unknown id or another kind of job."""
        job = self.desk.store.jobs.get(id)
        if job is not None and job.kind == BRIEF:
            return of_job(job)
        if (row := self.desk.store.runs.get(id)) is not None:
            return of_run(row)
        if job is not None:
            raise BriefError("this job is not a single brief; see the tab Batch or Models")
        raise BriefError(f"there is no job {id!r}; it may belong to another output folder")

    def _watch(self, job: Job) -> tuple[Any, ...]:
        return job.id, *self._show(job.id, "")

    def _show(self, id: str, seen: str) -> tuple[Any, ...]:
        """Returns the new `seen`, timer, status, picture, result, history and buttons; skips what has not changed."""
        job = self.desk.store.jobs.get(id) if id else None
        run = self.desk.run(id) if id else None
        if job is None and run is None:
            return "", gr.Timer(active=False), *(gr.skip() for _ in range(9))
        ended = run and (run.row.status, run.row.best)
        now = f"{job and (job.state, job.asked)}|{len(run.turns) if run else 0}|{ended}"
        moving = f"{now}|{job and (job.place, job.progress)}|{self.desk.works}"
        old, _, old_moving = seen.partition("\n")
        if old_moving == moving:
            return tuple(gr.skip() for _ in range(11))
        timer = gr.Timer(active=job is not None and job.state in OPEN)
        live = run_parts.status(job, self.desk.works), run_parts.stand(job, run, self.desk.out) or gr.skip()
        if old == now:
            return f"{now}\n{moving}", timer, *live, *(gr.skip() for _ in range(7))
        made = run_parts.result(job, run), run_parts.history(run)
        return f"{now}\n{moving}", timer, *live, *made, *_buttons(job, run)


def refuse_blocked(reading: Reading) -> None:
    """Raises BriefError where no picture can meet what was read, so that no run fails for it."""
    if reading.blocked:
        raise BriefError(reading.blocked)


def _buttons(job: Job | None, run: RunView | None) -> tuple[Any, ...]:
    """The buttons paint, cancel, resume, again and alike."""
    busy = job is not None and job.state in OPEN
    ended = not busy and (job is not None or run is not None)
    return (
        gr.Button("Paint another" if busy else "Paint"),
        gr.Button(visible=busy, interactive=busy and (job is None or job.asked != "cancel")),
        gr.Button(visible=job is not None and job.state == "paused"),
        gr.Button(visible=ended),
        gr.Button(visible=ended and run is not None and run.best is not None),
    )


_FIELDS = 8 + len(BUDGET)  # values that _fields returns


def _fields(task: Task, reading: Reading | None = None) -> tuple[Any, ...]:
    """The values of brief, draft, list, preset, seed, width, height, changes and budget that make a task. `reading`:
    what was read in its brief. The form has no further must-haves, so they become part of the brief."""
    asked = task.brief
    text = asked.words if asked.must and not asked.unwanted else asked.text
    draft = quick(text, task.preset)
    if asked.requirements is not None:
        draft = with_list(draft, asked.requirements)
    elif reading is not None:
        draft = draft.model_copy(update={"reading": reading})
    form = form_of(task.model_copy(update={"preset": presets.location(task.preset)}))
    return (
        text, draft.model_dump_json(), draft_html(draft), task.preset, form.seed, form.width, form.height, form.changes,
        *form.budget,
    )  # fmt: skip


def _whole(number: float | None) -> int | None:
    return int(number) if number else None


def build(desk: Desk, demo: gr.Blocks, who: gr.Textbox) -> None:
    """Lay out the tab and connect it. `who` is the field with the person's name."""
    page, panel = Page(desk), Panel(desk)
    start = Draft()
    watched = gr.Textbox(visible="hidden", elem_id="watched", label="Job")
    seen = gr.Textbox(visible="hidden", label="Seen")
    draft = gr.Textbox(start.model_dump_json(), visible="hidden", elem_id="draft", label="Draft")
    late = gr.Textbox(visible="hidden", label="Edits that are not answered yet")  # _PAINT fills it in
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            text = gr.Textbox(
                label="Brief", info="What you want, in plain words. Ctrl+Enter paints.", lines=3, max_lines=10,
                max_length=4000,
                placeholder=EXAMPLES[0], elem_id="brief", autofocus=True,
            )  # fmt: skip
            with gr.Row(elem_classes="chips"):
                examples = [
                    gr.Button(words, size="sm", min_width=60, elem_classes="chip") for words in EXAMPLES
                ]
            wants = html(draft_html(start), js_on_load=WANTS_SCRIPT, elem_id="wants")
            heard = html("", elem_id="heard")
            told = html("", elem_id="told")
            with gr.Row():
                go = gr.Button("Paint", variant="primary", size="lg", elem_id="paint")
                cancel = gr.Button("Cancel", variant="stop", size="lg", visible=False, elem_id="cancel")
                resume = gr.Button("Resume", size="lg", visible=False, elem_id="resume")
            with fold("Settings", "settings"):
                preset = gr.Dropdown(
                    presets.names(), value="mini", label="Preset", info=about("mini"), elem_id="preset",
                )  # fmt: skip
                seed = gr.Textbox(
                    "0", label="Seed", max_length=20, info="The same seed gives the same picture.",
                )  # fmt: skip
                with gr.Row():
                    width = gr.Number(0, label="Width", precision=0, minimum=0, info="0: the preset's.")
                    height = gr.Number(0, label="Height", precision=0, minimum=0, info="0: the preset's.")
                changes = gr.Textbox(
                    label="Changes", max_length=4000, elem_id="changes",
                    info="Of the preset: image.steps, image.guidance and keys of loop, such as loop.writer=template.",
                )  # fmt: skip
                reload = gr.File(
                    label="Reload settings from a PNG", file_types=[".png"], height=150, elem_id="reload",
                )  # fmt: skip
            with fold("Budget", "budget"):
                images = gr.Slider(
                    1, MOST_IMAGES, value=6, step=1, label="Images at most", info="Below, 0 or nothing means no limit.",
                )  # fmt: skip
                with gr.Row():
                    seconds = most("Seconds", "Wall time")
                    tokens = most("Tokens", "Of the language models", precision=0)
                    steps = most("Image-steps", "Of all images", precision=0)
                with gr.Row():
                    joules = most("Joules", "Of all models")
                    money = most("Money", "At the price per hour")
                    price = most("Price per hour", "Of this machine")
            with fold("Queue", "queue"):
                queue = html(run_parts.queue([]))
        with gr.Column(scale=5, min_width=300):
            stand = html(run_parts.blank(), elem_id="stand")
            status = html("", elem_id="status")
            result = html("", js_on_load=SCRIPT, elem_id="result")
            with gr.Row(elem_classes="snug"):
                again = gr.Button("Again with another seed", visible=False, elem_id="again")
                alike = gr.Button("More like this", visible=False, elem_id="alike")
    history = html("", elem_id="history")
    timer, ear, slow = gr.Timer(0.5, active=False), gr.Timer(0.5, active=False), gr.Timer(3.0)

    buttons = [go, cancel, resume, again, alike]
    shown = [seen, timer, status, stand, result, history, *buttons]
    reading = [draft, wants]

    connect(in_order(draft.change), page.ready, [draft], [go])
    follow(text.change, panel, [text, preset, draft], reading)
    changed = follow(preset.input, panel, [text, preset, draft], reading)
    changed.then(about_of, preset, preset, api_visibility="private")
    editing(wants.want, panel, reading)
    settled = [text.blur]
    for button, words in zip(examples, EXAMPLES, strict=True):
        filled = connect(
            button.click,
            lambda preset, said, words=words: page.example(words, preset, said),
            [preset, draft],
            [text, *reading],
        )
        settled.append(filled.then)
    for event in settled:
        offering(event, panel.settle, [text, preset, draft], [ear], reading)
    offering(ear.tick, panel.listen, [draft], [ear, heard], reading)
    offering(timer.tick, page.tick, [watched, seen, draft], shown, reading)
    budget = [images, seconds, tokens, steps, joules, money, price]
    form = [preset, seed, width, height, changes, *budget]
    for made in (
        connect(go.click, page.paint, [late, text, draft, *form], [watched, *shown, told], js=_PAINT),
        connect(again.click, page.again, [watched], [watched, *shown, told, seed]),
        connect(alike.click, page.alike, [watched], [watched, *shown, told]),
    ):
        made.then(None, None, None, js=_WATCHED)
    connect(cancel.click, page.cancel, [watched], shown)
    connect(resume.click, page.resume, [watched], shown)
    connect(result.decide, page.decide, [watched, who], shown)
    connect(reload.upload, page.reload, [reload], [text, *reading, *form, told]).then(
        lambda: None, None, reload, api_visibility="private", show_progress="hidden"
    )
    connect(slow.tick, lambda: run_parts.queue(desk.queue(), desk.works), None, queue)
    # The tests wait for this mark.
    connect(demo.load, page.opened, None, [watched, *shown, text, *reading, *form, told]).then(
        None, None, None, js="() => { document.body.dataset.opened = 'yes'; }"
    )


def most(label: str, info: str, **more: Any) -> gr.Number:
    """A number field for a limit of the budget."""
    return gr.Number(0, label=label, info=info, minimum=0, min_width=120, **more)


def about_of(preset: str) -> gr.Dropdown:
    return gr.Dropdown(info=about(preset))
