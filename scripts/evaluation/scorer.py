"""Measure the bundled scorer as the judge uses it, and set its thresholds on other pictures.

    python -m scripts.evaluation.scorer                    # measure with the thresholds in judge.json
    python -m scripts.evaluation.scorer --set-thresholds   # choose and write them first, on a separate set of pictures

A false accept is a false statement that passes, a false reject a true one that fails; scores between the thresholds are
unsure. There are as many false statements as true ones, and they are hard: another count of the same object, the other
object's colour, swapped positions, and so on.

Painted pictures are made by the bundled painter, and the examiner (examiner.py) says what is true of them; pictures
with unclear objects are left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from models.english import OPPOSITE
from models.load import load_image
from models.mini.dataset.chance import usual
from models.mini.dataset.degrade import degrade
from models.mini.dataset.scene import Fact, Scene, facts, render, sample, true_of, withheld
from models.mini.dataset.vocabulary import BY_NAME, COUNTS, STYLES
from models.palette import COLOURS
from models.protocols import Paint, Scorer
from models.scorer import open_clip_scorer
from models.scorer.open_clip_backend import OpenClipScorer
from pipeline.config import Band, load_preset
from scripts.evaluation.examiner import Seen, examine
from scripts.evaluation.suite import put, words

SCORER = Path(__file__).parents[2] / "models" / "mini" / "scorer"
KINDS = ("object", "count", "attribute", "relation", "background", "style")
ACCEPT, REJECT = 0.01, 0.03  # target rates of false accepts and false rejects, when thresholds are chosen
_GAP = 0.2  # least distance between the thresholds, in log odds
_NAMES, _TINTS = tuple(BY_NAME), tuple(COLOURS)

Answers = dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]  # of each kind: probability, truth


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement about a picture (by index), and whether it is true."""

    picture: int
    fact: Fact
    true: bool


def load(folder: Path) -> Scorer:
    """The scorer in a folder, with the settings of the preset mini."""
    spec = load_preset("mini").scorer
    assert isinstance(spec, OpenClipScorer)
    return open_clip_scorer.load(
        spec.model_copy(update={"model": str(folder.resolve())}), folder, offline=True
    )


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


def questions(found: list[Scene], seed: int) -> list[Asked]:
    """For every fact of every scene, a true and a false statement."""
    rng = np.random.default_rng(seed)
    asked = []
    for i, scene in enumerate(found):
        for fact in facts(scene):
            asked += [Asked(i, fact, True), Asked(i, hard_false(fact, scene, rng), False)]
    return asked


def pictures(found: Sequence[Scene], degraded: bool, seed: int) -> list[Image.Image]:
    """Renders of scenes: clean at 256 px, or rendered at 128 px, degraded, and enlarged."""
    if not degraded:
        return [Image.fromarray(render(scene, 256)) for scene in found]
    g = torch.Generator().manual_seed(seed)
    out = []
    for start in range(0, len(found), 64):
        x = np.stack([render(scene, 128) for scene in found[start : start + 64]])
        y = degrade(torch.from_numpy(x).permute(0, 3, 1, 2) / 255, g)
        out += [Image.fromarray(a) for a in (y * 255).round().byte().permute(0, 2, 3, 1).numpy()]
    return [image.resize((256, 256), Image.Resampling.BICUBIC) for image in out]


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


def ask(scorer: Scorer, images: Sequence[Image.Image], asked: Sequence[Asked]) -> NDArray[np.float64]:
    """The scorer's probability of every statement, shape (statements,), asked in the pipeline's words."""
    p = np.empty(len(asked))
    for i, image in enumerate(images):
        mine = [n for n, a in enumerate(asked) if a.picture == i]
        (p[mine],) = scorer.score([image], [[put(asked[n].fact) for n in mine]])
    return p


def answers(
    scorer: Scorer,
    found: Sequence[Scene],
    images: Sequence[Image.Image],
    seed: int,
    seen: Sequence[Seen] = (),
) -> Answers:
    """Ask about pictures of scenes. The truth is that of the scenes or, if given, of what the examiner has `seen`."""
    asked = questions(list(found), seed)
    p = ask(scorer, images, asked)
    of = np.array([a.fact.kind for a in asked])
    true = np.array([seen[a.picture].holds(a.fact) if seen else a.true for a in asked])
    return {kind: (p[of == kind], true[of == kind]) for kind in KINDS}


def of_painted(scorer: Scorer, count: int, seed: int) -> Answers:
    """Answers about pictures by the bundled painter."""
    found, images, seen = painted(count, seed)
    return answers(scorer, found, images, seed + 1, seen)


def together(sets: Sequence[Answers]) -> Answers:
    return {kind: tuple(np.concatenate([s[kind][i] for s in sets]) for i in (0, 1)) for kind in KINDS}  # type: ignore[misc]


def thresholds(p: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, float]:
    """Thresholds for probabilities `p`: pass at or above the first, fail at or below the second. If true and false
    statements are so well separated that the second would exceed the first, both move to the middle, _GAP apart."""
    p = p.clip(1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    accept, reject = float(np.quantile(odds[~true], 1 - ACCEPT)), float(np.quantile(odds[true], REJECT))
    if reject > accept - _GAP:
        middle = (accept + reject) / 2
        accept, reject = middle + _GAP / 2, middle - _GAP / 2
    return 1 / (1 + math.exp(-accept)), 1 / (1 + math.exp(-reject))


def correction(p: NDArray[np.float64], true: NDArray[np.bool_], rounds: int = 30) -> tuple[float, float]:
    """Slope and offset in log odds that calibrate the probabilities, if as many statements are true as false: Platt
    scaling (logistic regression with softened targets), by Newton's method."""
    p = p.clip(1e-6, 1 - 1e-6)
    x = np.stack([np.log(p / (1 - p)), np.ones_like(p)], 1)
    yes, no = int(true.sum()), int((~true).sum())
    target = np.where(true, (yes + 1) / (yes + 2), 1 / (no + 2))
    w = np.zeros(2)
    for _ in range(rounds):
        q = 1 / (1 + np.exp(-(x @ w)))
        slope = x.T @ (q - target)
        bend = (x * (q * (1 - q))[:, None]).T @ x + 1e-3 * np.eye(2)
        w = w - np.linalg.solve(bend, slope)
    return float(max(w[0], 0.05)), float(w[1])


def corrected(odds: tuple[float, float], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibrated probabilities. `odds`: slope and offset."""
    band = Band(odds=odds)
    return np.array([band.corrected(one) for one in p])


def rates(p: NDArray[np.float64], true: NDArray[np.bool_], a: float, b: float) -> dict[str, float]:
    """Shares of false statements that pass (p ≥ `a`), of true ones that fail (p ≤ `b`), and of all that are unsure."""
    return {
        "false_accept": float((p[~true] >= a).mean()),
        "false_reject": float((p[true] <= b).mean()),
        "unsure": float(((p > b) & (p < a)).mean()),
    }


def in_order(p: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often a true statement has a higher probability than a false one."""
    yes, no = p[true][:, None], p[~true][None]
    return float(((yes > no) + 0.5 * (yes == no)).mean())


def table(results: dict[str, Answers], limits: dict[str, tuple[float, float]]) -> str:
    """The rates as a Markdown table, for the model card."""
    rows = ["| kind | " + " | ".join(results) + " |", "| --- " * (len(results) + 1) + "|"]
    for kind in KINDS:
        found = [rates(*result[kind], *limits[kind]) for result in results.values()]
        cells = [" / ".join(f"{100 * share:.1f}" for share in shares.values()) for shares in found]
        rows.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main(
    folder: Annotated[Path, typer.Option(help="the scorer")] = SCORER,
    count: Annotated[int, typer.Option("--pictures", help="for each condition")] = 300,
    set_thresholds: Annotated[bool, typer.Option(help="choose and write them first")] = False,
) -> None:
    torch.set_num_threads(1)
    scorer = load(folder)

    def measure(seed: int, held_out_only: bool, degraded: bool) -> Answers:
        found = scenes(count, seed, held_out_only)
        return answers(scorer, found, pictures(found, degraded, seed + 2), seed + 1)

    judge = folder / "judge.json"
    if set_thresholds:
        known = together(
            [
                measure(101, False, False),
                measure(111, False, True),
                of_painted(scorer, count, 121),
            ]
        )
        odds = {kind: correction(p, true) for kind, (p, true) in known.items()}
        limits = {kind: thresholds(corrected(odds[kind], p), true) for kind, (p, true) in known.items()}
    else:
        kept = json.loads(judge.read_text())
        odds = {kind: (r["odds"][0], r["odds"][1]) for kind, r in kept.items()}
        limits = {kind: (r["pass"], r["fail"]) for kind, r in kept.items()}
    raw = {
        "clean": measure(7001, False, False),
        "degraded": measure(7011, False, True),
        "painted": of_painted(scorer, count, 7041),
        "held out, clean": measure(7021, True, False),
        "held out, degraded": measure(7031, True, True),
    }
    results = {
        name: {kind: (corrected(odds[kind], p), true) for kind, (p, true) in result.items()}
        for name, result in raw.items()
    }
    print("False accepts / false rejects / unsure in %\n\n" + table(results, limits))
    for kind in KINDS:
        orders = ", ".join(f"{name} {in_order(*result[kind]):.3f}" for name, result in results.items())
        print(f"{kind}: true above false {orders}")
    print("\nthresholds", {k: tuple(float(f"{x:.3g}") for x in v) for k, v in limits.items()})
    if not set_thresholds:
        return
    whole = together([results[name] for name in ("clean", "degraded", "painted")])
    drawn = len(results["painted"]["background"][0]) // 2
    note = (
        f"{2 * count} fresh renders, half degraded, and {drawn} painted pictures; thresholds chosen on others"
    )
    record = {
        kind: {
            "pass": float(f"{a:.4g}"), "fail": float(f"{b:.4g}"), "odds": [float(f"{x:.4g}") for x in odds[kind]],
            **{k: round(v, 4) for k, v in rates(*whole[kind], a, b).items()}, "measured_on": note,
        }
        for kind, (a, b) in limits.items()
    }  # fmt: skip
    judge.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
