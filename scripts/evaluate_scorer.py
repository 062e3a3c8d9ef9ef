"""Measures the bundled scorer on fresh renders, and sets its thresholds on other ones.

    python -m scripts.evaluate_scorer                    # measure with the thresholds in judge.json
    python -m scripts.evaluate_scorer --set-thresholds   # choose and write them first, on a separate set

A false accept is a false statement that passes, a false reject a true one that fails; what lies between the
thresholds is unsure. False statements are hard ones: another count of the same object, the other object's
colour, swapped places, and so on, in equal number to the true ones.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.mini.art import render
from models.mini.degrade import degrade
from models.mini.scene import Fact, Scene, facts, sample, true_of, withheld
from models.mini.statements import statement
from models.mini.vocabulary import BY_NAME, COLOURS, COUNTS, OPPOSITE, STYLES

SCORER = Path(__file__).parents[1] / "models" / "mini" / "scorer"
KINDS = ("object", "count", "attribute", "relation", "background", "style")
ACCEPT, REJECT = 0.015, 0.04  # shares aimed at on the set the thresholds are chosen on
_NAMES, _TINTS = tuple(BY_NAME), tuple(COLOURS)


@dataclass(frozen=True, slots=True)
class Asked:
    picture: int
    fact: Fact
    true: bool


def load(folder: Path) -> tuple[Any, Any, Any]:
    """Model, preprocess and tokenizer, by open_clip alone."""
    import open_clip

    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    return model.eval(), preprocess, open_clip.get_tokenizer(name)


def hard_false(fact: Fact, scene: Scene, rng: np.random.Generator) -> Fact:
    """A false statement of the same kind that is easily taken for the true one."""
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
        rng.random()  # another draw: near misses may not exist for this scene
        if fact.kind in ("attribute", "background"):
            tints = set(_TINTS)


def scenes(count: int, seed: int, held_out_only: bool) -> list[Scene]:
    rng = np.random.default_rng(seed)
    found: list[Scene] = []
    while len(found) < count:
        scene = sample(rng, (0.3, 0.3, 0.4), tinted=0.5, withhold=not held_out_only)
        if not held_out_only or withheld(scene):
            found.append(scene)
    return found


def questions(found: list[Scene], seed: int) -> list[Asked]:
    rng = np.random.default_rng(seed)
    asked = []
    for i, scene in enumerate(found):
        for fact in facts(scene):
            asked += [Asked(i, fact, True), Asked(i, hard_false(fact, scene, rng), False)]
    return asked


def pictures(found: list[Scene], degraded: bool, seed: int) -> list[Image.Image]:
    """Clean 256 px renders, or what a painter would make of them."""
    if not degraded:
        return [Image.fromarray(render(scene, 256)) for scene in found]
    g = torch.Generator().manual_seed(seed)
    out = []
    for start in range(0, len(found), 64):
        x = np.stack([render(scene, 64) for scene in found[start : start + 64]])
        y = degrade(torch.from_numpy(x).permute(0, 3, 1, 2) / 255, g)
        out += [Image.fromarray(a) for a in (y * 255).round().byte().permute(0, 2, 3, 1).numpy()]
    return [image.resize((256, 256), Image.Resampling.BICUBIC) for image in out]


@torch.inference_mode()
def ask(scorer: tuple[Any, Any, Any], images: list[Image.Image], asked: list[Asked]) -> NDArray[np.float64]:
    """The probability of every question."""
    model, preprocess, tokenizer = scorer
    texts = sorted({statement(a.fact) for a in asked})
    row = {text: i for i, text in enumerate(texts)}
    said = [
        model.encode_text(tokenizer(texts[i : i + 256]), normalize=True) for i in range(0, len(texts), 256)
    ]
    seen = [
        model.encode_image(torch.stack([preprocess(im) for im in images[i : i + 64]]), normalize=True)
        for i in range(0, len(images), 64)
    ]
    image, text = torch.cat(seen), torch.cat(said)
    i = torch.tensor([a.picture for a in asked])
    j = torch.tensor([row[statement(a.fact)] for a in asked])
    logits = model.logit_scale.exp() * (image[i] * text[j]).sum(-1) + model.logit_bias
    answer: NDArray[np.float64] = logits.sigmoid().double().numpy()
    return answer


def thresholds(p: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, float]:
    """Pass at or above the first, fail at or below the second."""
    no, yes = np.sort(p[~true]), np.sort(p[true])
    accept = float(no[int(np.ceil(len(no) * (1 - ACCEPT))) - 1]) + 1e-4
    reject = float(yes[int(len(yes) * REJECT)])
    accept = min(max(accept, 0.1), 0.999)
    return accept, min(reject, accept - 0.05)


def rates(p: NDArray[np.float64], true: NDArray[np.bool_], a: float, b: float) -> dict[str, float]:
    """Shares: of false statements that pass, of true ones that fail, of all that are unsure."""
    return {
        "false_accept": float((p[~true] >= a).mean()),
        "false_reject": float((p[true] <= b).mean()),
        "unsure": float(((p > b) & (p < a)).mean()),
        "unsure_true": float(((p > b) & (p < a))[true].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=SCORER)
    parser.add_argument("--pictures", type=int, default=500, help="for each condition")
    parser.add_argument("--set-thresholds", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    scorer = load(args.folder)

    def measure(seed: int, held_out_only: bool, degraded: bool) -> dict[str, tuple[Any, Any]]:
        found = scenes(args.pictures, seed, held_out_only)
        asked = questions(found, seed + 1)
        p = ask(scorer, pictures(found, degraded, seed + 2), asked)
        of = np.array([KINDS.index(a.fact.kind) for a in asked])
        true = np.array([a.true for a in asked])
        return {kind: (p[of == k], true[of == k]) for k, kind in enumerate(KINDS)}

    judge = args.folder / "judge.json"
    if args.set_thresholds:
        halves = [measure(101, False, degraded) for degraded in (False, True)]
        limits = {}
        for kind in KINDS:
            p, true = (np.concatenate([half[kind][i] for half in halves]) for i in (0, 1))
            limits[kind] = thresholds(p, true)
    else:
        limits = {kind: (r["pass"], r["fail"]) for kind, r in json.loads(judge.read_text()).items()}

    results = {
        name: measure(seed, held, degraded)
        for name, seed, held, degraded in (
            ("clean", 7001, False, False),
            ("degraded", 7002, False, True),
            ("held out, clean", 7003, True, False),
            ("held out, degraded", 7004, True, True),
        )
    }
    for name, result in results.items():
        print(f"\n{name}\nkind        right at 0.5  false accept  false reject  unsure  unsure (true ones)")
        for kind, (p, true) in result.items():
            r = rates(p, true, *limits[kind])
            right = ((p >= 0.5) == true).mean()
            print(
                f"{kind:<12}{right:>11.1%}{r['false_accept']:>14.1%}{r['false_reject']:>14.1%}"
                f"{r['unsure']:>8.1%}{r['unsure_true']:>10.1%}"
            )
    if args.set_thresholds:
        record = {}
        for kind, (a, b) in limits.items():
            p, true = (
                np.concatenate([results["clean"][kind][i], results["degraded"][kind][i]]) for i in (0, 1)
            )
            r = {k: round(v, 4) for k, v in rates(p, true, a, b).items() if k != "unsure_true"}
            note = f"{2 * args.pictures} fresh renders, half degraded; thresholds chosen on others"
            record[kind] = {"pass": round(a, 4), "fail": round(b, 4), **r, "measured_on": note}
        judge.write_text(json.dumps(record, indent=2) + "\n")
    else:
        print("\nthresholds", {k: tuple(round(x, 3) for x in v) for k, v in limits.items()})


if __name__ == "__main__":
    main()
