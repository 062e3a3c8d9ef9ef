"""What part of speech a word can be, by lemminflect's word lists."""

from __future__ import annotations

from functools import lru_cache

_SEEN = frozenset(("NOUN", "PROPN", "ADJ"))


@lru_cache(maxsize=4096)
def tells_nothing(word: str) -> bool:
    """Whether the word is only a form of a verb, or an adverb, and names nothing that can be seen: "had", "agreed".
    What ends in -ing may be an action in the picture. The lists are loaded at the first word: 0.2 s."""
    from lemminflect import getAllLemmas

    kinds = set(getAllLemmas(word))
    return bool(kinds) and not kinds & _SEEN and not word.endswith("ing")
