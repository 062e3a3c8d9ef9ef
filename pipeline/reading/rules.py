"""A brief read by rules, without a model: words are looked up and tagged, and patterns over the tags find the wants.

What the rules guess at, such as an unknown noun after an article, they mark as not sure, so that the text model can
decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import shorten

from pipeline.brief import KINDS, Requirement
from pipeline.range import Range
from pipeline.reading.account import left_over, tells
from pipeline.reading.finding import LANGUAGE, NOT_UNDERSTOOD, Found
from pipeline.reading.language import has_emoji, is_foreign
from pipeline.reading.lexicon import Token, tokens
from pipeline.reading.names import plainly_written
from pipeline.reading.noise import without_names, without_noise
from pipeline.reading.nouns import guess_objects
from pipeline.reading.numerals import ungrouped
from pipeline.reading.passes.absences import absences
from pipeline.reading.passes.backgrounds import backgrounds
from pipeline.reading.passes.colours import colours
from pipeline.reading.passes.looks import moods, styles
from pipeline.reading.passes.objects import alternatives, objects, parts, sizes
from pipeline.reading.passes.optional import with_optional
from pipeline.reading.passes.placements import placements
from pipeline.reading.passes.references import resolved, told_apart
from pipeline.reading.plain_words import unquoted
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.spelling import respelt
from pipeline.reading.tags import Tag, any_of
from pipeline.reading.technical import technical
from pipeline.reading.wording import worded

Pass = Callable[[Sentence, Context], list[Found]]
# Each pass marks the words that it has read. So the colour in "on red" is gone before the objects look for theirs.
PASSES: tuple[Pass, ...] = (
    absences,
    backgrounds,
    styles,
    alternatives,
    parts,
    sizes,
    objects,
    colours,
    placements,
    moods,
    left_over,
)
# What of a sentence may be wanted: all but talk and names; where nothing is found so, all but names; all.
_WANTED_PARTS: tuple[Callable[[Sequence[Token], bool], Sequence[Token]], ...] = (
    without_noise,
    without_names,
    lambda sentence, capitals: sentence,
)
_MAY_BE_OBJECTS = any_of("OBJECT UNKNOWN")


def numbered(found: Sequence[Found]) -> tuple[Requirement, ...]:
    """The findings as requirements with a text, sorted by kind, then as found. Repeats are merged: if any mention is a
    must-have, the merged requirement is one. An object that is counted is not listed besides."""
    counted = {f.subject for f in found if f.kind == "count"}
    plural = {f.subject for f in found if f.kind == "count" and int(f.value) > 1}
    merged: dict[tuple[str, str, str, str], Found] = {}
    for item in found:
        if item.kind == "object" and item.subject in counted:
            continue
        before = merged.get(item.key)
        merged[item.key] = replace(before, must=before.must or item.must) if before else item
    ordered = sorted(merged.values(), key=lambda item: KINDS.index(item.kind))
    return tuple(
        worded(
            Requirement(
                id=f"r{i}",
                kind=f.kind,
                subject=f.subject,
                value=f.value,
                other=f.other,
                text="-",
                must=f.must,
            ),
            many=f.subject in plural,
        )
        for i, f in enumerate(ordered, 1)
    )


def found_in(text: str, drawable: Range | None = None, alone: bool = True) -> list[Found]:
    """Everything that the rules find in a brief, in its order. Where it is in another language, only that it is.
    `alone`: the text must name what the picture shows; one further want, such as "no dogs", need not."""
    if is_foreign(text, tokens(text, drawable)):
        return [Found("other", LANGUAGE, shorten(text, 60, placeholder=" …"))]
    text = respelt(unquoted(ungrouped(text), drawable), drawable)
    line = tokens(text, drawable)
    rest, measures = technical(text, drawable)
    sentences = _sentences(tokens(rest, drawable))
    for wanted_part in _WANTED_PARTS:
        found = _read(sentences, drawable, wanted_part) + measures
        if any(
            item.kind in ("object", "count", "other") and item.subject != NOT_UNDERSTOOD for item in found
        ):
            break
        # Else what looked like talk asks for something ("it's about time for a cat"), or a name does ("Mickey Mouse").
    understood = [item for item in found if item.subject != NOT_UNDERSTOOD]
    if not any(item.kind in ("object", "count", "other") for item in understood):
        found = understood
        coloured = any(item.kind in ("attribute", "background", "technical") for item in found)
        unread = _MAY_BE_OBJECTS if coloured else _MAY_BE_OBJECTS | {Tag.COLOUR}
        unclear = alone and bool(unread & {token.tag for token in line})
        if not found or has_emoji(text) or unclear:
            # The brief may ask for something that the rules do not see: a person must look.
            found.append(Found("other", NOT_UNDERSTOOD, shorten(text, 60, placeholder=" …"), sure=False))
    return found


def _sentences(stream: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in stream:
        if token.tag is Tag.STOP:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _read(
    sentences: Sequence[Sequence[Token]],
    drawable: Range | None,
    wanted_part: Callable[[Sequence[Token], bool], Sequence[Token]],
) -> list[Found]:
    """The findings of the sentences, each read by every pass in turn. `wanted_part`: see _WANTED_PARTS."""
    any_object = drawable is None or drawable.objects is None
    context = Context()
    capitals = plainly_written([token for words in sentences for token in words])
    for words in sentences:
        guessed = guess_objects(wanted_part(words, capitals), any_object, alone=len(sentences) == 1)
        sentence = Sentence(resolved(told_apart(guessed), context.objects))
        first = len(context.found)
        for read in PASSES:
            found = read(sentence, context)  # a pass may replace context.found
            context.found += found
        context.found[first:] = with_optional(sentence, context.found[first:])
        if tells(words) and not any(item.sure for item in context.found[first:]):
            context.found[first:] = [replace(item, aside=True) for item in context.found[first:]]
        context.mention([sentence.tokens[i].value for i in sentence.objects()])
        context.of_background = _is_of_background(words)
    return _settled(context)


def _is_of_background(words: Sequence[Token]) -> bool:
    """Whether a sentence is about the background, so that "it" in the next one is the background."""
    tags = {token.tag for token in words}
    return Tag.BACKGROUND in tags and Tag.OBJECT not in tags


def _settled(context: Context) -> list[Found]:
    """The findings without negated colours of things of which another colour is wanted: "not red but blue"; and, where
    that is so, without the negated colour itself: "the draft is red. It should be blue rather than red."."""
    colours = [item for item in context.found if item.kind in ("attribute", "background", "style")]
    settled: set[tuple[str, ...]] = set()
    for negated, of, colour in context.not_coloured:
        same = [item for item in colours if of == (item.subject or item.kind)]
        if any(item.value != colour for item in same):
            settled |= {negated.key} | {item.key for item in same if item.value == colour}
    return [item for item in context.found if item.key not in settled]
