"""Requirements → prompts. The user's own words come first; written prompts follow, with feedback."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal

from models.english import article, number, phrase, plural, related
from models.protocols import JsonSchema, Message, Text
from pipeline.brief import Brief, Record, Requirement
from pipeline.calls.operations import TextRequest
from pipeline.calls.record import Made
from pipeline.calls.stage import Stage
from pipeline.stopping import Stop

Origin = Literal["user", "model", "template"]

WRITER = (
    "You write prompts for an image model. Write one short, concrete prompt that shows every wish. "
    "State first what went wrong before. Use plain nouns, numbers as words, no instructions."
)
WRITER_EXAMPLE = (
    'Wishes: three red apples; white background\nWent wrong: counted two apples\nTried: "red apples on white"',
    '{"prompt": "exactly three red apples, three separate apples, plain white background"}',
)
WRITER_TOKENS = 96
WRITER_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"prompt": {"type": "string", "minLength": 8, "maxLength": 240}},
    "required": ["prompt"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}


class Prompt(Record):
    """Text for the image model, and where it came from."""

    text: str
    negative: str = ""
    origin: Origin
    note: str = ""  # why it is not what was asked for, where that is so
    degraded: str | None = None  # which model failed, and what stood in for it


class Ask(Record):
    """What the writer gets to see: the wants, only the failed ones in detail, and a short memory."""

    brief: Brief
    requirements: tuple[Requirement, ...]
    failed: tuple[str, ...] = ()  # in words
    tried: tuple[str, ...] = ()


def own_words(brief: Brief, requirements: Sequence[Requirement]) -> Prompt:
    """The brief as it stands; where the user changed the requirements so that it no longer names them, those."""
    if brief.requirements is not None and not all(
        mentions(brief.words, r) for r in requirements if not r.flag
    ):
        return template(
            Ask(brief=brief, requirements=tuple(requirements)), "the brief no longer names every want"
        )
    return Prompt(text=brief.words, negative=_negative(requirements), origin="user")


def write(
    asks: Sequence[Ask], text: Stage[TextRequest, Text] | None, stop: Stop | None = None
) -> Made[Prompt]:
    """One new prompt for each ask, in one batched request.

    A text that drops a want, or that repeats an earlier prompt, gives way to the template, and the prompt says so.
    Without a text model, or where it gives no answer, the template writes."""
    if text is None:
        return Made([template(ask) for ask in asks], [() for _ in asks])
    requests = [TextRequest(tuple(writer_turns(ask)), WRITER_SCHEMA, WRITER_TOKENS) for ask in asks]
    reply = text.ask(requests, stop=stop)
    prompts = []
    for ask, answer in zip(asks, reply.answers, strict=True):
        if answer.value is None:
            prompts.append(template(ask, degraded=f"text, {answer.reason} → template"))
        else:
            written = _accept(ask, answer.value.text)
            prompts.append(written.model_copy(update={"degraded": answer.degraded}))
    return Made(prompts, [reply.calls_for([i]) for i in range(len(asks))], reply.stopped)


def template(ask: Ask, note: str = "", degraded: str | None = None) -> Prompt:
    """The wants put together in a fixed order, in words the image model was trained on."""
    return Prompt(text=describe(ask.requirements) or ask.brief.text, negative=_negative(ask.requirements),
                  origin="template", note=note, degraded=degraded)  # fmt: skip


def most_tokens(ask: Ask) -> int:
    """What writing may take at most, by a cautious guess of three characters a token."""
    return WRITER_TOKENS + sum(8 + len(turn.content) // 3 for turn in writer_turns(ask))


def writer_turns(ask: Ask) -> list[Message]:
    """What the text model is asked for one prompt."""
    wishes = "; ".join(
        r.text for r in ask.requirements if r.kind not in ("technical", "absence") and not r.flag
    )
    lines = [f"Wishes: {wishes or ask.brief.text}"]
    if ask.failed:
        lines.append(f"Went wrong: {'; '.join(ask.failed)}")
    if ask.tried:
        lines.append("Tried: " + "; ".join(json.dumps(text) for text in ask.tried))
    shown, answer = WRITER_EXAMPLE
    return [
        Message("system", WRITER),
        Message("user", shown),
        Message("assistant", answer),
        Message("user", "\n".join(lines)),
    ]


def _accept(ask: Ask, answer: str) -> Prompt:
    try:
        text = " ".join(str(json.loads(answer)["prompt"]).split())
    except (ValueError, KeyError, TypeError):
        return template(ask, "the text model's answer was malformed")
    if missing := [r.text for r in ask.requirements if not r.flag and not mentions(text, r)]:
        return template(ask, f"the text model left out: {', '.join(missing)}")
    if text.lower() in {tried.lower() for tried in ask.tried}:
        return template(ask, "the text model repeated an earlier prompt")
    return Prompt(text=text, negative=_negative(ask.requirements), origin="model")


def _negative(requirements: Sequence[Requirement]) -> str:
    return ", ".join(r.subject for r in requirements if r.kind == "absence")


def describe(requirements: Sequence[Requirement]) -> str:
    """One prompt with every want that can be drawn: objects and places first, then background and style."""
    wants = [r for r in requirements if r.flag not in ("uncheckable", "contradiction")]
    colours = {r.subject: r.value for r in wants if r.kind == "attribute"}
    counts = {r.subject: int(r.value) for r in wants if r.kind == "count"}

    def noun(name: str) -> str:
        return phrase(name, counts.get(name, 1), colours.get(name), counted=name in counts)

    placed = [r for r in wants if r.kind == "relation"]
    told = {name for r in placed for name in (r.subject, r.other)}
    named = dict.fromkeys(r.subject for r in wants if r.kind in ("object", "count", "attribute"))
    parts = [related(noun(r.subject), r.value, noun(r.other)) for r in placed]
    parts += [noun(name) for name in named if name not in told]
    text = " and ".join(parts)
    text += "".join(f" on {article(r.value)} background" for r in wants if r.kind == "background")
    looks = [f"{r.value} style" for r in wants if r.kind == "style"]
    return ", ".join(part for part in (text.strip(), *looks) if part)


def mentions(text: str, r: Requirement) -> bool:
    """Whether a prompt names what the requirement is about; kinds that a prompt cannot show count as named."""
    words = f" {re.sub(r'[^a-z0-9]+', ' ', text.lower())} "

    def has(*forms: str) -> bool:
        return any(f" {form.lower()} " in words for form in forms if form)

    if r.kind in ("technical", "absence", "other"):
        return True
    if r.kind in ("background", "style"):
        return has(*r.value.split())
    subject = has(r.subject, plural(r.subject))
    if r.kind == "count":
        return subject and has(r.value, number(int(r.value)), *(("a", "an") if r.value == "1" else ()))
    if r.kind == "attribute":
        return subject and has(r.value)
    if r.kind == "relation":
        return (
            subject and has(r.other, plural(r.other)) and has(r.value, "over", "under", "beneath", "on top")
        )
    return subject
