"""A requirement in plain words, as a person reads it."""

from __future__ import annotations

from models.english import RELATIONS, is_plural, phrase, plural
from pipeline.brief import Requirement
from pipeline.reading.finding import NOT_UNDERSTOOD

# Objects of the bundled range without an article, though its scorer was trained with one.
_NO_ARTICLE = frozenset(("broccoli", "bread", "fire", "cheese"))


def worded(want: Requirement, many: bool = False) -> Requirement:
    """The requirement with its `text` set. `many`: the brief asks for several of its subject."""
    s, v = want.subject, want.value
    text = v
    if want.kind == "object":
        text = s if s in _NO_ARTICLE else phrase(s)
    elif want.kind == "count":
        n = int(v)
        text = phrase(s, n, counted=True)
        text = f"exactly {text}" if n == 1 else text
    elif want.kind in ("attribute", "action"):
        they = many or is_plural(s)
        text = f"the {plural(s) if many else s} {'are' if they else 'is'} {v}"
    elif want.kind == "relation":
        text = f"the {s} is {RELATIONS.get(v, v)} the {want.other}"
    elif want.kind == "text":
        text = f"the text “{v}”"
    elif want.kind == "background":
        text = f"the background is {v}"
    elif want.kind == "style":
        text = f"{v} style"
    elif want.kind == "absence":
        text = f"no {s}"
    elif want.kind == "technical":
        text = _technical(s, v)
    elif s == NOT_UNDERSTOOD:
        text = f"not understood: “{v}”"
    return want.model_copy(update={"text": text})


def _technical(subject: str, value: str) -> str:
    if subject == "contrast":
        return f"{value} contrast"
    if subject == "palette":
        return f"mostly {value}"
    if "x" in value and value.replace("x", "").isdigit():
        return f"{value.replace('x', ' × ')} pixels"
    number, _, side = value.partition(" ")
    return f"{number} pixels {side}" if number.isdigit() else f"{value} format"
