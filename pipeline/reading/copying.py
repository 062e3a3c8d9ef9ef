"""A JSON schema that lets the text model write only words of the brief.

A small model misspells words that it never saw ("narcene" for a necklace) and joins words that do not stand together in
the brief ("low fashion"). The schema allows only the fixed words of a line and runs of consecutive words of the brief.
"""

from __future__ import annotations

import re
from itertools import product

from models.english import singular, singular_as_trained
from models.protocols import JsonSchema
from pipeline.reading.lexicon import ENGLISH, tokens
from pipeline.reading.tags import Tag

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_MARK = re.compile(r"[.,;:!?()\"]+(?=\s|$)|[(\"]")
_LONGEST_NAME = 4  # words
_INSIDE_NAMES = frozenset(("of", "with", "a"))  # a cup with a straw
_FUNCTION_WORDS = _INSIDE_NAMES | frozenset(ENGLISH["outside_names"])


def copying(text: str, schema: JsonSchema) -> JsonSchema:
    """The schema, with the lines under `wants` restricted to what the brief `text` can support."""
    items = {"type": "string", "pattern": f"^{lines(text)}$"}
    wants = {**schema["properties"]["wants"], "items": items}
    properties = {**schema["properties"], "wants": wants}
    return {**schema, "properties": properties}


def lines(text: str) -> str:
    """A regular expression for the lines that a brief can support. It has plain groups only, the one kind that the
    grammars of all servers know."""
    singulars, names = _names(text)
    if not names:
        return "maybe"
    name = _either(names)
    word = _either({_lower(word) for word in _WORD.findall(text)})
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
    kinds += [f"{_either(counts - {'1'})} {_either(singulars)}"] if counts - {"1"} else []
    kinds += [f"size {digits}(x{digits}| wide| tall)"] if digits else []
    return f"(maybe )?({'|'.join(kinds)})"


def _names(text: str) -> tuple[set[str], set[str]]:
    """The names that an object may have, those in the singular and all. A name is a run of up to _LONGEST_NAME words
    of the text, with no mark and no function word in it but those of "a cup with a straw"."""
    singulars: set[str] = set()
    as_written: set[str] = set()
    for part in (*_MARK.split(text), *_MARK.split(text.replace("-", " "))):
        words = [_lower(word) for word in _WORD.findall(part)]
        for start, size in product(range(len(words)), range(1, _LONGEST_NAME + 1)):
            run = words[start : start + size]
            if _FUNCTION_WORDS & {run[0], run[-1]} or (_FUNCTION_WORDS - _INSIDE_NAMES) & set(run):
                continue
            if "with" in run:
                singulars.add(" ".join(map(singular, run)))
            as_written.add(" ".join(run))
            singulars.update(" ".join([*run[:-1], last]) for last in _singulars(run[-1]))
    return singulars, singulars | as_written


def _lower(word: str) -> str:
    """The word in lower case, unless it is all capitals ("USB")."""
    return word if word.isupper() and len(word) > 1 else word.lower()


def _singulars(word: str) -> set[str]:
    """What the model may write as the singular of a word."""
    word = word.removesuffix("'s")
    shortened = {word[:-1], word[:-2]} if word.endswith("es") and len(word) > 4 else set()
    return {singular(word), singular_as_trained(word)} | shortened


def _either(options: set[str]) -> str:
    """A group of alternatives. They are words, so that nothing in them needs to be escaped."""
    return f"({'|'.join(sorted(options))})" if options else ""
