"""The text model's marks of the words of a brief, weighed against what was found in it.

The rules doubt some words: an unknown noun, a look that no model can check, words of which no pass has made anything.
The model says of every word how likely it belongs to a want. Each knows kinds of talk that the other does not, so it
takes little for a person to be asked about a word that the rules doubt, and more about one that they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from models.english import singular
from models.protocols import Mark, Marks, Role
from pipeline.range import Range
from pipeline.reading.finding import LANGUAGE, NOT_UNDERSTOOD, Found
from pipeline.reading.lexicon import COLOURS, ENGLISH, tokens
from pipeline.reading.spelling import respelt
from pipeline.reading.tags import Tag, any_of


@dataclass(frozen=True, slots=True)
class Bounds:
    """Probabilities, chosen on briefs that were left out of the marker's training (scripts/training/marker.py).

    Words that the rules doubt are talk below `doubted` of being beyond the models; words that they do not doubt are
    left to a person from `noticed` on. An object below `wanted` is not wanted. From `certain` on, the model overrules
    the rules: such an object is ruled out, or beyond the models. Words that the rules know and made nothing of are left
    to a person from `overlooked` on."""

    doubted: float = 0.08
    noticed: float = 0.4
    wanted: float = 0.2
    certain: float = 0.6
    overlooked: float = 0.8


BOUNDS = Bounds()
_CONTENT = any_of("UNKNOWN LOOK COLOUR NUMBER QUANTITY ACTION MOOD OBJECT")
_KNOWN = any_of("OBJECT COLOUR NUMBER RELATION SIDE")
_HOLDS_TOGETHER = any_of(
    "WITH BEHIND AND OF IN ON BE DETERMINER PRONOUN"
)  # what they lead to is noticed by itself
_PART_BEFORE, _PART_AFTER = re.compile(r"[\w'-]+-$"), re.compile(r"-[\w'-]+")
_RATIO = re.compile(r"(\d+)\s?:\s?(\d+)")
_LEADS = frozenset(("a", "an", "one", "two", "three", "four", "some", "the"))
_JOINS = frozenset(("and", "plus", "&"))
_PICTURES = frozenset(ENGLISH["pictures"])
_SHORT = 3  # letters: shorter words that only hold a sentence together are not noticed alone
_AROUND = 0.12  # words beside a noticed one belong to the same run from this probability on


@dataclass(frozen=True, slots=True)
class _Word:
    """`meanings`: the word in the names of the range, and in the singular; `content`: whether it could be a want by
    itself; `known`: whether it is one of those that the rules make wants of."""

    mark: Mark
    written: str
    meanings: frozenset[str]
    content: bool
    known: bool
    joint: bool

    def noticed(self, bounds: Bounds) -> bool:
        """Whether it is left to a person where no finding has it. Only a word that the rules know can be a want of
        which they made nothing."""
        beyond, wanted = self.mark.roles["beyond"], self.mark.roles["want"]
        if self.known and beyond + wanted >= bounds.overlooked:
            return True
        if self.content:
            return beyond >= bounds.noticed
        return not self.joint and len(self.written) > _SHORT and beyond >= bounds.certain


def weighed(
    text: str, found: Sequence[Found], marks: Marks, drawable: Range | None, bounds: Bounds = BOUNDS
) -> list[Found]:
    """The findings, weighed.

    What the rules doubt and the model takes for talk is left out; a soft word becomes nice to have. An object that the
    model takes for ruled out becomes an absence. One that it takes for talk is left to a person, and so are words that
    only the model takes for a want. Where nothing else is wanted, nothing is left out."""
    words = list(_words(text, marks, drawable))
    settled = _settled(found, words, bounds)
    listed = _listed(text, words, settled, drawable) | _related(settled, drawable)
    sure = {name for item in settled if not _doubted(item, drawable) for name in _names(item)}
    kept = [one for item in settled for one in _weigh(item, words, sure, listed, drawable, bounds)]
    shown = {item.subject for item in kept if item.kind in ("object", "count")}
    if not shown:
        kept, shown = list(found), {item.subject for item in found}
    claimed = {name for item in found for name in _names(item)}
    words = [word for word, following in zip_longest(words, words[1:]) if not _frames(word, following)]
    if any(item.kind == "technical" and item.subject == "size" for item in found):
        claimed |= {number for ratio in _RATIO.findall(text) for number in ratio}
    kept = [
        i
        for i in kept
        if i.kind not in ("attribute", "relation") or {i.subject, i.other or i.subject} <= shown
    ]
    runs = _runs(words, claimed, bounds)
    return _once([*kept, *(Found("other", NOT_UNDERSTOOD, run, sure=False) for run in runs)])


def _frames(word: _Word, following: _Word | None) -> bool:
    """Whether the word names the picture itself: "a photo of a cat"."""
    return word.written.lower() in _PICTURES and following is not None and following.written.lower() == "of"


def _related(found: Sequence[Found], drawable: Range | None) -> set[str]:
    """The things that stand to each other in a relation, as in "a zebra right of a parking meter". The rules doubt both
    there, but the relation is a want of its own."""
    return {
        name
        for item in found
        if item.kind == "relation" and not _doubted(item, drawable)
        for name in (item.subject, item.other)
    }


def _listed(text: str, words: Sequence[_Word], found: Sequence[Found], drawable: Range | None) -> set[str]:
    """The things that the rules doubt and that stand in a list with a thing that they do not doubt, as the bird in "a
    cat, a dog and a bird": right before them stands a thing of the list, and "and a" or ", a"."""
    things = [item for item in found if item.kind in ("object", "count")]
    shown = {item.subject for item in things if not _doubted(item, drawable)}
    doubted = {name: item.subject for item in things if _doubted(item, drawable) for name in _names(item)}
    listed: set[str] = set()
    for last, word in enumerate(words):
        names = word.meanings & doubted.keys()
        lead = last - 1
        while (
            lead > 0 and words[lead].written.lower() not in _LEADS and words[lead].meanings & doubted.keys()
        ):
            lead -= 1  # "a polar bear"
        if not names or lead < 1 or words[lead].written.lower() not in _LEADS:
            continue
        joined = words[lead - 1].written.lower() in _JOINS
        before = words[lead - 2] if joined and lead > 1 else words[lead - 1]
        between = text[before.mark.end : words[lead].mark.start]
        if (joined or between.strip() == ",") and before.meanings & (shown | listed):
            listed |= {doubted[name] for name in names}
    return listed


def _once(found: Sequence[Found]) -> list[Found]:
    """The findings without words that were not understood and stand in a longer run of such words."""
    unread = {id(item): set(item.value.lower().split()) for item in found if item.subject == NOT_UNDERSTOOD}
    return [
        item
        for item in found
        if not (id(item) in unread and any(unread[id(item)] < other for other in unread.values()))
    ]


def _weigh(
    item: Found,
    words: Sequence[_Word],
    sure: set[str],
    listed: set[str],
    drawable: Range | None,
    bounds: Bounds,
) -> list[Found]:
    """What becomes of one finding. `sure`: the words of all findings that the rules do not doubt; `listed`: things in a
    list with wanted ones, or in a relation."""
    about = [word for word in words if word.content and word.meanings & _names(item)]
    mine = [word.mark for word in about]
    if not mine or not item.must:
        return [item]
    beyond = _most(mine, "beyond")
    if _doubted(item, drawable):
        certain = (
            item.subject in listed if item.kind in ("object", "count") else item.kind == "other" and item.sure
        )
        overlooked = any(word.noticed(bounds) for word in about if not word.meanings & sure)
        lost = item.subject == NOT_UNDERSTOOD and _most(mine, "want") >= bounds.overlooked
        if beyond >= bounds.doubted or certain or overlooked or lost:
            return [item]
        soft = _most(mine, "soft") >= bounds.noticed and item.kind not in ("object", "count")
        return [replace(item, must=False)] if soft else []
    if item.kind not in ("object", "count", "absence"):
        return [item]
    asked = _most(mine, "want") if item.kind != "absence" else _most(mine, "absent")
    left = Found("other", NOT_UNDERSTOOD, item.subject, at=item.at, sure=False)
    if beyond >= bounds.certain and asked < bounds.wanted:
        return [left]
    if item.kind == "absence" or beyond + asked >= bounds.wanted:
        return [item]
    ruled_out = _most(mine, "absent") >= bounds.certain
    return [Found("absence", item.subject, at=item.at)] if ruled_out else [left]


def _settled(found: Sequence[Found], words: Sequence[_Word], bounds: Bounds) -> list[Found]:
    """The findings without those that contradict another one and whose words the model takes for no want."""

    def likely(item: Found) -> float:
        named = {item.subject} if item.kind in ("object", "count", "absence") else {item.value}
        if item.kind == "count":
            named = {item.value}
        wanted: tuple[Role, ...] = ("absent",) if item.kind == "absence" else ("want", "beyond")
        mine = [word.mark for word in words if word.meanings & named]
        return _most(mine, *wanted) if mine else 1.0

    def contradicts(one: Found, other: Found) -> bool:
        if one.kind == "attribute" and not {one.value, other.value} <= COLOURS:
            return False  # something can be red and striped
        if one.kind == other.kind and one.kind in ("attribute", "count", "style", "background"):
            return one.subject == other.subject and one.value != other.value
        pair = {one.kind, other.kind}
        return "absence" in pair and bool(pair & {"object", "count"}) and one.subject == other.subject

    return [
        item
        for item in found
        if likely(item) >= bounds.wanted
        or not any(contradicts(item, other) and likely(other) > likely(item) for other in found)
    ]


def _words(text: str, marks: Marks, drawable: Range | None) -> Iterator[_Word]:
    for mark in marks.words:
        written = text[mark.start : mark.end]
        before, after = _PART_BEFORE.search(text, 0, mark.start), _PART_AFTER.match(text, mark.end)
        whole = f"{before[0] if before else ''}{written}{after[0] if after else ''}"  # "T-shirt", "sky-blue"
        as_tokens = tokens(respelt(whole, drawable), drawable)
        values = {token.value or token.text for token in as_tokens}
        content = any(token.tag in _CONTENT for token in as_tokens)
        known = any(
            token.tag in _KNOWN and (token.known or token.tag is not Tag.OBJECT) for token in as_tokens
        )
        joint = all(token.tag in _HOLDS_TOGETHER for token in as_tokens)
        yield _Word(mark, written, frozenset({singular(written.lower()), *values}), content, known, joint)


def _names(item: Found) -> set[str]:
    """The words that a finding is made of, and its objects."""
    named = [name for name in (item.subject, item.value, item.other) if name and name != NOT_UNDERSTOOD]
    words = {word.strip(".,;:!?'\"()") for name in named for word in name.lower().split()}
    # The marker takes "2.5" and "#ff0000" apart.
    parts = {
        part for word in words if any(char.isdigit() for char in word) for part in re.findall(r"\w+", word)
    }
    return {singular(word) for word in words} | parts | set(named)


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


def _runs(words: Sequence[_Word], claimed: set[str], bounds: Bounds) -> list[str]:
    """The words that belong to no finding and are noticed, each with those around it."""
    runs: list[str] = []
    run: list[_Word] = []
    for word in (*words, None):
        if (
            word
            and not word.meanings & claimed
            and word.mark.roles["beyond"] + word.mark.roles["want"] >= _AROUND
        ):
            run.append(word)
            continue
        if any(each.noticed(bounds) for each in run):
            runs.append(" ".join(each.written for each in run))
        run = []
    return runs
