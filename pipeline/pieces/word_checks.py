"""Checks of a field of words: its length, what it names, its language, how hard it is to read, and that it claims
nothing that the brief does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.english import NUMBERS, plural
from pipeline.pieces.record import PartCheck
from pipeline.pieces.words import Facts
from pipeline.pieces.workflow import TextField
from pipeline.reading.language import is_foreign
from pipeline.reading.lexicon import tokens

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_COUNTED = {word: str(n) for n, word in enumerate(NUMBERS) if n > 1}
_PRICE = re.compile(
    r"[€$£¥%]|\b(?:euros?|dollars?|pounds?|cents?|discounts?|sale|free|price[ds]?|cheap)\b", re.I
)
# Words that praise: true of few things, and of none because a text says so.
_PRAISE = frozenset(
    ("amazing", "authentic", "award-winning", "exclusive", "exceptional", "guaranteed", "incredible",
     "innovative", "leading", "luxurious", "luxury", "magical", "official", "only", "original", "perfect",
     "premium", "revolutionary", "special", "stunning", "superb", "top", "ultimate", "unique", "unmatched")
)  # fmt: skip
_SUPERLATIVE = re.compile(r"\b(?:best|worst|most|least|\w{3,}(?:i|[^aeiou])est)\b", re.I)
_NO_SUPERLATIVE = frozenset(
    ("forest", "harvest", "interest", "honest", "modest", "conquest", "request", "protest", "contest", "crest",
     "guest", "quest", "digest", "invest", "suggest", "attest", "arrest", "chest")
)  # fmt: skip
_LONG = 6  # letters; longer words count as long in LIX
_PAUSES = re.compile(r"[.!?:]+(?=\s|$)")


def check_field(step: str, name: str, text: str, wanted: TextField, facts: Facts) -> list[PartCheck]:
    """All checks of a field, the passed ones in one."""
    failed = [
        PartCheck(step=step, name=f"{name}: {what}", outcome="fail", reason=why, mends=(step,), field=name)
        for what, why in _faults(name, text, wanted, facts)
    ]
    passed = PartCheck(
        step=step, name=f"{name}: words", outcome="pass", reason=f"{len(text)} characters", field=name
    )
    return failed or [passed]


def _faults(name: str, text: str, wanted: TextField, facts: Facts) -> Iterator[tuple[str, str]]:
    """What is wrong, and why."""
    if fault := fault_of_form(name, text, wanted):
        yield fault
    if name == "file_name":  # of words that were checked as another field
        return
    named = [thing for thing in facts.names if _names(text, thing)]
    if wanted.names == "all" and len(named) < len(facts.names):
        missing = next(thing for thing in facts.names if thing not in named)
        yield "names", f"it does not name the {missing}"
    if wanted.names == "one" and facts.names and not named:
        yield "names", f"it names nothing of what the picture shows, for example the {facts.names[0]}"
    if found := [word for word in (*wanted.never, *facts.absent) if _names(text, word)]:
        yield "never", f"it names “{found[0]}”, which must not be there"
    if text and not _foreign(facts.brief) and _foreign(text):
        yield "language", "it is not in the language of the brief"
    if claims := claims_in(text, facts):
        yield "claims", f"the brief does not say “{claims[0]}”"
    if (hard := lix(text)) > wanted.level:
        yield "reading", f"LIX {hard:.0f}, harder than {wanted.level:.0f}; use shorter words and sentences"


def fault_of_form(name: str, text: str, wanted: TextField) -> tuple[str, str] | None:
    """What is wrong with a field whatever the picture shows, and why: its length, lines or letters."""
    if not wanted.least <= len(text) <= wanted.most:
        shorten = "; shorten it" if len(text) > wanted.most else ""
        return "length", f"{len(text)} characters; it must have {wanted.least} to {wanted.most}{shorten}"
    if "\n" in text:
        return "lines", "it must be one line"
    if name == "file_name" and not re.fullmatch(r"[\w-]*", text):
        return "letters", "a file name has letters, digits and hyphens only"
    return None


def claims_in(text: str, facts: Facts) -> list[str]:
    """Numbers, prices, superlatives, praise and names that neither the brief nor the requirements have."""
    source = " ".join((facts.brief, facts.ground, facts.style, *(r.text for r in facts.wants))).casefold()
    known = {_COUNTED.get(word, word) for word in _WORD.findall(source)} | {
        str(n) for n in facts.counts.values()
    }
    words = _WORD.findall(text)
    numbers = [
        word
        for word in words
        if (word[0].isdigit() or word.casefold() in _COUNTED)
        and _COUNTED.get(word.casefold(), word.casefold()) not in known
    ]
    prices = [found[0] for found in _PRICE.finditer(text) if found[0].casefold() not in source]
    praise = [word for word in words if word.casefold() in _PRAISE and word.casefold() not in known]
    praise += [
        found[0]
        for found in _SUPERLATIVE.finditer(text)
        if found[0].casefold() not in known | _NO_SUPERLATIVE
    ]
    starts = {match.end() for match in re.finditer(r"(?:^|[.!?:]\s+)[\"'“‘(]*", text)}
    names = [
        match[0]
        for match in _WORD.finditer(text)
        if match[0][0].isupper()
        and match.start() not in starts
        and not {match[0].casefold(), plural(match[0].casefold())} & known
    ]
    return [*numbers, *prices, *praise, *names]


def lix(text: str) -> float:
    """The readability of a text (Björnsson, 1968): words per sentence, plus the share of words of more than six letters
    in per cent. A text of fewer than ten words has too few for a share: then it is the words of a sentence alone."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    per_sentence = len(words) / max(1, len(_PAUSES.findall(text.rstrip() + ".")))
    long = sum(len(word) > _LONG for word in words)
    return per_sentence + (100 * long / len(words) if len(words) >= 10 else 0.0)


def _foreign(text: str) -> bool:
    return is_foreign(text, tokens(text, None))


def _names(text: str, thing: str) -> bool:
    forms = {thing, plural(thing), thing.rpartition(" ")[2], plural(thing.rpartition(" ")[2])}
    return bool(re.search(rf"\b(?:{'|'.join(map(re.escape, forms))})\b", text, re.IGNORECASE))
