"""Generated tasks for the prompt writer: requirements, failed ones, earlier prompts, and a prompt as the answer."""

from __future__ import annotations

import numpy as np

from models.mini.dataset.caption import describe
from models.mini.dataset.scene import facts, sample
from pipeline.brief import Brief
from pipeline.painting.prompt import Ask
from pipeline.reading.finding import Found
from pipeline.reading.rules import numbered


def wishes(rng: np.random.Generator) -> tuple[Ask, str]:
    """A random task and its answer: a prompt that names all requirements and was not tried before."""
    scene = sample(rng)
    said = {key: bool(rng.random() < 0.7) for key in ("background", "style", "placed")}
    found = []
    for fact in facts(scene)[:-1] if scene.kind in ("row", "column") else facts(scene):
        told = said.get("placed" if fact.kind == "relation" else fact.kind, True)
        if told and not (fact.kind == "count" and fact.value == "1"):
            found.append(Found(fact.kind, fact.subject, fact.value, fact.other))
    wants = numbered(found)
    tried = list(dict.fromkeys(describe(scene, rng, **said, filled=False) for _ in range(rng.integers(4))))
    while (text := describe(scene, rng, **said, filled=False)) in tried:
        tried.pop()
    failed = [want for want in wants if rng.random() < 0.35] if tried else []
    ask = Ask(
        brief=Brief(text=text),
        requirements=wants,
        failed=tuple(
            f"{r.text} ({rng.choice(('does not show', 'may or may not show'))} {r.text})" for r in failed
        ),
        tried=tuple(tried),
    )
    return ask, text
