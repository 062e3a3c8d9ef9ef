"""The first stage: briefs to requirements, by the text model and the rules together.

The model writes one short line for each want, because lines are cheap to decode on a CPU and easy to learn. A line
whose words the brief does not support is dropped, and findings of which the rules are sure complete the others
(see `consensus.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from models.protocols import JsonSchema, Marks, Message, Schemas, Text, schema_of
from pipeline.brief import BEYOND_THINGS, KINDS, Brief, Kind, Reading, Requirement
from pipeline.calls.operations import TextRequest
from pipeline.calls.record import Answer, Call, Made
from pipeline.calls.stage import Stage
from pipeline.prompts import PromptFile, Prompts, bundled
from pipeline.range import Range, draws_anything
from pipeline.reading.consensus import combined, key_of
from pipeline.reading.copying import copying
from pipeline.reading.finding import LANGUAGE, Found
from pipeline.reading.flags import flagged
from pipeline.reading.incomplete import left_open
from pipeline.reading.lexicon import ENGLISH
from pipeline.reading.plain_words import plain
from pipeline.reading.rules import found_in, numbered
from pipeline.reading.weighing import weighed
from pipeline.stopping import Stop

MAX_WANTS = 16
_FLAWS = frozenset(ENGLISH["flaws"])
MAX_TOKENS = 192
SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {
        "wants": {"type": "array", "items": {"type": "string", "maxLength": 60}, "maxItems": MAX_WANTS}
    },
    "required": ["wants"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}

Prompting = Literal["bare", "instructed"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A text model that reads briefs, with what marks their words, and how it is prompted."""

    text: Stage[TextRequest, Text]
    marker: Stage[str, Marks] | None = None
    prompting: Prompting = "instructed"
    prompts: Prompts = field(default_factory=bundled)


def read(
    briefs: Sequence[Brief],
    text: Stage[TextRequest, Text] | None,
    drawable: Range | None = None,
    prompting: Prompting = "bare",
    stop: Stop | None = None,
    marker: Stage[str, Marks] | None = None,
    checked: Collection[Kind] = KINDS,
    larger: Sequence[Reader] = (),
    rules_first: bool = False,
    prompts: Prompts | None = None,
) -> Made[Reading]:
    """The requirements of each brief, flagged, in one batched request to the text model and one to the marker.

    Without a text model, or where it gives no usable answer, the rules read alone; in the second case the reading's
    `degraded` says why. `prompting`: "bare" for a model trained on this task, "instructed" for any other. `checked`:
    the kinds that the preset checks without a person. Where the user listed the requirements, their list holds.

    `larger`: read what the models before them leave open; `rules_first`: the text model reads only what the rules and
    its marks leave open. See `left_open`. `prompts`: what the text model is asked; None: the bundled ones."""
    reach = Reach(drawable, checked)
    readings: dict[int, Reading] = {}
    calls: dict[int, tuple[Call, ...]] = {}
    todo: dict[int, str] = {}  # briefs that are to be read, and what was left open of each; empty: all
    for i, brief in enumerate(briefs):
        if brief.requirements is not None:
            readings[i] = Reading(
                requirements=flagged(brief.requirements, drawable, checked), reader="the user"
            )
        elif text is None:
            readings[i] = reach.reading(brief, found_in(brief.wanted, drawable), "rules")
        else:
            todo[i] = ""
    stopped = False
    marks: dict[int, Marks | None] = {}
    if rules_first and todo:
        marked = marker.ask([_asked(briefs[i], drawable) for i in todo], stop=stop) if marker else None
        stopped = marked is not None and marked.stopped
        for at, i in enumerate(list(todo)):
            marks[i] = marked.answers[at].value if marked else None
            calls[i] = marked.calls_for([at]) if marked else ()
            readings[i], todo[i] = _by_rules(briefs[i], marks[i], reach)
        todo = {i: why for i, why in todo.items() if why}
    readers = [Reader(text, marker, prompting, prompts or bundled()), *larger] if text is not None else []
    for level, reader in enumerate(readers, 1):
        if not todo or stopped:
            break
        asked = [_asked(briefs[i], drawable) for i in todo]
        up = "briefs that were not understood" if any(todo.values()) else None
        items = requests(asked, reader.prompting, reader.prompts)
        reply = reader.text.ask(items, stop=stop, handed_up=up)
        again = reader.marker if level > 1 or not rules_first else None
        marked = again.ask(asked, stop=stop, handed_up=up) if again else None
        stopped = reply.stopped or (marked is not None and marked.stopped)
        after: dict[int, str] = {}
        for at, (i, why) in enumerate(todo.items()):
            answer = reply.answers[at]
            said = marked.answers[at].value if marked else marks.get(i) if level == 1 else None
            reading = _read(briefs[i], answer, said, reach, reader.prompting)
            if why:
                who = answer.name if answer.value else reader.text.name
                reading = _after(readings[i], reading, f"{who}: {why}", level > 1)
            readings[i] = reading
            calls[i] = (
                *calls.get(i, ()), *reply.calls_for([at]), *(marked.calls_for([at]) if marked else ()),
            )  # fmt: skip
            if level < len(readers) and (open_ := left_open(reading, lines_of(answer), asked[at], drawable)):
                after[i] = open_
        todo = after
    order = range(len(briefs))
    return Made([readings[i] for i in order], [calls.get(i, ()) for i in order], stopped)


@dataclass(frozen=True, slots=True)
class Reach:
    """What is found in a brief → its reading, for one preset: what its image model draws, and the kinds that it checks
    without a person."""

    drawable: Range | None
    checked: Collection[Kind]

    def reading(
        self, brief: Brief, found: Sequence[Found], reader: str, degraded: str | None = None
    ) -> Reading:
        """With the must-haves of the brief, each want once, and its flags."""
        wants = numbered(with_musts(found, brief, self.drawable, self.checked))
        return Reading(requirements=self.flagged(wants), reader=reader, degraded=degraded)

    def flagged(self, wants: Sequence[Requirement]) -> tuple[Requirement, ...]:
        return flagged(wants, self.drawable, self.checked)


def _asked(brief: Brief, drawable: Range | None) -> str:
    """What a text model is asked to read."""
    return plain(brief.wanted, drawable)


def _by_rules(brief: Brief, marks: Marks | None, reach: Reach) -> tuple[Reading, str]:
    """One brief's reading from the rules and the marks of its words, and what it leaves open."""
    said = _asked(brief, reach.drawable)
    found = found_in(said, reach.drawable)
    if marks is None:
        reading = reach.reading(brief, found, "rules")
    else:
        if not any(item.subject == LANGUAGE for item in found):
            found = weighed(said, found, marks, reach.drawable)
        reading = reach.reading(brief, found, "rules + marks")
    return reading, left_open(reading, found)


def _read(
    brief: Brief, answer: Answer[Text], marks: Marks | None, reach: Reach, prompting: Prompting
) -> Reading:
    """One brief's reading from the model's answer, its marks of the words, and the rules together."""
    drawable = reach.drawable
    said = _asked(brief, drawable)
    found = found_in(said, drawable)
    lines = lines_of(answer)
    if isinstance(lines, str):
        return reach.reading(brief, found, "rules", f"text, {lines} → rules")
    reader = "rules"
    if any(item.subject == LANGUAGE for item in found):
        # A small reader trained on English guesses; a general one may know the language.
        if prompting == "instructed" and lines:
            found, reader = lines, answer.name
    else:
        found, reader = combined(said, found, lines, drawable), f"{answer.name} + rules"
        if marks is not None:
            found = weighed(said, found, marks, drawable)
    return reach.reading(brief, found, reader, answer.degraded)


def _after(before: Reading, reading: Reading, handed_up: str, by_model: bool) -> Reading:
    """A reading that was handed up. What a smaller model read (`by_model`) stays where the larger one gave no usable
    answer."""
    kept = before if reading.degraded and by_model else reading
    return kept.model_copy(update={"handed_up": (*before.handed_up, handed_up), "degraded": reading.degraded})


def lines_of(answer: Answer[Text]) -> list[Found] | str:
    """The findings that an answer lists; as a string, why it lists none."""
    return parsed(answer.value.text) if answer.value else answer.reason


def with_musts(
    found: Sequence[Found], brief: Brief, drawable: Range | None, checked: Collection[Kind] = KINDS
) -> list[Found]:
    """The findings with those of `brief.must`, which are read by `in_words`, all as must-haves; and what a pasted
    negative prompt lists: things as absences, all else ("blurry") as nice to have."""
    have = {key_of(item): item for item in found}
    for name in brief.unwanted:
        flaw = not _FLAWS.isdisjoint(name.lower().split())
        absent = [item for item in found_in(f"no {name}", drawable) if not flaw and item.kind == "absence"]
        for item in absent or [Found("other", value=f"no {name}", must=False)]:
            have.setdefault(key_of(item), item)
    for want in brief.must:
        for item in in_words(want, drawable, checked):
            have[key_of(item)] = replace(have.get(key_of(item), item), must=True)
    return list(have.values())


def in_words(text: str, drawable: Range | None, checked: Collection[Kind] = KINDS) -> list[Found]:
    """What a want says that somebody listed: as a line of the model states it, for the kinds that only such lines have
    ("setting: at night"), else as the rules read it. In one of which they make nothing, a statement, where those are
    checked; else what a person decides."""
    line = from_line(text)
    if line is not None and line.kind in BEYOND_THINGS:
        return [line]
    found = found_in(text, drawable, alone=False)
    if draws_anything(drawable) and "statement" in checked and not any(item.sure for item in found):
        return [Found("statement", value=text)]
    return found or [Found("other", value=text)]


def conversation(text: str, prompting: Prompting, prompts: Prompts | None = None) -> list[Message]:
    """The messages that ask the text model to read one brief."""
    return prompt_of(prompting, prompts).messages(brief=text)


def prompt_of(prompting: Prompting, prompts: Prompts | None = None) -> PromptFile:
    return (prompts or bundled())["read-bare" if prompting == "bare" else "read"]


def answer_of(lines: Sequence[str]) -> str:
    """The JSON answer that holds these lines, without spaces, as the schema's grammar has it."""
    return json.dumps({"wants": list(lines)}, ensure_ascii=False, separators=(",", ":"))


def schemas(texts: Sequence[str], prompting: Prompting) -> Schemas:
    """The schemas of the answers. A model trained on this task may write only words of the brief (see `copying.py`); a
    general one may not need that, for it can read other languages."""
    return [copying(text, SCHEMA) for text in texts] if prompting == "bare" else SCHEMA


def most_tokens(brief: Brief, prompting: Prompting, prompts: Prompts | None = None) -> int:
    """The most tokens that reading a brief and marking its words may take, counting three characters of input as one
    token."""
    marking = 16 + 2 * len(brief.text) // 3
    return (
        MAX_TOKENS
        + marking
        + sum(8 + len(turn.content) // 3 for turn in conversation(brief.wanted, prompting, prompts))
    )


def requests(texts: Sequence[str], prompting: Prompting, prompts: Prompts | None = None) -> list[TextRequest]:
    """What the text model is asked to read these briefs."""
    held = schemas(texts, prompting)
    return [
        TextRequest(
            tuple(conversation(text, prompting, prompts)), schema_of(held, i), MAX_TOKENS,
            prompt=prompt_of(prompting, prompts).label,
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip


def parsed(text: str) -> list[Found] | str:
    """The findings in an answer of the model, without lines of no known form; or, as a string, what is wrong with the
    answer."""
    match = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        answer = json.loads(match.group() if match else text)
        lines = answer["wants"]
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise TypeError
    except (json.JSONDecodeError, KeyError, TypeError):
        return "malformed output: not the JSON asked for"
    found = [from_line(line) for line in lines]
    return [item for item in found if item is not None]


_SIZE = re.compile(r"(\d+x\d+|\d+ (?:wide|tall)|square|landscape|portrait)$")
_FIRST_WORDS = frozenset(("no", "background", "style", "other", "size", "contrast", "palette", "maybe"))
_KINDS_STATED: dict[str, Kind] = {"text": "text", "setting": "setting", "statement": "statement"}
_DOES = re.compile(r"\w+ing\b")
_STATED = re.compile(r"([^:]+): (.+)$")
_RELATED = re.compile(r"(.+?) (left of|right of|above|below) (.+)$")


def from_line(line: str) -> Found | None:
    """The finding that a line of the model states; None for a line of no known form."""
    line = " ".join(line.split())
    must = not line.startswith("maybe ")
    line = line.removeprefix("maybe ")
    first, _, rest = line.partition(" ")
    found: Found | None = None
    if not line or line in _FIRST_WORDS:
        return None
    if first == "no" and rest:
        found = Found("absence", rest)
    elif first == "background" and rest:
        found = Found("background", value=rest)
    elif first == "style" and rest:
        found = Found("style", value=rest)
    elif first == "other" and rest:
        found = Found("other", value=rest)
    elif first == "size":
        found = Found("technical", "size", rest) if _SIZE.match(rest) else None
    elif first == "contrast":
        found = Found("technical", "contrast", rest) if rest in ("high", "low") else None
    elif first == "palette" and rest:
        found = Found("technical", "palette", rest)
    elif first.isdigit():
        found = Found("count", rest, str(int(first))) if rest else None
    elif match := _STATED.match(line):
        kind = _KINDS_STATED.get(match[1])
        if kind:
            found = Found(kind, value=match[2])
        else:
            found = Found("action" if _DOES.match(match[2]) else "attribute", match[1], match[2])
    elif match := _RELATED.match(line):
        found = Found("relation", match[1], match[2].removesuffix(" of"), match[3])
    elif " is " in line:
        subject, _, value = line.partition(" is ")
        found = Found("attribute", subject, value) if subject and value else None
    else:
        found = Found("object", line)
    return replace(found, must=must) if found else None


def to_line(want: Requirement | Found) -> str:
    """The line that states a requirement or finding, as `from_line` reads it."""
    s, v = want.subject, want.value
    line = {
        "object": s,
        "count": f"{v} {s}",
        "attribute": f"{s} is {v}",
        "relation": f"{s} {v}{' of' if v in ('left', 'right') else ''} {want.other}",
        "action": f"{s}: {v}",
        "setting": f"setting: {v}",
        "background": f"background {v}",
        "style": f"style {v}",
        "text": f"text: {v}",
        "statement": f"statement: {v}",
        "absence": f"no {s}",
        "technical": f"{s} {v}",
        "other": f"other {v}",
    }[want.kind]
    return line if want.must else f"maybe {line}"
