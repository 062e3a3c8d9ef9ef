"""Articles, singulars and plurals of the nouns in briefs: those of models/wording.py, and what only briefs have."""

from __future__ import annotations

from models import wording

UNCOUNTED = frozenset(("glasses", "grapes", "scissors", "cherries"))
_BARE = UNCOUNTED | {"bread", "broccoli", "fire", "cheese"}
_PLURALS = {"knife": "knives", "wolf": "wolves", "leaf": "leaves", "snowman": "snowmen", "sheep": "sheep"}
_SINGULARS = {"children": "child", "men": "man", "women": "woman", "feet": "foot", "leaves": "leaf"}
_SAME = frozenset(("clothes", "sunglasses", "jeans"))


def article(words: str) -> str:
    """ "an owl", and "bread" as it is."""
    return words if words in _BARE else wording.article(words)


def plural(word: str) -> str:
    return _PLURALS.get(word) or wording.plural(word)


def singular(words: str) -> str:
    """Of the last word."""
    head, _, last = words.rpartition(" ")
    if last in _SINGULARS:
        last = _SINGULARS[last]
    elif last.endswith("ies") and len(last) > 4:
        last = last[:-3] + "y"
    elif last.endswith(("xes", "shes", "ches")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss") and last not in _SAME:
        last = last[:-1]
    return f"{head} {last}".strip()
