"""One pass over one sentence, and its findings as lines."""

from __future__ import annotations

from pathlib import Path

from pipeline.range import load_range
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import tokens
from pipeline.reading.requirements import to_line
from pipeline.reading.rules import Pass
from pipeline.reading.sentence import Context, Sentence

RANGE = load_range(Path(__file__).parents[4] / "models/mini/range.json")


def sentence(text: str) -> Sentence:
    """The words as looked up, before any guess at unknown ones."""
    return Sentence(tokens(text, RANGE))


def line(found: Found) -> str:
    """The finding in words; "?" marks a guess."""
    return to_line(found) if found.sure else f"? {to_line(found)}"


def lines(read: Pass, text: str, context: Context | None = None) -> str:
    """What the pass alone finds in the sentence, in its order."""
    return "; ".join(map(line, read(sentence(text), context or Context())))
