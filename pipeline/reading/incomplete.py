"""What a reader leaves open of a brief, so that a larger one is asked."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.brief import Reading
from pipeline.range import Range
from pipeline.reading.consensus import Evidence, key_of
from pipeline.reading.finding import LANGUAGE, NOT_UNDERSTOOD, Found


def left_open(
    reading: Reading, found: Sequence[Found] | str, text: str = "", drawable: Range | None = None
) -> str:
    """What is open, in words; empty where nothing is. `found`: what the rules found, guesses included; with `text`, the
    lines of a text model, or why there are none.

    Open is: a brief in another language, words that were not understood, a guess of the rules, a contradiction, lines
    that name other wants than the reading, and an answer that cannot be used."""
    wants = reading.requirements
    parts = [
        _counted(sum(r.subject == NOT_UNDERSTOOD for r in wants), "not understood"),
        _counted(sum(r.flag == "contradiction" for r in wants), "in contradiction"),
    ]
    if any(r.subject == LANGUAGE for r in wants):
        parts.append("another language")
    if isinstance(found, str):
        parts.append("no usable answer")
    elif text:
        parts.append(_counted(_differ(reading, found, text, drawable), "read in two ways"))
    else:
        guesses = sum(not item.sure and item.subject not in (NOT_UNDERSTOOD, LANGUAGE) for item in found)
        parts.append(_counted(guesses, "guessed"))
    return ", ".join(filter(None, parts))


def _counted(number: int, what: str) -> str:
    return f"{number} want{'' if number == 1 else 's'} {what}" if number else ""


def _differ(reading: Reading, lines: Sequence[Found], text: str, drawable: Range | None) -> int:
    """How many wants only the lines have, or only the reading."""
    evidence = Evidence(text, drawable)
    said = {key_of(evidence.canonical(item)) for item in lines if item.kind != "other"}
    read = {
        key_of(Found(r.kind, r.subject, r.value, r.other)) for r in reading.requirements if r.kind != "other"
    }
    return len(said ^ read)
