"""Articles, singulars and plurals of the nouns in briefs, by rule and a short list."""

from __future__ import annotations

from models.mini.vocabulary import BY_NAME

UNCOUNTED = frozenset(("glasses", "grapes", "scissors", "cherries"))
_BARE = UNCOUNTED | {"bread", "broccoli", "fire", "cheese"}
_PLURALS = {"knife": "knives", "wolf": "wolves", "leaf": "leaves", "snowman": "snowmen"}
_SINGULARS = {"children": "child", "men": "man", "women": "woman", "feet": "foot", "leaves": "leaf"}
_SAME = frozenset(("clothes", "sunglasses", "jeans"))


def article(words: str) -> str:
    """ "an owl", and "bread" as it is."""
    return words if words in _BARE else ("an " if words[:1] in "aeiou" else "a ") + words


def plural(word: str) -> str:
    if word in BY_NAME:
        return BY_NAME[word].plural
    if word in ("sheep", "fish"):
        return word
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith(("s", "x", "sh", "ch")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def singular(words: str) -> str:
    """Of the last word."""
    head, _, last = words.rpartition(" ")
    if last in _SINGULARS:
        last = _SINGULARS[last]
    elif last.endswith("ies"):
        last = last[:-3] + "y"
    elif last.endswith(("xes", "shes", "ches")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith("ss") and last not in _SAME:
        last = last[:-1]
    return f"{head} {last}".strip()
