"""The examiner's own error, measured on pictures whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from models.mini.dataset.scene import Fact, facts, render, sample
from models.mini.dataset.vocabulary import BY_NAME
from models.palette import COLOURS
from scripts.evaluation import collage
from scripts.evaluation.collage import Collage, worn
from scripts.evaluation.examiner import Seen, examine
from scripts.evaluation.statements import hard_false
from scripts.evaluation.tables import share

SEED = 5


def own_error(count: int) -> list[str]:
    """Sentences about the examiner's error, each measured on `count` pictures: fresh renders, blurred and noisy, which
    meet all their facts; blends of two objects; and pictures with one object or one spoilt thing too many."""
    return [_on_scenes(count), _on_blends(count), _on_what_is_too_much(count)]


def _on_scenes(count: int) -> str:
    rng = np.random.default_rng(SEED)
    asked = denied = affirmed = rejected = extra = unclear = 0
    for _ in range(count):
        scene = sample(rng, (0.35, 0.3, 0.35), 0.5, withhold=False)
        seen = examine(worn(Image.fromarray(render(scene, collage.SIDE)), rng))
        true = facts(scene)
        asked += len(true)
        denied += sum(not seen.holds(fact) for fact in true)
        affirmed += sum(seen.holds(hard_false(fact, scene, rng)) for fact in true)
        rejected += bool(seen.objections(true))
        extra += bool({f.object for f in seen.found if f.object} - {item.object for item in scene.items})
        unclear += not seen.sure
    return (
        f"of {count} fresh renders, blurred and noisy, it denies {share(denied, asked)} % of true facts and affirms "
        f"{share(affirmed, asked)} % of similar false ones; it objects to {share(rejected, count)} % of the pictures, "
        f"sees an object that is not there in {share(extra, count)} % and something unclear in "
        f"{share(unclear, count)} %"
    )


def _on_blends(count: int) -> str:
    rng = np.random.default_rng(SEED + 1)
    mistaken = 0
    for _ in range(count):
        one, other = (
            render(sample(rng, (1, 0, 0), 0.0, withhold=False), collage.SIDE).astype(np.float32)
            for _ in range(2)
        )
        mixed = Image.fromarray(((one + other) / 2).astype(np.uint8))
        mistaken += any(found.object for found in examine(mixed).found)
    return f"it sees an object in {share(mistaken, count)} % of half-and-half blends"


def _on_what_is_too_much(count: int) -> str:
    rng = np.random.default_rng(SEED + 2)
    rejected = unseen = smears_unseen = smears_named = 0
    for _ in range(count):
        whole, asked = _with_one_too_many(rng)
        right = replace(whole, pieces=whole.pieces[:-1])
        spoilt = replace(whole, pieces=(*right.pieces, replace(whole.pieces[-1], spoilt=True)))
        seen, crowded, smeared = (_examined(each, rng) for each in (right, whole, spoilt))
        rejected += bool(seen.objections(asked))
        unseen += not crowded.objections(asked)
        smears_unseen += not smeared.objections(asked)
        smears_named += smeared.holds(Fact("object", whole.pieces[-1].object))
    return (
        f"of {count} pictures of one to three things anywhere, it objects to {share(rejected, count)} %; with one more "
        f"object it misses that in {share(unseen, count)} %; with a spoilt drawing more (blended, halved, cut up, "
        f"smeared, scrawled) it misses that in {share(smears_unseen, count)} %, and takes it for the drawing in "
        f"{share(smears_named, count)} %"
    )


def _examined(picture: Collage, rng: np.random.Generator) -> Seen:
    return examine(worn(collage.render(picture, rng), rng))


def _with_one_too_many(rng: np.random.Generator) -> tuple[Collage, list[Fact]]:
    """One to three of one object or different ones, each perhaps in another colour, and as the last piece one more
    object; and the facts that hold without it."""
    count = int(rng.integers(1, 4))
    names = [str(name) for name in rng.choice(tuple(BY_NAME), count + 1, replace=False)]
    tints = [str(rng.choice(tuple(COLOURS))) if rng.random() < 0.5 else None for _ in names]
    if rng.random() < 0.4:
        names[:count], tints[:count] = names[:1] * count, tints[:1] * count
    made = collage.arranged(rng, names, tints)
    shown = made.pieces[:-1]
    known = [Fact("background", value=made.background), Fact("style", value=made.style)]
    for piece in shown:
        known.append(Fact("count", piece.object, str(sum(p.object == piece.object for p in shown))))
        known += [Fact("attribute", piece.object, piece.tint)] if piece.tint else []
    return made, list(dict.fromkeys(known))
