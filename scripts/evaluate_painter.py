"""How often the bundled painter draws what a prompt asks, by matching against renders of the grammar.

    python -m scripts.evaluate_painter --prompts 114 --sheet work/painted.png

The examiner knows the art: it compares a picture, at 64 px, with every scene that a short list of rivals allows,
and names the nearest. That is lenient (a smear is nearest to something) and it cannot see scenes off the grid; it
is a measure of text alignment, not of beauty. Its own error on fresh renders with noise and blur comes first.
Rivals: for objects all 114, for colours all eleven tints, for counts one to four, for places both orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from models.load import load_image
from models.mini.art import render
from models.mini.scene import Item, Scene, sample, withheld
from models.mini.vocabulary import BY_NAME, COLOURS
from models.protocols import Paint
from models.wording import article, phrase, related
from pipeline.config import load_preset
from pipeline.load import quiet

SIDE = 64
KINDS = ("object", "colour", "count", "place")
SINGLES = [(0, 0, 4), (0, 0, 3), (1, 0, 3), (0, 1, 3), (1, 1, 3)]
GROUPS = {
    2: [[(0, s, 2), (2, t, 2)] for s in range(3) for t in {s, 2 - s}],
    3: [[(1, 0, 2), (0, 2, 2), (2, 2, 2)], [(0, 0, 2), (2, 0, 2), (1, 2, 2)]],
    4: [[(0, 0, 2), (2, 0, 2), (0, 2, 2), (2, 2, 2)]],
}


def asked(kind: str, rng: np.random.Generator) -> Scene:
    """A fair scene of the kind; one in ten or so is a combination that training never showed."""
    while True:
        weights = {"object": (1, 0, 0), "colour": (1, 0, 0), "count": (0, 1, 0), "place": (0, 0, 1)}[kind]
        scene = sample(rng, weights, tinted=float(kind == "colour"), withhold=False)
        if kind != "place" or scene.kind in ("row", "column"):
            return scene


def words(scene: Scene) -> str:
    first = scene.items[0]
    if scene.kind in ("row", "column"):
        where = "left" if scene.kind == "row" else "above"
        what = related(phrase(first.object), where, phrase(scene.items[1].object))
    else:
        what = phrase(first.object, len(scene.items), first.tint)
    return f"{what} on {article(scene.background)} background, {scene.style} style"


def rivals(kind: str, scene: Scene) -> list[tuple[str, Scene]]:
    """Scenes the picture might show, named by what the examiner reports; the truth is among the names."""
    item = scene.items[0]
    found: list[tuple[str, Scene]] = []
    if kind in ("object", "colour"):
        names = BY_NAME if kind == "object" else [item.object]
        tints: Sequence[str | None] = [None] if kind == "object" else list(COLOURS)
        for name in names:
            for tint in tints:
                for x, y, side in SINGLES:
                    made = replace(scene, items=(Item(name, tint, x, y, side),))
                    found.append((name if kind == "object" else str(tint), made))
    elif kind == "count":
        found = [("1", replace(scene, items=(Item(item.object, item.tint, *place),))) for place in SINGLES]
        for number, layouts in GROUPS.items():
            for places in layouts:
                found.append(
                    (
                        str(number),
                        replace(scene, items=tuple(Item(item.object, item.tint, *p) for p in places)),
                    )
                )
    else:
        a, b = scene.items
        for shift in range(3):
            rows = {"row": [(0, shift, 2), (2, shift, 2)], "column": [(shift, 0, 2), (shift, 2, 2)]}
            for layout, places in rows.items():
                for first, second in ((a, b), (b, a)):
                    items = tuple(
                        Item(i.object, i.tint, *p) for i, p in zip((first, second), places, strict=True)
                    )
                    found.append((f"{layout} {first.object}", replace(scene, items=items)))
    return found


def truth(kind: str, scene: Scene) -> str:
    item = scene.items[0]
    return {"object": item.object, "colour": str(item.tint), "count": str(len(scene.items))}.get(
        kind, f"{scene.kind} {item.object}"
    )


def examine(picture: NDArray[np.float32], kind: str, scene: Scene) -> str:
    """The name of the nearest rival, by mean squared distance at 64 px."""
    named = rivals(kind, scene)
    renders = np.stack([render(rival, SIDE) for _, rival in named]).astype(np.float32)
    return named[int(((renders - picture) ** 2).mean((1, 2, 3)).argmin())][0]


def small(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def background_of(picture: NDArray[np.float32]) -> str:
    """The palette colour nearest to most of the border."""
    border = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3)])
    nearest = np.linalg.norm(border[:, None] - np.array(list(COLOURS.values()))[None], axis=-1).argmin(1)
    return list(COLOURS)[int(np.bincount(nearest).argmax())]


def interval(right: int, of: int) -> str:
    """Share with its 95 % Wilson interval."""
    p, z = right / of, 1.96
    centre, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = ((centre + sign * half) / (1 + z * z / of) for sign in (-1, 1))
    return f"{p:.0%} ({low:.0%} to {high:.0%})"


def main(
    prompts: Annotated[int, typer.Option(help="prompts of each kind")] = 60,
    preset: str = "mini",
    seed: int = 1,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
    sheet: Annotated[Path | None, typer.Option(help="write the pictures of each kind here")] = None,
) -> None:
    quiet(offline=True)
    chosen = load_preset(preset, overrides or [])
    painter = load_image(chosen.image, chosen.base)
    table = Table(
        "kind", "examiner on worn renders", "painter", "held-out combinations", "background", box=None
    )
    rows = []
    for kind in KINDS:
        rng = np.random.default_rng((seed, KINDS.index(kind)))
        scenes = [asked(kind, rng) for _ in range(prompts)]
        worn = [Image.fromarray(render(s, SIDE)).filter(ImageFilter.GaussianBlur(1.0)) for s in scenes]
        noisy = [small(w) + rng.normal(0, 12, (SIDE, SIDE, 3)).astype(np.float32) for w in worn]
        own = sum(examine(p, kind, s) == truth(kind, s) for p, s in zip(noisy, scenes, strict=True))
        painted = [p.image for p in painter.paint([Paint(words(s), i) for i, s in enumerate(scenes)])]
        pictures = [small(image) for image in painted]
        right = [examine(p, kind, s) == truth(kind, s) for p, s in zip(pictures, scenes, strict=True)]
        ground = sum(background_of(p) == s.background for p, s in zip(pictures, scenes, strict=True))
        unseen = [ok for ok, s in zip(right, scenes, strict=True) if withheld(s)]
        table.add_row(
            kind, interval(own, prompts), interval(sum(right), prompts),
            interval(sum(unseen), len(unseen)) if unseen else "-", interval(ground, prompts),
        )  # fmt: skip
        rows.append(
            np.concatenate([np.asarray(i.convert("RGB").resize((128, 128))) for i in painted[:12]], 1)
        )
    Console().print(table)
    if sheet is not None:
        Image.fromarray(np.concatenate(rows, 0)).save(sheet)


if __name__ == "__main__":
    typer.run(main)
