"""Requirements → prompts. A prompt is written from the requirements, by the text model or the template. The user's own
words come first only where they are a prompt already: where nothing in them is no want."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from models.english import RELATIONS, article, number, phrase, plural, related
from models.protocols import JsonSchema, Message, Text
from pipeline.brief import Brief, Kind, Record, Requirement
from pipeline.calls.operations import TextRequest
from pipeline.calls.record import Made
from pipeline.calls.stage import Stage
from pipeline.prompts import PromptFile, Prompts, bundled
from pipeline.range import Range, draws_anything
from pipeline.reading.lexicon import tokens
from pipeline.reading.requirements import Reader
from pipeline.reading.tags import Tag
from pipeline.stopping import Stop

Origin = Literal["user", "model", "template"]

WRITER_TOKENS = 60  # of a written prompt, where the image model has no limit
_CHARACTERS = 4  # of a token of English
_MOST = 256  # tokens of a written prompt, however many the image model reads

# Words that add nothing to a prompt and take nothing away.
_SMALL = {
    "a",
    "an",
    "the",
    "and",
    "of",
    "on",
    "in",
    "with",
    "to",
    "its",
    "is",
    "are",
    "plain",
    "background",
    "style",
}


class Prompt(Record):
    """Text for the image model, and where it came from."""

    text: str
    negative: str = ""
    origin: Origin
    note: str = ""  # why the template wrote it instead of the user or the model; how much of it is read
    degraded: str | None = None  # which model failed, and what wrote the prompt instead
    # The end of the text: what the seed chose of what the brief leaves open, see open_choice.py.
    chosen: str = Field(default="", exclude_if=lambda chosen: not chosen)

    @property
    def written(self) -> Prompt:
        """The prompt without what the seed chose."""
        return self.model_copy(update={"text": self.text.removesuffix(self.chosen), "chosen": ""})


class Ask(Record):
    """What a prompt is written from: all requirements, those that failed, and the last prompts that were tried.

    `anything`: whether the image model may be asked for anything; `prompt_tokens`: how many tokens of a prompt it
    reads, None without a limit."""

    brief: Brief
    requirements: tuple[Requirement, ...]
    failed: tuple[str, ...] = ()  # each failed requirement in words, with what the judge saw
    tried: tuple[str, ...] = ()  # earlier prompts
    anything: bool = False
    prompt_tokens: int | None = None

    @property
    def tokens(self) -> int:
        """The most tokens that a written prompt may have."""
        return min(self.prompt_tokens or WRITER_TOKENS, _MOST)

    @property
    def form(self) -> JsonSchema:
        """The form of the text model's answer."""
        return {
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 8, "maxLength": self.tokens * _CHARACTERS}
            },
            "required": ["prompt"],
            "additionalProperties": False,
            "x-guidance": {"whitespace_flexible": False},
        }

    @property
    def answer_tokens(self) -> int:
        """The most tokens of the text model's answer: its tokens may be shorter than the image model's."""
        return 36 + self.tokens


def is_prompt(brief: Brief, requirements: Sequence[Requirement]) -> bool:
    """Whether the brief's own words are a prompt: every word is one of a want that can be drawn, or an article and the
    like, and every want is named."""
    if any(r.flag or r.kind in ("absence", "other") for r in requirements if r.kind != "technical"):
        return False
    if re.search(r"[^\w\s,-]", brief.words):
        return False
    named = set(_words(" ".join(f"{r.subject} {r.value} {r.other} {_forms(r)}" for r in requirements)))
    return set(_words(brief.words)) <= named | _SMALL and all(mentions(brief.words, r) for r in requirements)


def own_words(brief: Brief, requirements: Sequence[Requirement]) -> Prompt | None:
    """The brief's own text as a prompt. None where it would not do: where the user's list of requirements names what
    the text does not, and where the text names what must not show, which an image model would paint."""
    if brief.requirements is not None and not all(
        mentions(brief.words, r) for r in requirements if not r.flag
    ):
        return None
    if any(r.kind == "absence" for r in requirements):
        return None
    return Prompt(text=brief.words, negative=_negative(requirements), origin="user")


def write(
    asks: Sequence[Ask],
    text: Stage[TextRequest, Text] | None,
    drawable: Range | None = None,
    stop: Stop | None = None,
    larger: Sequence[Reader] = (),
    prompts: Prompts | None = None,
) -> Made[Prompt]:
    """One new prompt for each ask, in one batched request.

    The template writes instead when there is no text model, when the model gives no answer, and when its text leaves
    out a requirement, adds a thing that nobody asked for, or repeats an earlier prompt; the prompt's `note` or
    `degraded` says so. `larger`: are asked where the models before them give no usable answer.
    `prompts`: what the text model is asked; None: the bundled ones."""
    if text is None:
        return Made([template(ask) for ask in asks], [() for _ in asks])
    reply = text.ask(_requests(asks, prompts), stop=stop)
    answers = list(reply.answers)
    calls = [reply.calls_for([i]) for i in range(len(asks))]
    stopped = reply.stopped
    for reader in larger:
        todo = [i for i, answer in enumerate(answers) if answer.value is None]
        if not todo or stopped:
            break
        items = _requests([asks[i] for i in todo], reader.prompts)
        up = reader.text.ask(items, stop=stop, handed_up="prompts without a usable answer")
        stopped = up.stopped
        for n, i in enumerate(todo):
            answers[i], calls[i] = up.answers[n], (*calls[i], *up.calls_for([n]))
    made = list[Prompt]()
    for ask, answer in zip(asks, answers, strict=True):
        if answer.value is None:
            made.append(template(ask, degraded=f"text, {answer.reason} → template"))
        else:
            written = accepted(ask, answer.value.text, drawable)
            made.append(written.model_copy(update={"degraded": answer.degraded}))
    return Made(made, calls, stopped)


def _requests(asks: Sequence[Ask], prompts: Prompts | None) -> list[TextRequest]:
    return [
        TextRequest(
            tuple(writer_turns(ask, prompts)), ask.form, ask.answer_tokens,
            prompt=_prompt_of(ask, prompts).label,
        )
        for ask in asks
    ]  # fmt: skip


def template(ask: Ask, note: str = "", degraded: str | None = None) -> Prompt:
    """A prompt by a fixed rule. For an image model that may be asked for anything: the brief itself, without what must
    not show. For one with a range: composed from the requirements, in words that it was trained on."""
    brief, wants = ask.brief, ask.requirements
    text = describe(wants) or brief.words
    if ask.anything and (brief.requirements is None or all(mentions(brief.words, r) for r in wants)):
        text = _without_absences(brief.words, wants)
    own = ask.anything and text == brief.words
    return Prompt(text=text, negative=_negative(wants), origin="user" if own else "template", note=note,
                  degraded=degraded)  # fmt: skip


def _without_absences(text: str, requirements: Sequence[Requirement]) -> str:
    """The text without the phrases that name what must not show ("…, no people or cars"): an image model would paint
    it. The text itself where nothing else is left."""
    absent = {form for r in requirements if r.kind == "absence" for form in (r.subject, plural(r.subject))}
    if not absent:
        return text
    thing = rf"(?:{'|'.join(re.escape(form) for form in sorted(absent, key=len, reverse=True))})\b"
    lead = r"[ ,;]*(?:\b(?:and|but|with)\s+)?\b(?:no|without)\s+(?:any\s+|an?\s+)?"
    further = (
        rf"(?:\s*,?\s+(?:(?:and|or|nor)\s+)?(?:any\s+|an?\s+)?{thing}|\s*,?\s+n?or\s+(?:any\s+|an?\s+)?\w+)*"
    )
    left = re.sub(rf"{lead}{thing}{further}(?:\s+please)?", "", text, flags=re.IGNORECASE)
    return left.strip(" ,;.") or text


def most_tokens(ask: Ask, prompts: Prompts | None = None) -> int:
    """An upper estimate of the tokens that writing one prompt takes, at three characters a token."""
    return ask.answer_tokens + sum(8 + len(turn.content) // 3 for turn in writer_turns(ask, prompts))


def _prompt_of(ask: Ask, prompts: Prompts | None) -> PromptFile:
    return (prompts or bundled())["write-open" if ask.anything else "write"]


def writer_turns(ask: Ask, prompts: Prompts | None = None) -> list[Message]:
    """The conversation that asks the text model for one prompt."""
    # What no judge can check must be painted all the same, where the image model may be asked for it.
    wishes = "; ".join(
        r.text
        for r in ask.requirements
        if r.kind not in ("technical", "absence")
        and (not r.flag or (ask.anything and r.kind != "other" and r.flag == "uncheckable"))
    )
    return _prompt_of(ask, prompts).messages(
        brief=_without_absences(ask.brief.words, ask.requirements),
        wishes=wishes or ask.brief.words,
        failed="; ".join(ask.failed),
        tried="; ".join(json.dumps(text) for text in ask.tried),
        words=str(ask.tokens * 2 // 3),
    )


def accepted(ask: Ask, answer: str, drawable: Range | None) -> Prompt:
    """The prompt in an answer of the text model, or the template's where it must not be used."""
    try:
        text = " ".join(str(json.loads(answer)["prompt"]).split())
    except (ValueError, KeyError, TypeError):
        return template(ask, "the text model's answer was malformed")
    if missing := [r.text for r in ask.requirements if not r.flag and not mentions(text, r)]:
        return template(ask, f"the text model left out: {', '.join(missing)}")
    if more := _added(text, ask.brief.words, ask.requirements, drawable):
        return template(ask, f"the text model added: {', '.join(more)}")
    if text.lower() in {tried.lower() for tried in ask.tried}:
        return template(ask, "the text model repeated an earlier prompt")
    return Prompt(text=text, negative=_negative(ask.requirements), origin="model")


def _added(text: str, brief: str, requirements: Sequence[Requirement], drawable: Range | None) -> list[str]:
    """The objects, colours and numbers in a prompt that are no part of a want."""
    wanted = {part for r in requirements if r.kind != "absence" for part in (r.subject, r.value, r.other)}
    wanted |= {word for part in wanted for word in part.split()} | {"1"}
    if draws_anything(drawable):
        wanted |= {t.value for t in tokens(brief, drawable)}  # what no requirement says the brief may say
    found = (t for t in tokens(text, drawable) if t.tag in (Tag.OBJECT, Tag.COLOUR, Tag.NUMBER))
    return [t.text for t in found if t.value not in wanted]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _forms(r: Requirement) -> str:
    """Further words for a want: plurals and numbers."""
    forms = [plural(name) for name in (r.subject, r.other) if name]
    if r.kind == "count":
        forms.append(number(int(r.value)))
    if r.kind == "relation":
        forms.append(RELATIONS.get(r.value, r.value))
    return " ".join([*forms, r.kind, r.text])


def _negative(requirements: Sequence[Requirement]) -> str:
    return ", ".join(r.subject for r in requirements if r.kind == "absence")


def describe(requirements: Sequence[Requirement]) -> str:
    """Words for every requirement that can be drawn: objects and their places first, then background and style."""
    drawable = [r for r in requirements if r.flag != "contradiction"]
    looks = [r for r in drawable if r.kind == "attribute"]
    colours = {r.subject: r.value for r in looks}
    for r in looks:  # a thing may have several: "a red and gold crown"
        same = [other.value for other in looks if other.subject == r.subject and not other.flag]
        colours[r.subject] = " and ".join(same) or colours[r.subject]
    counts = {r.subject: int(r.value) for r in drawable if r.kind == "count"}

    def noun(name: str) -> str:
        return phrase(name, counts.get(name, 1), colours.get(name), counted=name in counts)

    relations = [r for r in drawable if r.kind == "relation"]
    placed = {name for r in relations for name in (r.subject, r.other)}
    objects = dict.fromkeys(r.subject for r in drawable if r.kind in ("object", "count", "attribute"))
    parts = [related(noun(r.subject), r.value, noun(r.other)) for r in relations]
    parts += [noun(name) for name in objects if name not in placed]
    text = " and ".join(parts)
    text += "".join(f" on {article(r.value)} background" for r in drawable if r.kind == "background")
    further = [_FURTHER[r.kind](r) for r in drawable if r.kind in _FURTHER and r.flag != "outside"]
    styles = [f"{r.value} style" for r in drawable if r.kind == "style"]
    return ", ".join(part for part in (text.strip(), *further, *styles) if part)


# What a prompt says of the kinds that no range has, behind its things.
_FURTHER: dict[Kind, Callable[[Requirement], str]] = {
    "action": lambda r: f"the {r.subject} {r.value}",
    "setting": lambda r: r.value,
    "text": lambda r: f'the text "{r.value}"',
    "statement": lambda r: r.value,
}


def mentions(text: str, r: Requirement) -> bool:
    """Whether a prompt names the requirement. Always true for technical, absence and other, which a prompt does not
    name, and for setting and statement, which it may put in other words."""
    words = f" {re.sub(r'[^a-z0-9]+', ' ', text.lower())} "

    def has(*forms: str) -> bool:
        return any(f" {form.lower()} " in words for form in forms if form)

    if r.kind in ("technical", "absence", "other", "setting", "statement"):
        return True
    if r.kind == "text":
        letters = " ".join(_words(r.value))
        return not letters or has(letters)
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
