"""The suite of tidy briefs: GenEval's six kinds (arXiv 2310.11513) in the bundled range, and also style, background,
and all combined. Half of the briefs with combinations are held out of all training (models/mini/dataset/scene.py)."""

from __future__ import annotations

import numpy as np

from models.english import article, phrase, related
from models.mini.dataset.scene import Fact, Scene, facts, sample, withheld
from models.protocols import Question
from pipeline.brief import Requirement
from pipeline.judging.question import question
from scripts.evaluation.cases import Case

KINDS = (
    "single object", "two objects", "counting", "colours", "position", "colour attribution", "style", "background",
    "combined",
)  # fmt: skip
_SHAPE = {
    "counting": (0, 1, 0),
    "two objects": (0, 0, 1),
    "position": (0, 0, 1),
    "colour attribution": (0, 0, 1),
}
_SAID = {  # kinds of facts that a brief mentions beside its objects
    "two objects": {"object"}, "counting": {"count"}, "colours": {"attribute"}, "position": {"relation"},
    "colour attribution": {"attribute"}, "style": {"style"}, "background": {"background"},
    "combined": {"count", "attribute", "relation", "style", "background"},
}  # fmt: skip
_APART = ("two objects", "counting", "colours", "position", "colour attribution")


def put(fact: Fact) -> Question:
    """The question with which the pipeline asks a scorer about a fact."""
    want = Requirement(
        id="r", kind=fact.kind, subject=fact.subject, value=fact.value, other=fact.other, text=""
    )
    asked = question(want)
    assert asked is not None  # every kind of fact has a statement
    return asked


def suite(each: int, seed: int = 11, kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """`each` different cases of every kind, always the same for a seed."""
    return [
        case
        for kind in kinds
        for case in _cases(kind, each, np.random.default_rng((seed, KINDS.index(kind))))
    ]


def _cases(kind: str, each: int, rng: np.random.Generator) -> list[Case]:
    found: dict[str, Case] = {}
    while len(found) < each:
        tinted = 1.0 if kind in ("colours", "colour attribution") else 0.4 if kind == "combined" else 0.0
        shape = _SHAPE.get(kind, (0.2, 0.4, 0.4) if kind == "combined" else (1, 0, 0))
        scene = sample(rng, shape, tinted, withhold=False)
        apart = withheld(scene)
        if kind in _APART and apart != (len(found) % 2 == 1):
            continue
        case = Case(kind, words(kind, scene), _facts(kind, scene), held_out=apart)
        if kind == "colour attribution" and len({item.tint for item in scene.items}) < 2:
            continue
        found.setdefault(case.text, case)
    return list(found.values())


def _facts(kind: str, scene: Scene) -> tuple[Fact, ...]:
    said = {"object"} | _SAID.get(kind, set())
    counted = len(scene.items) if scene.kind == "group" else 1
    return tuple(
        fact
        for fact in facts(scene)
        if fact.kind in said
        and not (fact.kind == "count" and counted == 1)
        and not (fact.kind == "relation" and fact.subject != scene.items[0].object)
    )


def words(kind: str, scene: Scene) -> str:
    """The brief for a scene, in the words of its kind."""
    said = _SAID.get(kind, set())
    first = scene.items[0]
    if scene.kind in ("row", "column"):
        a, b = (phrase(item.object, 1, item.tint) for item in scene.items)
        where = "left" if scene.kind == "row" else "above"
        text = related(a, where, b) if "relation" in said else f"{a} and {b}"
    else:
        text = phrase(first.object, len(scene.items), first.tint)
    if "background" in said:
        text += f" on {article(scene.background)} background"
    if "style" in said:
        text += f", {scene.style} style"
    return text
