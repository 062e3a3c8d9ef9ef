"""Whether a brief is in English, the one language that the rules know."""

from __future__ import annotations

import re
import unicodedata

from pipeline.reading.lexicon import ENGLISH, Token
from pipeline.reading.tags import any_of

_FOREIGN = frozenset(ENGLISH["foreign_words"])
# Tags of the small words that hold an English sentence together.
_ENGLISH = any_of(
    "DETERMINER NO ON IN WITH AND ALL BE PRONOUN POSSESSIVE REQUEST OF FUNCTION RELATION BESIDE"
)


def is_foreign(text: str, line: list[Token]) -> bool:
    """Whether a brief is in another script, or has as many small words of another language as of English."""
    letters = [c for c in text if c.isalpha()]
    if letters and sum("LATIN" in unicodedata.name(c, "") for c in letters) < len(letters) / 2:
        return True
    words = re.findall(r"[^\W\d_]+", text.lower())
    foreign = sum(word in _FOREIGN for word in words)
    return foreign > 0 and foreign >= sum(
        token.tag in _ENGLISH and token.text not in _FOREIGN for token in line
    )


def has_emoji(text: str) -> bool:
    """Whether the text has a symbol that may stand for a thing."""
    return any(unicodedata.category(c) == "So" for c in text)
