"""Numbers that are no plain count: times, bounds ("at least two"), shares ("half red, half blue"), other notations."""

from __future__ import annotations

import re

from models.english import NUMBERS
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import ENGLISH

_N = rf"(?:\d+|{'|'.join(NUMBERS[1:])})"
_PART = r"(?:half past |quarter (?:past|to) )?"
_END = r"(?=\s*(?:[.,;:!?)]|$|(?:on|in|with|against|at)\b))"
# Times and the like: wants that nothing can check, kept in the user's words.
_UNCHECKABLE = (
    # "[a clock] showing half past three"
    rf"\b(?:showing|reading|set to|pointing (?:at|to)) {_PART}{_N}(?: (?:past|to) {_N})?(?: ?o'?clock)?{_END}",
    # "at ten past nine"
    rf"\bat {_PART}{_N}(?: (?:past|to) {_N}| ?o'?clock){_END}",
    # "at 10:15 pm"
    r"\b(?:showing |reading |set to |at )?\d{1,2}:\d\d\b(?: ?[ap]\.?m\b\.?)?",
)
# "[two apples,] one red and one green"; not "one lemon and one pear"
_SHARES = re.compile(rf"\bone ([a-z]+),? (?:and )?(?:the other|one|another) ([a-z]+){_END}", re.IGNORECASE)
_COLOURS = frozenset(ENGLISH["colours"])
# "[two cats,] one of them black"; "[bees,] four of them red" counts the bees
_SOME_OF = re.compile(
    rf"(?<!every )(?<!each )\b({_N}) of (?:them|these|those)(?: (?:is|are|being|in|should be|must be))? ([a-z]+)\b",
    re.IGNORECASE,
)
_ANY_NUMBER = re.compile(rf"\b{_N}\b", re.IGNORECASE)
_PLAIN_FORMS = (
    (rf"\b({_N}) \({_N}\)", r"\1"),  # "two (2) lemons"
    (r"\b([a-z]+s) \((\d+)\)", r"\2 \1"),  # "balloons (3)"
    (r"\b(?:0|zero) (?=[a-z])", "no "),  # "zero dogs"
    (r"\b(\d+) ?[x×] ?(?=[a-z])", r"\1 "),  # "2 x apple"
    (r"([a-z]),? ?\(?[x×] ?(\d+)\b\)?(?! ?(?:[x×]|px))", r"\1, \2 of them"),  # "a bear, x3"
    (rf"\b([a-z]+s): ({_N})(?=\s*(?:[,;.]|$))", r"\2 \1"),  # "balloons: 3"
    # "half red and half blue"
    (r"\bhalf ([a-z]+),?(?: and)? half ([a-z]+)\b", r"\1 and \2"),
)
# "1.5 apples", "½ apple", "two and a half apples": nothing counts parts
_FRACTIONS = re.compile(
    rf"(?<![\w.,])(?:\d+\.\d+|(?:\d+ ?)?[½¼¾⅓⅔]|{_N} and a half) (?=([a-z]+s?)\b)(?!mm|cm|px|pixels?|inch(?:es)?|by|x)",
    re.IGNORECASE,
)
# A bound becomes the nearest count that meets it: "more than two" becomes "3".
_BOUNDS = re.compile(
    rf"\b(?:neither more nor less than|no more and no fewer than|at least|at most|no more than|not more than"
    rf"|no fewer than|no less than|up to"
    rf"|(?P<above>more than)|(?P<below>fewer than|less than)) (?P<n>{_N}) (?=[a-z])",
    re.IGNORECASE,
)
# "one dozen", "three dozen of the"
_ABOUT_DOZENS = re.compile(
    r"\b(?:a couple|several|a few|some|many)(?: of)? dozens?(?: of)? (?=[a-z])", re.IGNORECASE
)
_DOZENS = re.compile(rf"\b({_N}) dozens? (?:of (?:the |these |those )?)?(?=[a-z])", re.IGNORECASE)
# "between 2 and 4 owls", "2-4 owls": the lower number
_BETWEEN = re.compile(
    rf"\b(?:between ({_N}) and|({_N}) ?(?:or|to|-|–)) ?{_N} (?=[a-z])(?!px|pixels?|past)", re.IGNORECASE
)

# "1,000 cats", "1.000", "1 000"; not "2 512 px"
_GROUPED = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:([,.'])\d{3})(?:\1\d{3})*|\d{1,2}(?:[ \u202f\u00a0]\d{3})+)"
    r"(?=\s+(?!px|pixels?|dpi)[a-z])",
    re.IGNORECASE,
)


def ungrouped(text: str) -> str:
    """The text with the digits of large numbers together: "1,000 cats" as "1000 cats"."""
    return _GROUPED.sub(lambda match: re.sub(r"\D", "", match.group()), text)


def numerals(text: str) -> tuple[str, list[Found]]:
    """The text without times and the like, and with its other numbers as plain counts; and the wants
    that were taken out."""
    found: list[Found] = []

    def take(match: re.Match[str]) -> str:
        found.append(Found("other", value=match.group().strip().lower()))
        return " "

    def take_fraction(match: re.Match[str]) -> str:
        found.append(Found("other", value=f"{match.group()}{match[1]}".lower()))
        return " "

    def take_shares(match: re.Match[str]) -> str:
        return take(match) if _COLOURS & {match[1].lower(), match[2].lower()} else match.group()

    def take_some_of(match: re.Match[str]) -> str:
        before = [_value(number) for number in _ANY_NUMBER.findall(text[: match.start()])]
        fewer = bool(before) and _value(match[1]) < before[-1]
        return take(match) if fewer and match[2].lower() in _COLOURS else match.group()

    text = _SOME_OF.sub(take_some_of, text)
    for pattern in _UNCHECKABLE:
        text = re.sub(pattern, take, text, flags=re.IGNORECASE)
    text = _FRACTIONS.sub(take_fraction, text)
    text = _SHARES.sub(take_shares, text)
    text = _ABOUT_DOZENS.sub("dozens of ", text)
    text = _DOZENS.sub(lambda match: f"{12 * _value(match[1])} ", text)
    text = _BOUNDS.sub(_nearest_count, text)
    text = _BETWEEN.sub(lambda match: f"{match[1] or match[2]} ", text)
    for pattern, plain in _PLAIN_FORMS:
        text = re.sub(pattern, plain, text, flags=re.IGNORECASE)
    return text, found


def _nearest_count(match: re.Match[str]) -> str:
    number = _value(match["n"])
    number += 1 if match["above"] else -1 if match["below"] else 0
    return f"{number} "


def _value(word: str) -> int:
    return int(word) if word.isdigit() else NUMBERS.index(word.lower())
