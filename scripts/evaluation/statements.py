"""Pictures and statements that a judge is measured on: scenes of the grammar, true facts, and similar false ones."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.english import OPPOSITE
from models.load import load_image
from models.mini.dataset.chance import usual
from models.mini.dataset.scene import Fact, Scene, sample, true_of, withheld
from models.mini.dataset.vocabulary import BY_NAME, COUNTS, STYLES
from models.palette import COLOURS
from models.protocols import Paint
from pipeline.config import load_preset
from scripts.evaluation.examiner import Seen, examine
from scripts.evaluation.suite import words

_NAMES, _TINTS = tuple(BY_NAME), tuple(COLOURS)


def hard_false(fact: Fact, scene: Scene, rng: np.random.Generator) -> Fact:
    """A false statement about the scene of the same kind as `fact`, similar to it."""
    present = {item.object for item in scene.items}
    tints = {item.tint for item in scene.items if item.tint} | {scene.background}
    while True:
        other = str(rng.choice([name for name in _NAMES if name not in present]))
        near = rng.random() < 0.7
        match fact.kind:
            case "object":
                new = Fact("object", other)
            case "count":
                n = str(rng.choice([k for k in COUNTS if str(k) != fact.value]))
                new = Fact("count", fact.subject, n) if near else Fact("count", other, fact.value)
            case "attribute":
                colour = str(rng.choice(sorted(tints) if near else _TINTS))
                subject = str(rng.choice(sorted(present))) if rng.random() < 0.8 else other
                new = Fact("attribute", subject, colour)
            case "relation":
                turned = {"left": "above", "right": "below", "above": "right", "below": "left"}
                new = (
                    Fact("relation", fact.subject, OPPOSITE[fact.value], fact.other),
                    Fact("relation", fact.other, fact.value, fact.subject),
                    Fact("relation", fact.subject, turned[fact.value], fact.other),
                    Fact("relation", other, fact.value, fact.other),
                    Fact("relation", fact.subject, fact.value, other),
                )[int(rng.integers(5))]
            case "background":
                new = Fact("background", value=str(rng.choice(sorted(tints) if near else _TINTS)))
            case "style":
                new = Fact("style", value=str(rng.choice(STYLES)))
        if true_of(new, scene) is False:
            return new
        rng.random()  # try again; a similar false statement may not exist for this scene
        if fact.kind in ("attribute", "background"):
            tints = set(_TINTS)


def scenes(count: int, seed: int, held_out_only: bool) -> list[Scene]:
    """Random scenes: only such with held-out combinations, or only such without."""
    rng = np.random.default_rng(seed)
    found: list[Scene] = []
    while len(found) < count:
        scene = sample(rng, (0.3, 0.3, 0.4), tinted=0.5, withhold=not held_out_only)
        if not held_out_only or withheld(scene):
            found.append(scene)
    return found


def painted(count: int, seed: int) -> tuple[list[Scene], list[Image.Image], list[Seen]]:
    """What the bundled painter was asked for, what it made, and what is to be seen there."""
    preset = load_preset("mini")
    asked = [usual(scene) for scene in scenes(count, seed, held_out_only=False)]
    made = load_image(preset.image, preset.base, preset.offline).paint(
        [Paint(words("combined", scene), i) for i, scene in enumerate(asked)]
    )
    kept = [(scene, p.image, examine(p.image)) for scene, p in zip(asked, made, strict=True)]
    kept = [one for one in kept if one[2].sure]
    return [scene for scene, _, _ in kept], [image for _, image, _ in kept], [seen for _, _, seen in kept]
