"""The schema of an answer whose words can only come from the brief.

A small model misspells words it never saw ("narcene" for a necklace) and joins words that stood apart ("low
fashion"). Held to runs of the brief's own words, between the fixed words of a line, it can do neither.
"""

from __future__ import annotations

import re
from itertools import product

from models.english import singular as learnt
from models.protocols import JsonSchema
from pipeline.reading.lexicon import ENGLISH, singular, tokens
from pipeline.reading.tags import Tag

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_MARK = re.compile(r"[.,;:!?()\"]+(?=\s|$)|[(\"]")
LONGEST = 4  # words in a name
_JOINTS = frozenset(("of", "with", "a"))  # a cup with a straw
_EMPTY = _JOINTS | frozenset(ENGLISH["outside_names"])


def copying(text: str, schema: JsonSchema) -> JsonSchema:
    """The schema of a list of lines, with its lines held to the words of a brief."""
    listed = schema["properties"]["wants"]
    items = {"type": "string", "pattern": f"^{lines(text)}$"}
    properties = {**schema["properties"], "wants": {**listed, "items": items}}
    return {**schema, "properties": properties}


def lines(text: str) -> str:
    """A pattern for the lines that a brief can support, in plain groups, which every server's grammar knows."""
    ones, names = _runs(text)
    if not names:
        return "maybe"
    name = _either(names)
    word = _either({_said(word) for word in _WORD.findall(text)})
    digits = _either(set(re.findall(r"\d+", text)))
    counts = {token.value for token in tokens(text, None) if token.tag is Tag.NUMBER}
    kinds = [
        f"((no|background|style|palette) )?{name}",
        f"{name} (is|left of|right of|above|below) {name}",
        f"other {word}( {word}){{0,7}}",
        "size (square|landscape|portrait)",
        "contrast (high|low)",
    ]
    kinds += [f"1 {name}"] if "1" in counts else []
    kinds += [f"{_either(counts - {'1'})} {_either(ones)}"] if counts - {"1"} else []
    kinds += [f"size {digits}(x{digits}| wide| tall)"] if digits else []
    return f"(maybe )?({'|'.join(kinds)})"


def _runs(text: str) -> tuple[set[str], set[str]]:
    """Every name there may be: those of one thing, and all. A name is a run of up to LONGEST words with no mark and
    no function word between them, but for "cup with straw"."""
    ones: set[str] = set()
    many: set[str] = set()
    for part in (*_MARK.split(text), *_MARK.split(text.replace("-", " "))):
        words = [_said(word) for word in _WORD.findall(part)]
        for start, size in product(range(len(words)), range(1, LONGEST + 1)):
            run = words[start : start + size]
            if _EMPTY & {run[0], run[-1]} or (_EMPTY - _JOINTS) & set(run):
                continue
            if "with" in run:
                ones.add(" ".join(map(singular, run)))
            many.add(" ".join(run))
            ones.update(" ".join([*run[:-1], one]) for one in _ones(run[-1]))
    return ones, ones | many


def _said(word: str) -> str:
    """Small, but for a word in capitals."""
    return word if word.isupper() and len(word) > 1 else word.lower()


def _ones(word: str) -> set[str]:
    """What the singular of a word may be."""
    word = word.removesuffix("'s")
    cut = {word[:-1], word[:-2]} if word.endswith("es") and len(word) > 4 else set()
    return {singular(word), learnt(word)} | cut


def _either(options: set[str]) -> str:
    """One of these words or runs, which hold no character that means something in a pattern."""
    return f"({'|'.join(sorted(options))})" if options else ""
