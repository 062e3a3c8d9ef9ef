"""The Review tab: a person decides on one picture at a time, by keyboard. The judge's opinion is shown afterwards."""

from __future__ import annotations

from html import escape
from typing import Any, Literal

import gradio as gr
from pydantic import Field

from pipeline.brief import Brief, Record
from pipeline.errors import BriefError
from pipeline.files import write
from pipeline.judging.verdict import ALWAYS
from pipeline.results.decide import decide, reviewer, take_back
from pipeline.results.review import Item, agreement, as_csv, as_jsonl, queue
from pipeline.store.reviews import Decision, Review, Why
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.origin import of_run
from ui.parts import card, download, html, mark, moment, picture

WHY = {
    "unsure": "the judge was unsure", "unchecked": "no judge could check it", "degraded": "a fallback was used",
    "audit": "it was picked at random, to check the judge", "overruled": "a person overruled the judge",
}  # fmt: skip
KEYS = (
    ("a", "approve"), ("r", "reject"), ("e", "edit and run again"), ("s", "skip"), ("u", "undo"),
    ("1", "yes to the first requirement"), ("Shift 1", "no to it"),
)  # fmt: skip
SCRIPT = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-want]');
  if (button) trigger('say', { want: button.dataset.want, word: button.dataset.word });
});
"""
# Keys that are pressed while an answer is on its way wait for it (page.js).
_BEGIN = "(...given) => { easelReview.begin(); return given; }"
_END = "(state) => easelReview.end(state)"
# What only the page knows is sent with a click: the reasons typed beside requirements, and which picture is seen. This
# script adds them to the first input of the handler. %d is the number of the handler's inputs.
_REASONS = """(said, ...rest) => {
  easelReview.begin();
  const reasons = {};
  for (const field of document.querySelectorAll("#review-item input[data-reason]"))
    if (field.value.trim()) reasons[field.dataset.reason] = field.value.trim();
  const picture = document.querySelector("#review-item [data-picture]");
  const seen = picture ? picture.dataset.picture : "";
  return [JSON.stringify({ ...JSON.parse(said || "{}"), reasons, seen }), ...rest].slice(0, %d);
}"""
_LAST = 8  # decisions shown of the log


class Open(Record):
    """The picture on the page, and what the person has said about single requirements so far. `seen`: the picture that
    was seen when the person clicked; while the next one is not drawn yet, that is the one before."""

    who: str = ""
    run: str = ""
    candidate: str = ""
    why: Why = "unsure"
    said: dict[str, Literal["pass", "fail"]] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)  # requirement id → why it fails
    seen: str = ""

    @property
    def picture(self) -> str:
        return f"{self.run}/{self.candidate}" if self.run else ""

    @property
    def replaced(self) -> bool:
        """Whether the click was on a picture that is no longer the one to decide on."""
        return self.seen != self.picture


def question(item: Item, desk: Desk, now: Open) -> str:
    """The picture and its requirements, without the judge's opinion."""
    path = desk.out / item.run.folder / "attempts" / f"{item.candidate}.png"
    rows = []
    wants = [(want.id, want.text, want.must) for want in (item.reading.requirements if item.reading else ())]
    # Beside the requirements, what a judge says of every picture: people's answers are its measurement, too.
    wants += [
        (check.requirement, ALWAYS[check.requirement], True)
        for check in item.checks
        if check.requirement in ALWAYS and check.said is not None
    ]
    for number, (id, words, must) in enumerate(wants, 1):
        mine = now.said.get(id)
        text, nice = escape(words), "" if must else " <small>nice to have</small>"
        buttons = "".join(
            f'<button type="button" class="tap" data-want="{escape(id, quote=True)}" data-word="{word}" '
            f'aria-pressed="{str(mine == word).lower()}" aria-label="{text}: {label}">{label}</button> '
            for word, label in (("pass", "yes"), ("fail", "no"))
        )
        why = (
            f'<input data-reason="{escape(id, quote=True)}" maxlength="200" aria-label="{text}: why not" '
            f'placeholder="Why not? (optional)" value="{escape(now.reasons.get(id, ""), quote=True)}">'
            if mine == "fail"
            else ""
        )
        key = f"<kbd>{number}</kbd> " if number < 10 else ""
        rows.append(f'<li class="ask"><span>{key}{text}{nice}</span><span>{buttons}</span>{why}</li>')
    twice = " A second person reviews it too." if item.twice else ""
    return card(
        f'<div class="review" data-picture="{escape(now.picture, quote=True)}"><div class="stand">'
        f"<figure>{picture(path, f'For “{item.run.text[:160]}”', kind='main')}</figure></div>"
        f"<div><h2>{escape(item.run.text)}</h2>"
        f'<p class="soft">Here because {WHY[item.why]}.{twice}</p><h3>Does the picture show it?</h3>'
        '<p class="soft">Each yes or no measures the judge, so that it can decide more by itself.</p>'
        f'<ul class="asks">{"".join(rows)}</ul></div></div>',
        "Picture to review",
    )


def opinion(review: Review, desk: Desk) -> str:
    """The judge's checks of the picture that was just decided on, beside the person's."""
    run = desk.run(review.run)
    shown = next((s for s in run.candidates if s.row.id == review.candidate), None) if run else None
    if run is None or shown is None:
        return ""
    rows = []
    for check in shown.checks:
        mine, why = review.requirements.get(check.requirement), review.reasons.get(check.requirement)
        p = "" if check.probability is None else f" p {check.probability:.2f}"
        if check.requirement not in ALWAYS or check.outcome != "pass":
            rows.append(
                f"<li>{escape(run.texts.get(check.requirement, check.requirement))}: judge {mark(check.outcome)}{p}"
                f"{', you ' + mark(mine) if mine else ''}{': ' + escape(why) if why else ''}</li>"
            )
    return card(
        f"<h3>Last: {mark(review.decision)} {escape(run.row.text[:80])}</h3><ul>{''.join(rows)}</ul>",
        "The judge",
    )


def log_list(log: list[Review], desk: Desk) -> str:
    """The last decisions, newest first, and the agreement of two reviewers."""
    rows = "".join(_logged(review, desk) for review in reversed(log[-_LAST:]))
    both = agreement(log)
    kappa = "" if both.kappa is None else f", Cohen's kappa {both.kappa:.2f}"
    said = (
        f"Two people rated {both.pictures} pictures and agree on {both.agreed}{kappa}."
        if both.pictures
        else "No picture has been rated by two people yet."
    )
    return card(
        f"<h3>Log</h3><ul>{rows or '<li>Nothing decided yet.</li>'}</ul><p class='soft'>{said}</p>", "Log"
    )


def _logged(review: Review, desk: Desk) -> str:
    """One decision: which picture of which brief, by whom, when and why."""
    run = desk.store.runs.get(review.run)
    about = escape(run.text[:80]) if run else "a run that is gone"
    said = "; ".join(filter(None, (review.reason, *review.reasons.values())))
    return (
        f'<li>{mark(review.decision)} <a href="?job={escape(review.run, quote=True)}">{about}</a>, '
        f"candidate {escape(review.candidate)}; {escape(review.who)}, {moment(review.at)}"
        f"{': ' + escape(said) if said else ''}</li>"
    )


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, who: str, opened: Open | None = None, judged: Review | None = None) -> tuple[Any, ...]:
        """Returns state, picture, heading, brief to edit, the judge's opinion, log, and the visibility of buttons and
        fields."""
        items = queue(self.desk.store, who.strip()) if who.strip() else []
        same = opened and next(
            (i for i in items if (i.run.id, i.candidate) == (opened.run, opened.candidate)), None
        )
        item = same or (items[0] if items else None)
        log = self.desk.store.reviews.log()
        told = opinion(judged, self.desk) if judged else gr.skip()
        if item is None:
            now, asked, text = Open(who=who.strip()), nothing(who), ""
        else:
            now = opened if same and opened else Open(
                who=who.strip(), run=item.run.id, candidate=item.candidate, why=item.why
            )  # fmt: skip
            asked, text = question(item, self.desk, now), item.run.text
        mine = any(review.who == who.strip() for review in log)
        return (
            now.model_dump_json(), asked, heading(len(items)), text, told, log_list(log, self.desk),
            *(gr.Button(visible=item is not None) for _ in range(3)), gr.Button(visible=mine),
            gr.Column(visible=item is not None),
        )  # fmt: skip

    def arrive(self, who: str, said: str, event: gr.EventData) -> tuple[Any, ...]:
        """The tab was opened, or the field with the name was left. The same name keeps the picture on the page."""
        if isinstance(event.target, gr.Tab) or _open(said).who != who.strip():
            return self.show(who)
        return _unchanged()

    def say(self, said: str, who: str, event: gr.EventData) -> tuple[Any, ...]:
        """Pass or fail one requirement; the same click again takes it back."""
        opened = _open(said)
        if opened.replaced:
            return _unchanged()
        words = dict(opened.said)
        if words.pop(str(event.want), None) != event.word:
            words[str(event.want)] = event.word
        return self.show(who, Open.model_validate(opened.model_dump() | {"said": words}))

    def decide(
        self, decision: Literal["approve", "reject", "skip"], said: str, who: str, reason: str
    ) -> tuple[Any, ...]:
        opened = _shown(said)
        if opened.replaced:
            return *_unchanged(), gr.skip()
        review = self._decide(decision, opened, who, reason)
        return *self.show(who, judged=review if decision != "skip" else None), ""

    def rerun(self, said: str, who: str, text: str, reason: str) -> tuple[Any, ...]:
        """Submit the edited brief as a new job, and log that for this picture."""
        opened = _shown(said)
        if opened.replaced:
            return *_unchanged(), gr.skip()
        run = self.desk.store.runs.get(opened.run)
        assert run is not None
        reviewer(who)
        if " ".join(text.split()) == run.text:
            raise BriefError("the brief has not changed and would give the same pictures; edit it first")
        given = {**run.brief, "text": text, "requirements": None, "name": ""}
        self.desk.submit(of_run(run).again().model_copy(update={"brief": Brief.model_validate(given)}))
        return *self.show(who, judged=self._decide("rerun", opened, who, reason)), ""

    def undo(self, said: str, who: str) -> tuple[Any, ...]:
        """Take back this person's last decision that was not taken back yet, and show its picture again."""
        last, _ = take_back(self.desk.store, who)
        back = Open(
            who=who.strip(), run=last.run, candidate=last.candidate, why=last.why, said=last.requirements,
            reasons=last.reasons,
        )  # fmt: skip
        shown = self.show(who, back)
        return (*shown[:4], "", *shown[5:], last.reason)

    def export(self) -> str:
        """Write the log as CSV and JSONL into the output folder, and link to both."""
        log = self.desk.store.reviews.log()
        paths = self.desk.out / "reviews.csv", self.desk.out / "reviews.jsonl"
        for path, text in zip(paths, (as_csv(log), as_jsonl(log)), strict=True):
            write(path, text.encode())
        links = "".join(download(path, f"{path.name} ({len(log)} decisions)") for path in paths)
        return card(f'<p class="links">{links}</p>')

    def _decide(self, decision: Decision, opened: Open, who: str, reason: str) -> Review:
        reasons = {id: why[:200] for id, why in opened.reasons.items() if opened.said.get(id) == "fail"}
        return decide(
            self.desk.store, opened.run, opened.candidate, who, decision, requirements=opened.said, reasons=reasons,
            reason=reason,
        )  # fmt: skip


def _unchanged() -> tuple[Any, ...]:
    """What `Page.show` returns, with nothing new."""
    return tuple(gr.skip() for _ in range(11))


def heading(left: int) -> str:
    if not left:
        return ""
    keys = "".join(f"<span><kbd>{key}</kbd> {word}</span>" for key, word in KEYS)
    return card(f'<p><b>{left} left</b></p><p class="keys">{keys}</p>')


def nothing(who: str) -> str:
    """The page without a picture: what is missing, or which pictures will come."""
    if not who.strip():
        return card(
            '<div class="empty"><h2>Who decides?</h2><p>Write your name above, and the first picture appears.</p></div>'
        )
    reasons = "".join(f"<li>{WHY[why]}</li>" for why in ("unsure", "unchecked", "degraded", "audit"))
    return card(
        '<div class="empty"><h2>Nothing to review</h2><p>A picture comes here when</p>'
        f"<ul>{reasons}</ul><p>You then see it beside its requirements, and decide with one key. "
        "The judge's opinion follows your decision.</p></div>"
    )


def _open(said: str) -> Open:
    return Open.model_validate_json(said) if said else Open()


def _shown(said: str) -> Open:
    """The picture on the page. Raises BriefError if there is none."""
    opened = _open(said)
    if not opened.run:
        raise BriefError("there is no picture to review")
    return opened


def build(desk: Desk, tab: gr.Tab, who: gr.Textbox) -> None:
    """Lay out the tab and connect it. `who` is the field with the person's name."""
    page = Page(desk)
    state = gr.Textbox(visible="hidden", label="Open picture")
    head = html(elem_id="review-head")
    asked = html(nothing("me"), js_on_load=SCRIPT, elem_id="review-item")
    with gr.Row():
        approve = gr.Button("Approve (a)", variant="primary", visible=False, elem_id="review-approve")
        reject = gr.Button("Reject (r)", variant="stop", visible=False, elem_id="review-reject")
        skip = gr.Button("Skip (s)", visible=False, elem_id="review-skip")
        undo = gr.Button("Undo (u)", visible=False, elem_id="review-undo")
    with gr.Column(visible=False) as fields:
        reason = gr.Textbox(
            label="Reason for the whole picture (optional)", max_length=500, elem_id="review-reason"
        )
        with gr.Row(elem_classes="beside"):
            text = gr.Textbox(
                label="Brief, to edit and run again",
                info="Shift+Enter runs it.",
                lines=2,
                max_length=4000,
                scale=4,
                elem_id="review-brief",
            )
            again = gr.Button("Edit and run again (e)", elem_id="review-again", scale=0, min_width=270)
    judge = html(elem_id="review-judge")
    with gr.Row(elem_classes="beside"):
        log = html(elem_id="review-log", min_width=280)
        export = gr.Button("Export the log", scale=0, min_width=180, elem_id="review-export")
    files = html(elem_id="review-files")

    shown = [state, asked, head, text, judge, log, approve, reject, skip, undo, fields]
    connect(in_order(tab.select, who.submit, who.blur), page.arrive, [who, state], shown)
    made = [connect(asked.say, page.say, [state, who], shown, js=_REASONS % 2)]
    for button, decision in ((approve, "approve"), (reject, "reject"), (skip, "skip")):
        made.append(
            connect(
                button.click,
                lambda *given, decision=decision: page.decide(decision, *given),
                [state, who, reason],
                [*shown, reason],
                js=_REASONS % 3,
            )
        )
    for event in (again.click, text.submit):
        made.append(connect(event, page.rerun, [state, who, text, reason], [*shown, reason], js=_REASONS % 4))
    made.append(connect(undo.click, page.undo, [state, who], [*shown, reason], js=_BEGIN))
    for call in made:
        call.then(None, [state], None, js=_END)
    connect(export.click, page.export, None, [files])
