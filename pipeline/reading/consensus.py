"""The readings of one brief by the text model and by the rules, combined into one.

What the model writes is checked against the words of the brief, since it may invent wants. The rules invent little, but
miss what is put in unusual words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from models.english import OPPOSITE
from pipeline.range import Range
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import COLOURS, singular, tokens
from pipeline.reading.tags import Tag
from pipeline.reading.technical import technical


def combined(
    text: str, by_rules: Sequence[Found], by_model: Sequence[Found], drawable: Range | None
) -> list[Found]:
    """Both readings as one: the findings of the model that the words of the brief support, and those of the rules that
    complete them. Where both give an object's colour, a relation of two objects or the background, and differ, the
    rules hold: they miss more, but are wrong less often. Without an object from the model, the rules' reading alone."""
    evidence = Evidence(text, drawable)
    spelt = _respelt([evidence.canonical(item) for item in by_model], by_rules, evidence)
    found = {key_of(item): item for item in spelt if evidence.supports(item)}
    if not any(item.kind in ("object", "count") for item in found.values()):
        return list(by_rules)
    rules = {key_of(item): item for item in by_rules}
    objects = {name for item in found.values() for name in (item.subject, item.other)}
    against = [f for f in by_rules if f.sure and (f.subject in objects or f.kind not in _ABOUT_OBJECTS)]
    kept = [
        replace(rules.get(key, item), must=item.must)
        for key, item in found.items()
        if key in rules
        or not any(
            _contradict(item, other, evidence)
            for other in against
            # Where the model found the rules' want too, it means its own of that kind as a second one.
            if other.kind != item.kind or key_of(other) not in found
        )
    ]
    kept = [item for item in kept if item.key in rules or not _is_repeated(item, kept)]
    for item in by_rules:
        if _completes(item, kept):
            kept = [
                k for k in kept if item.kind != "count" or (k.kind, k.subject) != ("object", item.subject)
            ]
            kept.append(item)
    return kept


def _contradict(item: Found, other: Found, evidence: Evidence) -> bool:
    """Whether the model's `item` takes words for something else than the rules' `other` does, or gives another value
    where there can be one only."""
    if other.kind == "other":  # "a cat or a dog" asks for neither of them alone
        return " or " in other.value and bool(item.subject) and item.subject in other.value
    if item.kind != other.kind:
        appearance = {"attribute", "style", "background", "technical"}
        once = evidence.values[item.value] < 2  # "a black bee on black" has it twice
        return {item.kind, other.kind} <= appearance and item.value == other.value and once
    if item.kind in ("background", "style") and set(other.value.split()) < set(item.value.split()):
        # "coral reef" is not the colour coral
        return False
    colours = all(found.value.split()[-1:] and found.value.split()[-1] in COLOURS for found in (item, other))
    match item.kind:
        case "background":
            return True
        case "style":  # "poly" beside "low poly"
            return bool(set(item.value.split()) & set(other.value.split()))
        case "attribute":
            return item.subject == other.subject and colours
        case "relation":
            return {item.subject, item.other} == {other.subject, other.other}
    return False


def _is_repeated(item: Found, kept: Sequence[Found]) -> bool:
    """Whether a style or an `other` want repeats the words of a look or an absence: "pink tone" beside a pink cat."""
    if item.kind not in ("style", "other"):
        return False
    kinds = ("attribute", "background", "style") if item.kind == "other" else ()
    looks = {f.value for f in kept if f.kind in kinds}
    return item.value in {f.subject for f in kept if f.kind == "absence"} or bool(
        looks & set(item.value.split())
    )


def _respelt(by_model: list[Found], by_rules: Sequence[Found], evidence: Evidence) -> list[Found]:
    """The model's findings with a misspelt object corrected: where one name is not in the brief, the rules have one
    object that the model has not, and both begin with the same letter."""
    named = dict.fromkeys(
        n for item in by_model if item.kind in _ABOUT_OBJECTS for n in (item.subject, item.other) if n
    )
    misspelt = [name for name in named if not evidence.contains(name)]
    missing = [f.subject for f in by_rules if f.kind in ("object", "count") and f.subject not in named]
    if len(misspelt) != 1 or len(missing) != 1 or missing[0][0] != misspelt[0][0]:
        return by_model
    fixed = {misspelt[0]: missing[0]}
    return [
        replace(item, subject=fixed.get(item.subject, item.subject), other=fixed.get(item.other, item.other))
        for item in by_model
    ]


_NOT_BUT = re.compile(r"^(?:not|no|never) (?:\w+ ){1,3}but (?:rather )?(?=\w)")
_ABOUT_OBJECTS = frozenset(("object", "count", "attribute", "relation"))


def _completes(item: Found, kept: Sequence[Found]) -> bool:
    """Whether a finding of the rules adds something to what is kept."""
    same = [f for f in kept if f.kind == item.kind]
    shown = {f.subject for f in kept if f.kind in ("object", "count")}
    named = shown | {end for f in kept if f.kind in _ABOUT_OBJECTS for end in (f.subject, f.other) if end}
    absent = {f.subject for f in kept if f.kind == "absence"}
    match item.kind:
        case "object":
            return item.subject in named - shown
        case "count":
            return item.subject in named and all(f.subject != item.subject for f in same)
        case "attribute":
            new = item.value not in {f.value for f in kept} or all(f.subject != item.subject for f in same)
            return item.sure and new and item.subject in named - absent
        case "relation":
            ends = {item.subject, item.other}
            return ends <= named and all({f.subject, f.other} != ends for f in same)
        case "background" | "style":
            return item.sure and not same
        case "technical":
            return all(f.subject != item.subject for f in same)
    # An absence, or the first `other` want, of whose words no kept finding is made.
    words = {word for f in kept for word in f"{f.subject} {f.value} {f.other}".split()}
    return (
        item.sure
        and (item.kind == "absence" or not same)
        and not words & set(f"{item.subject} {item.value}".split())
    )


def key_of(item: Found) -> tuple[str, ...]:
    """What makes two findings the same want; one key for "a left of b" and "b right of a"."""
    if item.kind == "relation" and item.value in ("right", "below"):
        return ("relation", item.other, OPPOSITE[item.value], item.subject)
    return item.key


class Evidence:
    """The words of a brief, against which findings are checked."""

    def __init__(self, text: str, drawable: Range | None) -> None:
        # Without sizes, times and the like: their words and numbers support no other finding.
        rest, _ = technical(text, drawable)
        self.tokens = tokens(rest, drawable)
        self.drawable = drawable
        self.values = Counter(t.value for t in self.tokens)
        self.text = text.lower()
        self.words = {singular(w) for w in re.findall(r"\w+", rest)}

    def canonical(self, item: Found) -> Found:
        """The finding in the names of the range: the model may write "puppy" for what the range calls dog."""

        def name(word: str, tag: Tag | None) -> str:
            as_token = tokens(word, self.drawable)
            return as_token[0].value if len(as_token) == 1 and as_token[0].tag is tag else word

        if item.kind == "other":  # "not boring but calm" asks for calm
            item = replace(item, value=_NOT_BUT.sub("", item.value))
        value = name(item.value, {"style": Tag.STYLE, "other": None}.get(item.kind, Tag.COLOUR))
        if not item.subject:
            return replace(item, value=value)
        return replace(
            item, subject=name(item.subject, Tag.OBJECT), value=value, other=name(item.other, Tag.OBJECT)
        )

    def contains(self, words: str) -> bool:
        """Whether the brief has these words, in the singular or the plural."""
        return words in self.values or all(singular(w) in self.words for w in re.findall(r"\w+", words))

    def supports(self, item: Found) -> bool:
        """Whether the brief has the words that the finding is made of."""
        item = self.canonical(item)
        if not all(self.contains(word) for word in (item.subject, item.other) if item.kind != "technical"):
            return False
        if item.kind in ("attribute", "background", "style"):
            return self.contains(item.value)
        if item.kind == "count":
            return any(t.tag is Tag.NUMBER and t.value == item.value for t in self.tokens)
        if item.kind == "relation":
            turned = OPPOSITE.get(item.value)
            return any(
                t.tag in (Tag.RELATION, Tag.SIDE) and t.value in (item.value, turned) for t in self.tokens
            ) or (
                re.search(r"\b(left|right|top|bottom|up|down|upper|lower|crown|over|under)", self.text)
                is not None
            )
        if item.kind == "technical":
            if item.value == "square" and re.search(r"equal|same|1 ?: ?1|as wide as|as tall as", self.text):
                return True
            words_needed = "contrast" if item.subject == "contrast" else item.value
            return all(
                w in self.text
                for w in re.findall(r"\d+|[a-z]{3,}", words_needed)
                if w not in ("wide", "tall")
            )
        if item.kind == "other":
            words = re.findall(r"\w+", item.value)
            return sum(w in self.text for w in words) * 2 > len(words)
        return True
