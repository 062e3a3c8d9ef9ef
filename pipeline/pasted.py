"""Generation parameters that were pasted as a brief, as image tools copy them:

a cat on a sofa, soft light
Negative prompt: dog, text
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 17, Size: 512x512
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEGATIVE = re.compile(r"[\s.,;]*\bnegative[ _]prompts?\s*[:–—-]\s*", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“][^\"”\n]*[\"”]")
# "Steps: 20, Sampler: …": a number, and a further parameter, so that "steps: 3" in a sentence is none.
_PARAMETERS = re.compile(
    r"[\s.,;]*\bsteps\s*:\s*\d+\s*,\s*(?:sampler|schedule|cfg|guidance|seed|size|model)\b.*$",
    re.IGNORECASE | re.DOTALL,
)
_WEIGHT = re.compile(r"[(\[]+([^()\[\]:]+)(?::[\d.]+)?[)\]]+")  # "(text:1.3)"


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was asked for, and what must not show."""

    wanted: str
    unwanted: tuple[str, ...] = ()


def one_line(text: str) -> str:
    """The text with all white space as single spaces. Lines of a negative prompt are parted by commas: each lists
    something else."""
    negative = _negative(text)
    if negative is None:
        return " ".join(text.split())
    listed = [line.strip().rstrip(",;") for line in text[negative.end() :].splitlines()]
    return " ".join((text[: negative.end()] + ", ".join(filter(None, listed))).split())


def only_unwanted(text: str) -> bool:
    """Whether the text is a negative prompt and nothing before it."""
    negative = _negative(text)
    return negative is not None and not text[: negative.start()].strip()


def parted(text: str) -> Pasted:
    """The parts of a text; one without these parameters is all that is wanted."""
    rest = _PARAMETERS.sub("", text)
    negative = _negative(rest)
    wanted = rest[: negative.start()] if negative else rest
    if not wanted.strip() or (rest == text and negative is None):
        return Pasted(text)
    listed = _WEIGHT.sub(r"\1", rest[negative.end() :] if negative else "")
    return Pasted(wanted.strip(), tuple(part for part in map(str.strip, re.split(r"[,;.]", listed)) if part))


def _negative(text: str) -> re.Match[str] | None:
    """Where a negative prompt begins, if not in quotes: those are words to be written in the picture."""
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    found = (at for at in _NEGATIVE.finditer(text) if not any(a <= at.start() < b for a, b in quoted))
    return next(found, None)
