"""Letters that must be in a picture, against the lines that a reader of text found in it.

Case, spaces and punctuation do not count. Each letter that differs halves the probability: one may be the reader's
mistake, so it leaves the matter open; two are the picture's.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.protocols import Box, Line

# Things of which a reader of text can say that they are not there.
WRITING = frozenset(
    ("text", "letter", "letters", "lettering", "word", "words", "writing", "caption", "watermark", "slogan")
)


def shows(wanted: str, lines: Sequence[Line]) -> tuple[float, str]:
    """The probability that a picture shows this text, and what is read, in words. The text may go over several
    lines."""
    letters = _letters(wanted)
    if not lines or not letters:
        return 0.0, "no text is read"
    read = " ".join(line.text for line in lines)
    wrong = distance(letters, _letters(read))
    score = min(line.score for line in lines if _letters(line.text)) if _letters(read) else 0.0
    return score * 0.5**wrong, f"“{read}” is read"


def any_text(lines: Sequence[Line]) -> tuple[float, str]:
    """The probability that a picture shows any text, and what is read, in words."""
    if not lines:
        return 0.0, "no text is read"
    return max(line.score for line in lines), f"“{' '.join(line.text for line in lines)}” is read"


def around(lines: Sequence[Line]) -> Box | None:
    """The box around all lines; None where there is none."""
    if not lines:
        return None
    left, top, right, bottom = zip(*(line.box for line in lines), strict=True)
    return min(left), min(top), max(right), max(bottom)


def distance(wanted: str, read: str) -> int:
    """The least number of letters to insert, delete or replace that makes a part of `read` into `wanted` (Sellers,
    1980)."""
    row = [0] * (len(read) + 1)  # a part of `read` may begin anywhere
    for i, letter in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(read, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return min(row)  # and end anywhere


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
