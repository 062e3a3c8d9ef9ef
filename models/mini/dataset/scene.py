"""The scene grammar: records of what the bundled models draw, from which both the picture and its labels follow.

A scene is one object, two to four of one object, or two objects beside or above each other, on a plain background, in
one of two styles. `true_of` tells for any fact and scene whether the fact is true; training labels, hard negatives and
tests rely on it.

Positions and sizes are in cells of a 4 × 4 grid, the painter's patches: within a patch, a transformer is not
equivariant to shifts and would have to learn every offset separately.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.english import OPPOSITE
from models.mini.dataset.art import natural_colours, readable_on, sprite
from models.mini.dataset.vocabulary import BY_NAME, GRID, STYLES
from models.palette import COLOURS

Pixels = NDArray[np.uint8]
Kind = Literal["single", "group", "row", "column"]
_NAMES = tuple(BY_NAME)
_COLOURS = tuple(COLOURS)


@dataclass(frozen=True, slots=True)
class Item:
    object: str
    tint: str | None  # None: the drawing's own colours
    x: int
    y: int
    side: int


@dataclass(frozen=True, slots=True)
class Scene:
    kind: Kind
    items: tuple[Item, ...]
    background: str
    style: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that may be true of a scene.

    | kind       | subject    | value                                        | other  |
    | ---------- | ---------- | -------------------------------------------- | ------ |
    | object     | object     |                                              |        |
    | count      | object     | "1" to "4"                                   |        |
    | attribute  | object     | colour                                       |        |
    | relation   | object     | left, right, above, below                    | object |
    | background |            | colour                                       |        |
    | style      |            | style                                        |        |
    | absence    | object     |                                              |        |
    """

    kind: Literal["object", "count", "attribute", "relation", "background", "style", "absence"]
    subject: str = ""
    value: str = ""
    other: str = ""


def true_of(fact: Fact, scene: Scene) -> bool | None:
    """Whether the fact is true; None if it names a colour that a drawing in its own colours may be said to have."""
    if fact.kind == "background":
        return fact.value == scene.background
    if fact.kind == "style":
        return fact.value == scene.style
    mine = [item for item in scene.items if item.object == fact.subject]
    if fact.kind == "object":
        return bool(mine)
    if fact.kind == "absence":
        return not mine
    if fact.kind == "count":
        return len(mine) == int(fact.value)
    if not mine:
        return False
    if fact.kind == "attribute":
        if mine[0].tint is not None:
            return mine[0].tint == fact.value
        return None if fact.value in natural_colours(fact.subject, scene.style) else False
    others = [item for item in scene.items if item.object == fact.other]
    if not others or fact.subject == fact.other:
        return False
    a, b = mine[0], others[0]
    holds = {
        "left": scene.kind == "row" and a.x < b.x,
        "right": scene.kind == "row" and a.x > b.x,
        "above": scene.kind == "column" and a.y < b.y,
        "below": scene.kind == "column" and a.y > b.y,
    }
    return holds[fact.value]


def facts(scene: Scene) -> list[Fact]:
    """Every true fact of the scene that a caption may mention."""
    found = [Fact("background", value=scene.background), Fact("style", value=scene.style)]
    for name in dict.fromkeys(item.object for item in scene.items):
        mine = [item for item in scene.items if item.object == name]
        found += [Fact("object", name), Fact("count", name, str(len(mine)))]
        if mine[0].tint is not None:
            found.append(Fact("attribute", name, mine[0].tint))
    if scene.kind in ("row", "column"):
        a, b = scene.items
        where = "left" if scene.kind == "row" else "above"
        found += [
            Fact("relation", a.object, where, b.object),
            Fact("relation", b.object, OPPOSITE[where], a.object),
        ]
    return found


def held_out(kind: str, *words: str) -> bool:
    """Whether a combination is held out of all training: one in ten, chosen by a checksum of its words."""
    return zlib.crc32(" ".join((kind, *sorted(words))).encode()) % 10 == 0


def withheld(scene: Scene) -> bool:
    """Whether the scene shows a held-out pair of objects, colour of object, or count of object."""
    first = scene.items[0]
    if scene.kind in ("row", "column") and held_out("pair", first.object, scene.items[1].object):
        return True
    if scene.kind == "group" and held_out("count", first.object, str(len(scene.items))):
        return True
    return any(item.tint is not None and held_out("colour", item.object, item.tint) for item in scene.items)


def fair(scene: Scene) -> bool:
    """Whether every object stands out from the background."""
    return all(readable_on(item.object, scene.style, item.tint, scene.background) for item in scene.items)


def places(kind: Kind, count: int, u: float, v: float) -> list[tuple[int, int, int]]:
    """Corner and side of each object, in cells. The numbers `u` and `v` in [0, 1) choose the layout and its shifts."""
    if kind == "single":
        return [(0, 0, 4)] if u < 0.65 else [(int(v < 0.5), int(v % 0.5 < 0.25), 3)]
    shift = 0 if u < 0.15 else 1 if u < 0.85 else 2
    if kind == "row":
        return [(0, shift, 2), (2, shift, 2)]
    if kind == "column":
        return [(shift, 0, 2), (shift, 2, 2)]
    if count == 2:
        return [(0, shift, 2), (2, shift if v < 0.5 else 2 - shift, 2)]
    if count == 3:
        return [(1, 0, 2), (0, 2, 2), (2, 2, 2)] if u < 0.6 else [(0, 0, 2), (2, 0, 2), (1, 2, 2)]
    return [(0, 0, 2), (2, 0, 2), (0, 2, 2), (2, 2, 2)]


def _kind(u: float, weights: tuple[float, float, float]) -> Kind:
    single, group, pair = weights
    if u < single:
        return "single"
    if u < single + group:
        return "group"
    return "row" if u < single + group + pair / 2 else "column"


def sample(
    rng: np.random.Generator,
    weights: tuple[float, float, float] = (0.4, 0.3, 0.3),
    tinted: float = 0.4,
    withhold: bool = True,
) -> Scene:
    """A random scene whose objects stand out. `weights`: of single objects, groups and pairs; `tinted`: chance that an
    object is recoloured; `withhold`: no held-out combinations."""
    while True:
        kind = _kind(float(rng.random()), weights)
        count = {"single": 1, "group": int(rng.integers(2, 5))}.get(kind, 2)
        first, second = int(rng.integers(len(_NAMES))), int(rng.integers(len(_NAMES) - 1))
        names = _NAMES[first], _NAMES[second + (second >= first)]
        tints = [_COLOURS[int(rng.integers(len(_COLOURS)))] if rng.random() < tinted else None for _ in names]
        chosen = list(zip(names, tints, strict=True))
        drawn = [chosen[0]] * count if kind == "group" else chosen[:count]
        items = tuple(
            Item(name, tint, *place)
            for (name, tint), place in zip(drawn, places(kind, count, *rng.random(2)), strict=True)
        )
        ground, style = _COLOURS[int(rng.integers(len(_COLOURS)))], STYLES[int(rng.integers(len(STYLES)))]
        scene = Scene(kind, items, ground, style)
        if fair(scene) and not (withhold and withheld(scene)):
            return scene


def render(scene: Scene, px: int) -> Pixels:
    """The scene as RGB, shape (px, px, 3); `px` is a multiple of GRID."""
    cell = px // GRID
    canvas = np.empty((px, px, 3), np.float32)
    canvas[:] = np.array(COLOURS[scene.background], np.float32) / 255
    for item in scene.items:
        size = item.side * cell
        art = sprite(item.object, scene.style, item.tint, size)
        window = canvas[item.y * cell : item.y * cell + size, item.x * cell : item.x * cell + size]
        window[:] = window * (1 - art[..., 3:]) + art[..., :3]
    return (canvas * 255 + 0.5).astype(np.uint8)
