"""Misspelt words, put right: only those that are no English words, and only to words that the rules know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.range import Range
from pipeline.reading.lexicon import vocabulary

if TYPE_CHECKING:
    from spellchecker import SpellChecker

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORT, _LONG = 4, 7  # letters: a short word must keep its first letter, a long one may have two errors
_RARE, _FAR = 100, 100  # occurrences in the word list; how many times commoner the other word is
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def respelt(text: str, drawable: Range | None) -> str:
    """The text with misspelt words corrected. A name, which has a capital letter inside a sentence, stays as it is."""
    words = vocabulary((drawable or Range()).key)

    def correct(match: re.Match[str]) -> str:
        word = match.group()
        first = (
            not text[: match.start()].rstrip().strip("\"'“”‘’(").rstrip()
            or text[: match.start()].rstrip()[-1] in ".!?:"
        )
        if word.lower() in words or len(word) < 3 or (word[0].isupper() and not first):
            return word
        return _correction(word.lower(), (drawable or Range()).key) or word

    return _WORD.sub(correct, text)


@lru_cache(maxsize=4096)
def _correction(word: str, key: str) -> str | None:
    """The known word that was meant; None where the word is English, or none is near."""
    plain = word.replace("’", "'").removesuffix("'s")
    words = vocabulary(key)
    if _is_english(plain):
        return _far_commoner(plain, words)
    if plain in words.joined:
        return words.joined[plain]
    near = [other for other in _one_edit(plain) if other in words and _same_beginning(plain, other)]
    if not near and len(plain) >= _LONG:
        near = [other for other in words if len(other) >= _LONG - 1 and _edits(plain, other) == 2]
    return max(near, key=lambda other: _likelihood(plain, other, words)) if near else None


def _far_commoner(word: str, drawn: Mapping[str, bool]) -> str | None:
    """The word that can be drawn and that a rare English word is one letter short of: "wite" is hardly the verb."""
    english = _english()
    if len(word) < _SHORT or english[word] > _RARE:
        return None
    near = [other for other in _one_edit(word) if drawn.get(other) and len(other) == len(word) + 1]
    near = [other for other in near if other[0] == word[0] and english[other] >= _FAR * max(1, english[word])]
    return max(near, key=lambda other: english[other]) if near else None


def _same_beginning(word: str, other: str) -> bool:
    return len(word) > _SHORT or word[0] == other[0]


def _likelihood(word: str, other: str, drawn: Mapping[str, bool]) -> tuple[bool, bool, int]:
    """A key by which the likeliest correction is the greatest: swapped letters first, then what can be drawn, then what
    is common."""
    return sorted(word) == sorted(other), drawn[other], _english()[other]


def _is_english(word: str) -> bool:
    """Whether the word is English; the list has the American spelling of some."""
    english = _english()
    return (
        word in english
        or word.removesuffix("s") in english
        or any(
            re.sub(british, american, word) in english
            for british, american in _AMERICAN
            if re.search(british, word)
        )
    )


_AMERICAN = (
    ("our", "or"),
    ("is(e|ing|ed|ation)", r"iz\1"),
    ("re$", "er"),
    ("ll(ed|ing|er)", r"l\1"),
    ("ae", "e"),
    ("ogue$", "og"),
)


@lru_cache(maxsize=1)
def _english() -> SpellChecker:
    """English words with their frequencies. Loading takes half a second, and happens at the first unknown word."""
    from spellchecker import SpellChecker

    return SpellChecker(language="en")


def _one_edit(word: str) -> Iterator[str]:
    """All words that one error makes of this one: a letter too many, too few or wrong, two letters swapped, or f for
    ph."""
    yield word.replace("f", "ph")
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        yield from (head + letter + tail for letter in _LETTERS)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in _LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def _edits(one: str, two: str) -> int:
    """The number of errors between two words, swapped letters counted once; 3 where it is more than 2."""
    if abs(len(one) - len(two)) > 2:
        return 3
    rows = [list(range(len(two) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(two, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return min(rows[-1][-1], 3)
