"""The text model's marks of the words of a brief, weighed against what was found in it.

The rules doubt some words: an unknown noun, a look that no model can check, words of which no pass has made anything.
The model says of every word how likely it belongs to a want. Each knows kinds of talk that the other does not, so it
takes little for a person to be asked about a word that the rules doubt, and more about one that they do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from models.protocols import Mark, Marks, Role
from pipeline.range import Range
from pipeline.reading.finding import LANGUAGE, NOT_UNDERSTOOD, Found
from pipeline.reading.lexicon import singular, tokens
from pipeline.reading.spelling import respelt
from pipeline.reading.tags import any_of


@dataclass(frozen=True, slots=True)
class Bounds:
    """Probabilities, chosen on briefs that were left out of the marker's training (scripts/training/marker.py).

    Words that the rules doubt are talk below `doubted` of being beyond the models; words that they do not doubt are
    left to a person from `noticed` on. An object below `wanted` is not wanted: it is ruled out from `ruled_out` of
    being absent on, and else left to a person."""

    doubted: float = 0.08
    noticed: float = 0.3
    wanted: float = 0.2
    ruled_out: float = 0.6


BOUNDS = Bounds()
_CONTENT = any_of("UNKNOWN LOOK COLOUR NUMBER QUANTITY ACTION MOOD OBJECT NOT_DRAWN")
_AROUND = 0.12  # words beside a noticed one belong to the same run from this probability on


@dataclass(frozen=True, slots=True)
class _Word:
    """`meanings`: the word in the names of the range, and in the singular; `content`: whether it could be a want by
    itself."""

    mark: Mark
    written: str
    meanings: frozenset[str]
    content: bool


def weighed(
    text: str, found: Sequence[Found], marks: Marks, drawable: Range | None, bounds: Bounds = BOUNDS
) -> list[Found]:
    """The findings, weighed.

    What the rules doubt and the model takes for talk is left out; a soft word becomes nice to have. An object that the
    model takes for ruled out becomes an absence. One that it takes for talk is left to a person, and so are words that
    only the model takes for a want. Where nothing else is wanted, nothing is left out."""
    words = list(_words(text, marks, drawable))
    kept: list[Found] = []
    for item in found:
        mine = [word.mark for word in words if word.content and word.meanings & _names(item)]
        if not mine or not item.must:
            kept.append(item)
        elif _doubted(item, drawable):
            if _most(mine, "beyond") >= bounds.doubted:
                kept.append(item)
            elif _most(mine, "soft") >= bounds.noticed and item.kind not in ("object", "count"):
                kept.append(replace(item, must=False))
        elif item.kind in ("object", "count") and _most(mine, "want", "beyond") < bounds.wanted:
            if _most(mine, "absent") >= bounds.ruled_out:
                kept.append(Found("absence", item.subject, at=item.at))
            else:
                kept.append(Found("other", NOT_UNDERSTOOD, item.subject, at=item.at, sure=False))
        else:
            kept.append(item)
    shown = {item.subject for item in kept if item.kind in ("object", "count")}
    if not shown:
        kept, shown = list(found), {item.subject for item in found}
    claimed = {name for item in found for name in _names(item)}
    kept = [
        i
        for i in kept
        if i.kind not in ("attribute", "relation") or {i.subject, i.other or i.subject} <= shown
    ]
    runs = _runs(words, claimed, bounds.noticed)
    return [*kept, *(Found("other", NOT_UNDERSTOOD, run, sure=False) for run in runs)]


def _words(text: str, marks: Marks, drawable: Range | None) -> Iterator[_Word]:
    for mark in marks.words:
        written = text[mark.start : mark.end]
        as_tokens = tokens(respelt(written, drawable), drawable)
        values = {token.value or token.text for token in as_tokens}
        content = any(token.tag in _CONTENT for token in as_tokens)
        yield _Word(mark, written, frozenset({singular(written.lower()), *values}), content)


def _names(item: Found) -> set[str]:
    """The words that a finding is made of, and its objects."""
    named = [name for name in (item.subject, item.value, item.other) if name and name != NOT_UNDERSTOOD]
    return {singular(word.strip(".,;:!?'\"()")) for name in named for word in name.lower().split()} | set(
        named
    )


def _doubted(item: Found, drawable: Range | None) -> bool:
    """Whether a person would have to decide about it: no model can check it or draw it."""
    if item.kind == "other":
        return item.subject != LANGUAGE
    if drawable is None:
        return False
    value, known = {
        "object": (item.subject, drawable.objects),
        "count": (item.subject, drawable.objects),
        "attribute": (item.value, drawable.colours),
        "style": (item.value, drawable.styles),
        "background": (item.value, drawable.colours if drawable.plain_backgrounds else None),
    }.get(item.kind, ("", None))
    return known is not None and value not in known


def _most(marks: Iterable[Mark], *roles: Role) -> float:
    """The probability of the word that most likely has one of the roles."""
    return max(sum(mark.roles[role] for role in roles) for mark in marks)


def _runs(words: Sequence[_Word], claimed: set[str], noticed: float) -> list[str]:
    """The words that belong to no finding and are noticed, each with those around it."""
    runs: list[str] = []
    run: list[_Word] = []
    for word in (*words, None):
        if word and not word.meanings & claimed and word.mark.roles["beyond"] >= _AROUND:
            run.append(word)
            continue
        if any(each.content and each.mark.roles["beyond"] >= noticed for each in run):
            runs.append(" ".join(each.written for each in run))
        run = []
    return runs
