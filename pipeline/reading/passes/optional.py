"""What is only nice to have: "ideally on pink", "flat style, if possible"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.reading.finding import Found
from pipeline.reading.sentence import Sentence
from pipeline.reading.tags import Tag, any_of

_CLAUSE_ENDS = any_of("COMMA SEMICOLON")
_OPENING_MARKS = _CLAUSE_ENDS | {Tag.COLON}
_NICE_TO_HAVE = any_of("IDEALLY IF_POSSIBLE")


def with_optional(sentence: Sentence, found: Sequence[Found]) -> list[Found]:
    """The findings of the sentence, with those that it calls nice to have no longer must-haves.

    "Ideally" stands before what it is said of; "if possible" stands after it, or before it at the start of a clause.
    It is said of one finding, and of what else its clause says of the same object.
    """
    marked = list(found)
    for i, token in enumerate(sentence.tokens):
        if token.tag in _NICE_TO_HAVE:
            for n in _said_of(sentence, i, marked):
                marked[n] = replace(marked[n], must=False)
    return marked


def _said_of(sentence: Sentence, at: int, found: Sequence[Found]) -> list[int]:
    """The indices of the findings that the word at index `at` calls nice to have."""
    tags = [token.tag for token in sentence.tokens]
    ahead = [n for n, item in enumerate(found) if at < item.at < _clause_end(tags, at)]
    behind = [n for n, item in enumerate(found) if item.at < at]
    if ahead and (tags[at] is Tag.IDEALLY or not behind or _opens_clause(tags, at)):
        first = min(ahead, key=lambda n: found[n].at)
        subject = found[first].subject
        return [n for n in ahead if n == first or (subject and found[n].subject == subject)]
    return [max(behind, key=lambda n: found[n].at)] if behind else []


def _clause_end(tags: Sequence[Tag], at: int) -> int:
    """Where the clause ends that begins after the word at index `at` and the marks behind it."""
    start = at + 1
    while start < len(tags) and tags[start] in _OPENING_MARKS:
        start += 1
    return next((i for i in range(start, len(tags)) if tags[i] in _CLAUSE_ENDS), len(tags))


def _opens_clause(tags: Sequence[Tag], at: int) -> bool:
    """Whether the word begins the sentence, or stands after a mark and before none."""
    return at == 0 or (
        tags[at - 1] in _CLAUSE_ENDS | {Tag.AND} and tags[min(at + 1, len(tags) - 1)] not in _CLAUSE_ENDS
    )
