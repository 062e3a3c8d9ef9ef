"""The scorer's training data: rendered scenes with the exact truth of every fact; some with spoiled objects.

Truth is a row over COLUMNS: 1 true, 0 false, between them a soft target (for spoiled objects), negative if it must not
be learned (debatable colours and held-out combinations). `place` is half of a relation: "a cat to the left of a dog"
is a cat on the left and a dog on the right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.english import OPPOSITE, RELATIONS
from models.mini.dataset.art import natural_colours, sprite
from models.mini.dataset.scene import Fact, Item, Scene, held_out, render, sample, true_of
from models.mini.dataset.vocabulary import BY_NAME, COUNTS, GRID, STYLES
from models.palette import COLOURS

NAMES = tuple(BY_NAME)
TINTS = tuple(COLOURS)
SIDES = tuple(RELATIONS)
N, C, K = len(NAMES), len(TINTS), len(COUNTS)
SIZES = {
    "background": C,
    "style": len(STYLES),
    "object": N,
    "count": N * K,
    "attribute": N * C,
    "place": N * len(SIDES),
}
STARTS = {kind: sum(list(SIZES.values())[:i]) for i, kind in enumerate(SIZES)}
COLUMNS = sum(SIZES.values())
IGNORED = -1.0
SPOILED = 0.15  # target probability for an object that is cut up, halved or half another one

_INDEX = {name: i for i, name in enumerate(NAMES)}
CELL = (N + 1, C + 1, C, len(STYLES))  # classes of a cell: object or none, tint or none, background, style
_SKIP = -100  # label that torch's cross entropy ignores
_NOBODY = N  # the class of a cell without an object


def column(fact: Fact) -> int:
    """The column of a fact; not for relations, which have none."""
    start = STARTS[fact.kind]
    if fact.kind == "background":
        return start + TINTS.index(fact.value)
    if fact.kind == "style":
        return start + STYLES.index(fact.value)
    i = _INDEX[fact.subject]
    if fact.kind == "object":
        return start + i
    if fact.kind == "count":
        return start + i * K + int(fact.value) - 1
    return start + i * C + TINTS.index(fact.value)


def fact_at(index: int) -> Fact | None:
    """The fact of a column; None for places, for which there is no statement."""
    kind = [k for k, start in STARTS.items() if start <= index][-1]
    i = index - STARTS[kind]
    if kind == "background":
        return Fact("background", value=TINTS[i])
    if kind == "style":
        return Fact("style", value=STYLES[i])
    if kind == "object":
        return Fact("object", NAMES[i])
    if kind == "count":
        return Fact("count", NAMES[i // K], str(i % K + 1))
    return Fact("attribute", NAMES[i // C], TINTS[i % C]) if kind == "attribute" else None


def place(name: str, side: str) -> int:
    """The index of an object on a side, among the places (not among all columns)."""
    return _INDEX[name] * len(SIDES) + SIDES.index(side)


def withheld_fact(fact: Fact) -> bool:
    """Whether the fact names a held-out combination."""
    if fact.kind == "count":
        return fact.value != "1" and held_out("count", fact.subject, fact.value)
    if fact.kind == "attribute":
        return held_out("colour", fact.subject, fact.value)
    return fact.kind == "relation" and held_out("pair", fact.subject, fact.other)


def _hidden() -> NDArray[np.bool_]:
    every = (fact_at(i) for i in range(COLUMNS))
    return np.array([fact is not None and withheld_fact(fact) for fact in every])


_HIDDEN = _hidden()


@dataclass(slots=True)
class Lesson:
    """A rendered scene with its truth."""

    scene: Scene
    pixels: NDArray[np.uint8]  # (px, px, 3)
    truth: NDArray[np.float32]  # (COLUMNS,)
    cells: NDArray[np.int64]  # (GRID, GRID, len(CELL)): a class for each of CELL
    spoiled: frozenset[str]  # objects with soft targets


def truth(scene: Scene) -> NDArray[np.float32]:
    """The truth of every fact in an unspoiled scene, shape (COLUMNS,)."""
    row = np.zeros(COLUMNS, np.float32)
    row[column(Fact("background", value=scene.background))] = 1
    row[column(Fact("style", value=scene.style))] = 1
    for name in dict.fromkeys(item.object for item in scene.items):
        mine = [item for item in scene.items if item.object == name]
        row[column(Fact("object", name))] = 1
        row[column(Fact("count", name, str(len(mine))))] = 1
        tint = mine[0].tint
        if tint is not None:
            row[column(Fact("attribute", name, tint))] = 1
        else:
            for colour in natural_colours(name, scene.style):
                row[column(Fact("attribute", name, colour))] = IGNORED
    if scene.kind in ("row", "column"):
        side = "left" if scene.kind == "row" else "above"
        a, b = scene.items
        row[STARTS["place"] + place(a.object, side)] = 1
        row[STARTS["place"] + place(b.object, OPPOSITE[side])] = 1
    row[_HIDDEN] = IGNORED
    return row


def _cells(scene: Scene) -> NDArray[np.int64]:
    cells = np.full((GRID, GRID, len(CELL)), _SKIP, np.int64)
    cells[..., 0] = _NOBODY
    for item in scene.items:
        block = cells[item.y : item.y + item.side, item.x : item.x + item.side]
        block[..., 0] = _INDEX[item.object]
        block[..., 1] = C if item.tint is None else TINTS.index(item.tint)
    cells[..., 2], cells[..., 3] = TINTS.index(scene.background), STYLES.index(scene.style)
    return cells


@dataclass(slots=True)
class Spots:
    """Four cells of a picture, and the truth about the object in each."""

    where: NDArray[np.int64]  # (4,): indices into the flat map
    truth: NDArray[np.float32]  # (4, COLUMNS)


def spots(lesson: Lesson, rng: np.random.Generator) -> Spots:
    """Random cells of the lesson's objects. Facts about the other object of a pair are ignored."""
    scene, where = lesson.scene, []
    rows = np.stack([lesson.truth] * 4)
    for row, i in zip(rows, rng.integers(len(scene.items), size=4), strict=True):
        item = scene.items[i]
        dy, dx = rng.integers(item.side, size=2)
        where.append((item.y + int(dy)) * GRID + item.x + int(dx))
        for name in {other.object for other in scene.items} - {item.object}:
            _soften(row, name, IGNORED)
    return Spots(np.array(where), rows)


def collage(rng: np.random.Generator, px: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], Spots]:
    """Four scenes of one object as the quarters of one picture (px, px, 3), with its cells and one spot in each: four
    times the labels of a picture at the same cost. One in four is a single scene instead, for large objects."""
    h, m = px // 2, GRID // 2
    quarters = [(y, x) for y in (0, 1) for x in (0, 1)]
    if rng.random() < 0.25:
        scene = sample(rng, (1, 0, 0), tinted=0.6)
        item = scene.items[0]
        inside = [(item.y + int(a), item.x + int(b)) for a, b in rng.integers(item.side, size=(4, 2))]
        return render(scene, px), _cells(scene), _quartered(inside, [scene] * 4)
    pixels, cells = np.empty((px, px, 3), np.uint8), np.empty((GRID, GRID, len(CELL)), np.int64)
    scenes = []
    for y, x in quarters:
        scene = sample(rng, (1, 0, 0), tinted=0.6)
        scene = replace(scene, items=(replace(scene.items[0], x=0, y=0, side=GRID),))
        pixels[y * h : (y + 1) * h, x * h : (x + 1) * h] = render(scene, h)
        cells[y * m : (y + 1) * m, x * m : (x + 1) * m] = _cells(scene)[:m, :m]
        scenes.append(scene)
    inside = [(y * m + int(rng.integers(m)), x * m + int(rng.integers(m))) for y, x in quarters]
    return pixels, cells, _quartered(inside, scenes)


def _quartered(cells: list[tuple[int, int]], scenes: list[Scene]) -> Spots:
    rows = np.stack([truth(scene) for scene in scenes])
    for kind in ("count", "place"):  # not defined: the picture holds several scenes
        rows[:, STARTS[kind] : STARTS[kind] + SIZES[kind]] = IGNORED
    return Spots(np.array([y * GRID + x for y, x in cells]), rows)


def _spoil(scene: Scene, pixels: NDArray[np.uint8], rng: np.random.Generator) -> str:
    """Spoil the first object, in place: shuffle its quarters, replace half of it by another object, or remove half.
    Returns the name of the other object, or of the object itself if there is none."""
    px = len(pixels)
    cell = px // GRID
    items = [i for i in scene.items if i.object == scene.items[0].object]
    name = items[0].object
    how = int(rng.integers(3))
    other = NAMES[rng.integers(N)]
    if how == 1 and any(i.object == other for i in scene.items):
        how = 0
    vertical, second = bool(rng.integers(2)), bool(rng.integers(2))
    order = rng.permutation(4)
    while (order == np.arange(4)).sum() > 1:
        order = rng.permutation(4)
    ground = np.array(COLOURS[scene.background], np.float32)
    for item in items:
        side = item.side * cell
        view = pixels[item.y * cell : item.y * cell + side, item.x * cell : item.x * cell + side]
        h = side // 2
        if how == 0:
            quarters = [view[y : y + h, x : x + h].copy() for y in (0, side - h) for x in (0, side - h)]
            for j, (y, x) in enumerate((y, x) for y in (0, side - h) for x in (0, side - h)):
                view[y : y + h, x : x + h] = quarters[order[j]]
            continue
        half = np.s_[h:] if second else np.s_[:h]
        part = (np.s_[:], half) if vertical else (half, np.s_[:])
        if how == 1:
            art = sprite(other, scene.style, item.tint, side)
            new = ground * (1 - art[..., 3:]) + art[..., :3] * 255
            view[part] = new[part].astype(np.uint8)
        else:
            view[part] = ground.astype(np.uint8)
    return other if how == 1 else name


def _soften(row: NDArray[np.float32], name: str, target: float) -> None:
    """Set everything that is true of the object to a soft target, in place."""
    i = _INDEX[name]
    for kind, width in (("object", 1), ("count", K), ("attribute", C), ("place", len(SIDES))):
        part = row[STARTS[kind] + i * width : STARTS[kind] + (i + 1) * width]
        part[part == 1] = target


def lesson(rng: np.random.Generator, px: int, spoil: float = 0.0, withhold: bool = True) -> Lesson:
    """A random scene at `px` pixels. `spoil`: chance that its first object is spoiled; `withhold`: no held-out
    combinations."""
    scene = sample(rng, withhold=withhold)
    pixels, row, cells = render(scene, px), truth(scene), _cells(scene)
    if rng.random() >= spoil:
        return Lesson(scene, pixels, row, cells, frozenset())
    name = scene.items[0].object
    other = _spoil(scene, pixels, rng)
    _soften(row, name, SPOILED)
    if other != name:
        row[column(Fact("object", other))] = SPOILED
    cells[cells[..., 0] == _INDEX[name], :2] = _SKIP
    return Lesson(scene, pixels, row, cells, frozenset({name, other}))


def relations(scene: Scene, rng: np.random.Generator) -> list[Fact]:
    """Six relations to ask about a scene. Of a pair: two true, two swapped, one with another direction, one with
    another object. Of other scenes: with random other objects."""
    names = [item.object for item in scene.items]
    far = [NAMES[i] for i in rng.integers(N, size=6)]
    sides = [SIDES[i] for i in rng.integers(4, size=6)]
    if scene.kind not in ("row", "column"):
        mixed = [(names[0], far[i]) if i % 2 else (far[i], names[0]) for i in range(6)]
        asked = [Fact("relation", a, s, b) for (a, b), s in zip(mixed, sides, strict=True)]
    else:
        a, b = names
        s = "left" if scene.kind == "row" else "above"
        turned = "above" if s == "left" else "left"
        if rng.random() < 0.5:
            turned = OPPOSITE[turned]
        asked = [
            Fact("relation", a, s, b),
            Fact("relation", b, OPPOSITE[s], a),
            Fact("relation", b, s, a),
            Fact("relation", a, OPPOSITE[s], b),
            Fact("relation", a, turned, b),
            Fact("relation", far[0], s, b) if rng.random() < 0.5 else Fact("relation", a, s, far[0]),
        ]
    return asked


def relation_truth(fact: Fact, lesson: Lesson) -> float:
    """The truth of a relation: 1, 0, SPOILED if it names a spoiled object, or IGNORED for a held-out pair."""
    if withheld_fact(fact) or fact.subject == fact.other:
        return IGNORED
    if not true_of(fact, lesson.scene):
        return 0.0
    return SPOILED if lesson.spoiled & {fact.subject, fact.other} else 1.0


__all__ = ["COLUMNS", "Fact", "Item", "Lesson", "column", "fact_at", "lesson", "place", "relations", "truth"]
