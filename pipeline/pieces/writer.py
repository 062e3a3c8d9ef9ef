"""Headline and body by the preset's text model, held to a JSON schema. The adapter that reads briefs is left out: it
was trained on another task."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from models.english import singular
from models.protocols import JsonSchema, Message, ModelError, Text
from pipeline.calls.kept import Results
from pipeline.calls.load import load
from pipeline.calls.operations import TextRequest
from pipeline.calls.pool import ModelPool
from pipeline.calls.record import Call
from pipeline.calls.stage import Stage
from pipeline.config import Preset
from pipeline.pieces.word_checks import check_field
from pipeline.pieces.words import WORDINGS, Facts
from pipeline.pieces.workflow import FieldName, TextField

WRITTEN: tuple[FieldName, ...] = (
    "headline",
    "body",
)  # the others say what is there, which a template does better
_SYSTEM = (
    "You write the words of a card with a picture: a headline of a few words and a body of one short sentence. "
    "Say only what the brief says. No numbers, prices, praise or names that it lacks. Answer with JSON."
)
_EXAMPLE_ASKED = "Brief: a green frog on a leaf for our pond walk\nPicture: a green frog"
_EXAMPLE = '{"headline": "A green frog", "body": "A frog on a leaf, for our pond walk."}'
_WARM = 0.7  # temperature from the second try on
_TOKENS = 96
_WORD = re.compile(r"[^\W\d_]+")
# Words that say nothing of their own.
_COMMON = frozenset(
    ("about", "above", "below", "beside", "each", "every", "from", "have", "here", "into", "more", "next", "over",
     "some", "that", "their", "them", "there", "these", "this", "under", "very", "what", "when", "where", "which",
     "with", "your")
)  # fmt: skip
_OPEN = "an?|and|at|by|for|from|in|of|on|or|the|to|with|our|your|its|\\w+'s"  # words after which another one follows
_UNFINISHED = re.compile(rf"(?:[,;:(\[-]|\b(?:{_OPEN}))$", re.IGNORECASE)
_END = re.compile(r"[.!?]$")
_NO_TEXT = "the preset has no text model"

Writer = Stage[TextRequest, Text]
Tried = tuple[dict[str, str], tuple[str, ...]]  # words, and what was wrong with them


def writer_of(preset: Preset, results: Results | None, pool: ModelPool) -> Writer:
    """The text model without what it was trained on for reading. Raises ModelError where there is none."""
    plain = {name: None for name in ("adapter", "marker") if getattr(preset.text, name, None) is not None}
    own = preset.model_copy(update={"text": preset.text.model_copy(update=plain)})
    stage = load(own, results, pool).text
    if stage is None:
        raise ModelError(f"{_NO_TEXT}; write words by the template")
    return stage


def write(
    stage: Writer, facts: Facts, fields: Mapping[FieldName, TextField], tries: int, seed: int
) -> tuple[dict[str, str], list[Tried], list[Call]]:
    """Words that pass all checks, empty where none of the tries did; what was tried; and the calls."""
    asked = {name: wanted for name, wanted in fields.items() if name in WRITTEN}
    tried: list[Tried] = []
    calls: list[Call] = []
    for number in range(tries if asked else 0):
        request = TextRequest(
            tuple(_turns(facts, tried)), _schema(asked), _TOKENS, _WARM if number else 0.0, seed + number
        )
        reply = stage.ask([request])
        calls += reply.calls
        answer = reply.answers[0].value
        texts = _parsed(answer.text, asked) if answer else None
        if texts is None:
            tried.append(({}, (reply.answers[0].reason or "no JSON",)))
            continue
        faults = tuple(
            why for name, wanted in asked.items() for why in _faults(name, texts[name], wanted, facts)
        )
        tried.append((texts, faults))
        if not faults:
            return texts, tried, calls
    return {}, tried, calls


def _faults(name: FieldName, text: str, wanted: TextField, facts: Facts) -> list[str]:
    """What is wrong with a field: what fails for every writer, and what only a model does."""
    failed = [check for check in check_field("", name, text, wanted, facts) if check.outcome == "fail"]
    faults = [f"{check.name}: {check.reason}" for check in failed]
    if new := invented(text, facts):
        faults.append(f"{name}: the brief does not say “{new[0]}”")
    if text and (_UNFINISHED.search(text) or (name == "body" and not _END.search(text))):
        faults.append(f"{name}: it is not finished")
    return faults


def invented(text: str, facts: Facts) -> list[str]:
    """The words of more than three letters that neither brief nor requirements have."""
    source = " ".join((facts.brief, *(wordings(facts)[0] for wordings in WORDINGS.values()))).casefold()
    known = {singular(word) for word in _WORD.findall(source)} | _COMMON
    return [word for word in _WORD.findall(text) if len(word) > 3 and singular(word.casefold()) not in known]


def _turns(facts: Facts, tried: Sequence[Tried]) -> list[Message]:
    asked = f"Brief: {facts.brief}\nPicture: {WORDINGS['alt'](facts)[-1]}"
    if tried:
        asked += f"\nWent wrong before: {'; '.join(tried[-1][1])}"
    return [
        Message("system", _SYSTEM), Message("user", _EXAMPLE_ASKED), Message("assistant", _EXAMPLE),
        Message("user", asked),
    ]  # fmt: skip


def _schema(fields: Mapping[FieldName, TextField]) -> JsonSchema:
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "minLength": wanted.least, "maxLength": wanted.most}
            for name, wanted in fields.items()
        },
        "required": list(fields),
        "additionalProperties": False,
    }


def _parsed(text: str, fields: Mapping[FieldName, TextField]) -> dict[str, str] | None:
    try:
        found = json.loads(text)
        return {name: " ".join(str(found[name]).split()) for name in fields}
    except (ValueError, KeyError, TypeError):
        return None
