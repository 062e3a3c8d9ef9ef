"""Generation parameters that were pasted as a brief, as image tools copy them:

a cat on a sofa, soft light
Negative prompt: dog, text
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 17, Size: 512x512
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEGATIVE = re.compile(r"[\s.,;]*\bnegative[ _]prompts?\s*:\s*", re.IGNORECASE)
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


def parted(text: str) -> Pasted:
    """The parts of a text; one without these parameters is all that is wanted."""
    rest = _PARAMETERS.sub("", text)
    wanted, *negative = _NEGATIVE.split(rest, maxsplit=1)
    if not wanted.strip() or (rest == text and not negative):
        return Pasted(text)
    listed = _WEIGHT.sub(r"\1", negative[0] if negative else "")
    return Pasted(wanted.strip(), tuple(part for part in map(str.strip, re.split(r"[,;.]", listed)) if part))
