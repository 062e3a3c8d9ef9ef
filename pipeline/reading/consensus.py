"""The readings of one brief by the text model and by the rules, combined into one.

The rules read first, and know what they did not understand; the model reads what they left. What it writes is checked
against the words of the brief, since it may invent wants.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from models.english import OPPOSITE, singular
from pipeline.brief import BEYOND_THINGS
from pipeline.range import Range, draws_anything
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.lexicon import COLOURS, Token, tokens
from pipeline.reading.spelling import respelt
from pipeline.reading.tags import Tag, any_of
from pipeline.reading.technical import technical


def combined(
    text: str, by_rules: Sequence[Found], by_model: Sequence[Found], drawable: Range | None
) -> list[Found]:
    """Both readings as one. Where the image model may be asked for anything, see `completed`; elsewhere, what the rules
    are sure of stands. A finding of the model counts where the words of the brief support it and it takes up words that
    the rules guessed at or did not understand; so it turns no context into a want, and overrules no absence, number or
    colour. Where the rules are unsure of anything, the colours, places and
    the like that it found count too, if they contradict nothing. What the model confirms is no guess any more. A guess
    that it does not confirm, and words of which it makes nothing either, are left to a person; those of a sentence that
    only tells something are left out where another sentence is sure of a thing. Where the rules found nothing to draw,
    the model's findings complete theirs; where the model found nothing, the rules read alone."""
    evidence = Evidence(text, drawable)
    if draws_anything(drawable) and by_model:
        return completed(by_rules, by_model, evidence)
    said: dict[tuple[str, ...], Found] = {}
    for item in _respelt([evidence.canonical(item) for item in by_model], by_rules, evidence):
        if evidence.supports(item):
            said.setdefault(key_of(item), item)
    if not any(item.kind in ("object", "count") for item in said.values()):
        return list(by_rules)
    unread = [item for item in by_rules if item.subject == NOT_UNDERSTOOD]
    read = [item for item in by_rules if item.subject != NOT_UNDERSTOOD]
    guessed = [item for item in read if not item.sure and key_of(item) not in said]
    kept = [item for item in read if item not in guessed]
    free = {word for item in (*unread, *guessed) for word in _words_of(item)}
    unsure = any(not item.sure for item in by_rules)
    blank = not any(item.kind in ("object", "count") for item in read)
    added: list[Found] = []
    for key, item in said.items():
        have = {key_of(other) for other in (*kept, *added)}
        completes = unsure and item.kind not in ("object", "count", "other")
        if key in have or not (blank or completes or _words_of(item) & free):
            continue
        if _has_objects(item, [*kept, *added]) and not any(
            _contradict(item, other) for other in [*kept, *added]
        ):
            kept = [other for other in kept if not _is_part(other, item)]
            added.append(item)
    claimed = {word for item in (*kept, *added) for word in _words_of(item)}
    sure = any(item.sure and item.kind in ("object", "count") for item in kept)
    unread, guessed = ([item for item in some if not (sure and item.aside)] for some in (unread, guessed))
    left = [part for item in unread for part in evidence.without(item, claimed)]
    taken = {word for item in added for word in _words_of(item)}
    left += [_not_understood(item) for item in guessed if not _words_of(item) & taken]
    return _about_objects([*kept, *added, *left])


def completed(by_rules: Sequence[Found], by_model: Sequence[Found], evidence: Evidence) -> list[Found]:
    """All that the model found, and what the rules found in words of which it made nothing: what they are sure of as
    it is, if it contradicts nothing of the model's, and the rest for a person. Rules know few of the words of an open
    domain, so they take nothing back. But an absence that they are sure of stands: where the model found the thing, the
    brief is seen to contradict itself."""
    of_model = _one_palette(list({key_of(item): item for item in by_model}.values()))
    said = list(of_model)
    claimed = {word for item in said for word in _words_of(item)} | _SMALL
    objects = any(item.kind in ("object", "count") for item in said)
    for item in by_rules:
        if (item.aside and objects) or key_of(item) in {key_of(other) for other in said}:
            continue
        if item.sure and item.subject != NOT_UNDERSTOOD:
            new = not _words_of(item) <= claimed and not any(_contradict(item, other) for other in of_model)
            if new or item.kind == "absence":
                said.append(item)
        else:
            unread = item if item.subject == NOT_UNDERSTOOD else _not_understood(item)
            said += evidence.without(unread, claimed)
    return said


def _one_palette(found: list[Found]) -> list[Found]:
    """The findings with one palette of all colours that were found apart: blue and orange may cover most of a picture
    together, but not each of them."""
    palettes = [item for item in found if item.kind == "technical" and item.subject == "palette"]
    if len(palettes) < 2:
        return found
    colours = " and ".join(item.value for item in palettes)
    whole = replace(palettes[0], value=colours, must=any(item.must for item in palettes))
    return [*(item for item in found if item not in palettes), whole]


def _words_of(item: Found) -> set[str]:
    """The words that a finding is made of, in the singular."""
    subject = "" if item.subject == NOT_UNDERSTOOD else item.subject
    written = f"{subject} {item.value} {item.other}".lower()
    parts = re.findall(r"\d+|[^\W\d]+", written)  # "35mm" is "35 mm" too
    return {singular(word) for word in (*re.findall(r"\w+", written), *parts)}


def _not_understood(item: Found) -> Found:
    words = f"{item.value} {item.subject}".strip()
    return Found("other", NOT_UNDERSTOOD, words, at=item.at, sure=False, must=item.must)


def _has_objects(item: Found, among: Sequence[Found]) -> bool:
    """Whether the objects that an attribute or a relation is about are there."""
    if item.kind not in _ABOUT_SHOWN:
        return True
    shown = {other.subject for other in among if other.kind in ("object", "count")}
    return {item.subject, item.other or item.subject} <= shown


def _about_objects(found: Sequence[Found]) -> list[Found]:
    """The findings without those about an object that is left to a person."""
    return [item for item in found if item.kind not in _ABOUT_SHOWN or _has_objects(item, found)]


def _contradict(item: Found, other: Found) -> bool:
    """Whether the model's `item` says something else than what the rules are sure of, `other`, where only one of them
    can hold."""
    if (
        other.kind == "other" and " or " in other.value and item.subject
    ):  # "a cat or a dog" asks for neither alone
        return item.subject in other.value
    match item.kind:
        case "object" | "count":
            return item.subject == other.subject and other.kind in ("object", "count", "absence")
        case "absence":
            return other.subject == item.subject
        case "background" | "style":
            return other.kind == item.kind and not _is_part(other, item)
        case "attribute":
            colours = all(
                found.value.split()[-1:] and found.value.split()[-1] in COLOURS for found in (item, other)
            )
            return other.kind == "attribute" and item.subject == other.subject and colours
        case "relation":
            return other.kind == "relation" and {item.subject, item.other} == {other.subject, other.other}
        case "technical":
            return other.kind == "technical" and other.subject == item.subject
    return False


def _is_part(item: Found, whole: Found) -> bool:
    """Whether a background or style is only a part of the `whole` one: "coral" of "coral reef"."""
    return item.kind == whole.kind in ("background", "style") and set(item.value.split()) < set(
        whole.value.split()
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


def _is_claimed(token: Token, claimed: set[str]) -> bool:
    """Whether findings are made of a word, or of all words of a token of several, such as "tea leaves"."""
    forms = (token.value, token.text)
    whole = {singular(form) for form in forms} & claimed
    return bool(whole) or any(form and {singular(w) for w in form.split()} <= claimed for form in forms)


# Words that hold others together. No want is made of them alone.
_SMALL = frozenset(["a", "an", "the", "and", "at", "by", "for", "from", "in", "of", "on", "to", "with"])
_NOT_BUT = re.compile(r"^(?:not|no|never) (?:\w+ ){1,3}but (?:rather )?(?=\w)")
_ABOUT_SHOWN = frozenset(("attribute", "relation", "action"))
_ABOUT_OBJECTS = _ABOUT_SHOWN | {"object", "count"}
# Tags of words that may be a want themselves.
_MEANINGFUL = any_of(
    "OBJECT COLOUR NUMBER STYLE BACKGROUND RELATION SIDE LOOK MOOD UNKNOWN QUANTITY ACTION SPATIAL NO NOT NOT_DRAWN"
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
        text = respelt(text, drawable)
        rest, _ = technical(text, drawable)
        self.tokens = tokens(rest, drawable)
        self.drawable = drawable
        self.values = Counter(t.value for t in self.tokens)
        self.text = text.lower()
        self.words = {singular(w) for w in re.findall(r"\w+", rest.lower())}

    def canonical(self, item: Found) -> Found:
        """The finding in the names of the range: the model may write "puppy" for what the range calls dog."""

        def name(word: str, tag: Tag | None) -> str:
            as_token = tokens(word, self.drawable)
            return as_token[0].value if len(as_token) == 1 and as_token[0].tag is tag else word

        if item.kind == "other":  # "not boring but calm" asks for calm
            item = replace(item, value=_NOT_BUT.sub("", item.value))
        value = item.value
        if item.kind not in BEYOND_THINGS:
            value = name(value, {"style": Tag.STYLE, "other": None}.get(item.kind, Tag.COLOUR))
        if not item.subject:
            return replace(item, value=value)
        return replace(
            item, subject=name(item.subject, Tag.OBJECT), value=value, other=name(item.other, Tag.OBJECT)
        )

    def contains(self, words: str) -> bool:
        """Whether the brief has these words, in the singular or the plural."""
        return words in self.values or all(singular(w) in self.words for w in re.findall(r"\w+", words))

    def without(self, item: Found, claimed: set[str]) -> list[Found]:
        """What was not understood, without the words of which something was made meanwhile."""
        runs: list[list[str]] = [[]]
        for token in tokens(item.value, self.drawable):
            if token.tag in _MEANINGFUL and not _is_claimed(token, claimed):
                runs[-1].append(token.written)
            elif token.tag in _MEANINGFUL or token.tag is Tag.COMMA:
                runs.append([])
        whole = sum(map(len, runs)) == sum(t.tag in _MEANINGFUL for t in tokens(item.value, self.drawable))
        return [item] if whole else [replace(item, value=" ".join(run)) for run in runs if run]

    def supports(self, item: Found) -> bool:
        """Whether the brief has the words that the finding is made of."""
        item = self.canonical(item)
        if not all(self.contains(word) for word in (item.subject, item.other) if item.kind != "technical"):
            return False
        if item.kind in ("attribute", "background", "style"):
            return self.contains(item.value)
        if item.kind == "absence":
            return item.subject not in COLOURS  # "not orange" is about the colour of something
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
        if item.kind == "other" or item.kind in BEYOND_THINGS:
            words = re.findall(r"\w+", item.value.lower())
            return sum(w in self.text for w in words) * 2 > len(words)
        return True
