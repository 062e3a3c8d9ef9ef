"""Simple prompts on which a judge measures itself: what each asks for, and a similar statement that it does not meet.

The assumption is that the painter draws such simple things rightly: one object, up to four of one, one colour, one
plain background, one style. Where it does not, the judge seems worse than it is; where judge and painter share a
mistake, it seems better. Relations, absences and what every picture must be are left out, because painters often get
them wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.english import STYLES, article, phrase
from models.palette import COLOURS
from pipeline.brief import Kind, Requirement
from pipeline.range import Range

KINDS: tuple[Kind, ...] = ("object", "count", "attribute", "background", "style")
MOST = 4  # of one object
# Things that every image model was trained on, for those whose range is open.
EVERYDAY = (
    "cat", "dog", "horse", "cow", "elephant", "zebra", "giraffe", "bird", "car", "bus", "bicycle", "train", "boat",
    "airplane", "chair", "clock", "cup", "banana", "apple", "orange", "pizza", "cake", "umbrella", "vase",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KnownPrompt:
    """What is painted, and the two statements that are scored: `matched` is part of it, `mismatched` is not."""

    wants: tuple[Requirement, ...]
    matched: Requirement
    mismatched: Requirement


def known_prompts(each: int, known: Range | None, seed: int = 0) -> list[KnownPrompt]:
    """`each` prompts of every kind that the range allows, the kinds in turn."""
    rng = random.Random(seed)
    kinds = [kind for kind in KINDS if len(_values(kind, known)) > 1]
    return [_one(kind, known, rng) for _ in range(each) for kind in kinds]


def _values(kind: Kind, known: Range | None) -> Sequence[str]:
    """What a statement of this kind may be about."""
    allowed = known or Range()
    if kind == "count":
        return [str(n) for n in range(1, min(MOST, allowed.max_count or MOST) + 1)]
    named = {"object": allowed.objects, "style": allowed.styles}.get(kind, allowed.colours)
    open_ = {"object": EVERYDAY, "style": STYLES}.get(kind, tuple(COLOURS))
    return list(open_ if named is None else named)


def _one(kind: Kind, known: Range | None, rng: random.Random) -> KnownPrompt:
    name = rng.choice(_values("object", known))
    true, false = rng.sample(_values(kind, known), 2)
    if kind == "object":
        true, false = name, rng.choice([other for other in _values(kind, known) if other != name])
    thing = Requirement(id="thing", kind="object", subject=name, text=phrase(name))
    matched, mismatched = (_want(id, kind, name, value) for id, value in (("yes", true), ("no", false)))
    alone = kind in ("object", "count", "attribute")  # these name the thing themselves
    return KnownPrompt((matched,) if alone else (thing, matched), matched, mismatched)


def _want(id: str, kind: Kind, name: str, value: str) -> Requirement:
    text = {
        "object": phrase(value), "count": phrase(name, int(value), counted=True) if kind == "count" else "",
        "attribute": phrase(name, look=value), "background": f"{article(value)} background",
        "style": f"{value} style",
    }[kind]  # fmt: skip
    if kind == "object":
        return Requirement(id=id, kind=kind, subject=value, text=text)
    subject = name if kind in ("count", "attribute") else ""
    return Requirement(id=id, kind=kind, subject=subject, value=value, text=text)


def batches(prompts: Sequence[KnownPrompt], size: int) -> Iterator[Sequence[KnownPrompt]]:
    """The prompts in portions, so that an interruption loses little."""
    return (prompts[at : at + size] for at in range(0, len(prompts), size))
