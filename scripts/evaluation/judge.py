"""Measure the whole judge of a preset as the loop uses it, by kind of check, on three sets of pictures.

    python -m scripts.evaluation.judge --pictures 100
    python -m scripts.evaluation.judge --set-bands         # choose and write its bands first, on other pictures

The sets: clean renders; degraded ones; and pictures by the bundled painter, of which the examiner says what is true.
Every picture is judged with true and similar false statements, as many of each. Three kinds need pictures of their own:

    attribute   also groups in which one has another colour than the others: "two red umbrellas", one of them blue
    extra       pictures with an object that was not asked for, and without; what counts is the verdict's gate
    intact      pictures with a smear, a blend, half a thing or a scrawl, and without; what counts is the gate too

A false accept is a false statement, or a picture with something extra or spoilt, that passes; a false reject is a true
statement, or a right picture, that fails; the others that do not pass are unsure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
import typer
from PIL import Image
from rich.progress import track

from models.load import load_image
from models.mini.dataset.degrade import degrade
from models.mini.dataset.scene import Fact, Scene, facts, render
from models.mini.dataset.vocabulary import BY_NAME
from models.palette import COLOURS
from models.protocols import Identity, Paint
from pipeline.brief import Requirement
from pipeline.calls.load import Models, load, quiet_libraries
from pipeline.config import Preset, load_preset
from pipeline.judging.bands import load_bands
from pipeline.judging.basis import judges_of, versioned
from pipeline.judging.judge import Judges, judge
from pipeline.judging.routes import Judged, levels, routes
from pipeline.judging.verdict import INTACT, NOTHING_ELSE, CheckOutcome, Verdict
from pipeline.painting.image import Candidate, Plan
from pipeline.painting.prompt import Prompt
from scripts.evaluation import collage
from scripts.evaluation.bands import ACCEPT, RARE, band
from scripts.evaluation.collage import Collage
from scripts.evaluation.examiner import examine
from scripts.evaluation.statements import hard_false, painted, scenes
from scripts.evaluation.suite import put
from scripts.evaluation.tables import share

GateKind = Literal["extra", "intact"]
KINDS = ("object", "count", "attribute", "relation", "background", "style", "absence", "extra", "intact")
_NAMES, _TINTS = tuple(BY_NAME), tuple(COLOURS)
_AT_ONCE = 16  # pictures judged in one request
# Of each kind: whether it is true, and what the judge says.
Answers = dict[str, list[tuple[bool, CheckOutcome]]]
Sets = dict[str, list["Trial"]]
BANDS = Path(__file__).parents[2] / "models/mini/judge.json"


@dataclass(frozen=True, slots=True)
class Trial:
    """A picture, and what the judge is asked about it. `asked`: facts, and whether each is true. With `gate`, all are
    asked as must-haves and only the gate counts, under this kind; `right` says whether it should pass."""

    image: Image.Image
    asked: tuple[tuple[Fact, bool], ...]
    gate: GateKind | None = None
    right: bool = True


def answers(trials: Sequence[Trial], preset: Preset, models: Models) -> Answers:
    """What the judge says of every fact, or of the picture, by kind."""
    found: Answers = defaultdict(list)
    for start in track(range(0, len(trials), _AT_ONCE), "judging", transient=True):
        some = trials[start : start + _AT_ONCE]
        for trial, verdict in zip(some, verdicts(some, preset, models), strict=True):
            if trial.gate:
                found[trial.gate].append((trial.right, verdict.gate))
                continue
            said = {check.requirement: check.outcome for check in verdict.checks}
            for i, (fact, true) in enumerate(trial.asked):
                found[fact.kind].append((true, said[f"r{i}"]))
    return found


def probabilities(
    trials: Sequence[Trial], preset: Preset, models: Models
) -> dict[str, list[tuple[float, bool]]]:
    """The judge's probability of every fact, and that nothing else is there and all is whole, each with its truth, by
    kind, before calibration."""
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for start in track(range(0, len(trials), _AT_ONCE), "judging", transient=True):
        some = trials[start : start + _AT_ONCE]
        for trial, verdict in zip(some, verdicts(some, preset, models), strict=True):
            p = {check.requirement: check.said for check in verdict.checks}
            truth = {f"r{i}": true for i, (_, true) in enumerate(trial.asked)}
            kinds = {f"r{i}": str(fact.kind) for i, (fact, _) in enumerate(trial.asked)}
            if trial.gate:
                id = NOTHING_ELSE if trial.gate == "extra" else INTACT
                truth, kinds = {id: trial.right}, {id: id}
            for id, true in truth.items():
                said = p[id]
                if said is None:
                    continue
                found[kinds[id]].append((said, true))
    return found


def set_bands(sets: Sets, preset: Preset, models: Models, path: Path) -> None:
    """Choose the bands of the judge on these pictures and write them, with the rates there: of all judges together, and
    where a route has several, of its first ones alone, which decide first where the route escalates."""
    trials = [trial for trials in sets.values() for trial in trials]
    record: dict[str, list[dict[str, Any]]] = defaultdict(list)
    steps = list(levels(routes(preset.judges, preset.judge.routes, escalate=True)))
    for step in reversed(steps):
        narrowed = preset.judge.model_copy(update={"routes": step})
        rows = _bands(trials, preset.model_copy(update={"judge": narrowed}), models)
        for kind, row in rows.items():
            if all(row["judges"] != other["judges"] for other in record[kind]):
                record[kind].append(row)
    whole = {kind: rows if len(rows) > 1 else rows[0] for kind, rows in record.items()}
    path.write_text(json.dumps(whole, indent=2) + "\n")


def _bands(trials: Sequence[Trial], preset: Preset, models: Models) -> dict[str, dict[str, Any]]:
    """The bands of a preset's judges on these pictures, with the rates there, by kind."""
    found = probabilities(trials, preset, models)
    panel = Judges(models.judges, preset.routes, models.bands, models.range).panel
    painter = models.image.identity
    record = {}
    for kind, said in found.items():
        p, true = np.array([one for one, _ in said]), np.array([one for _, one in said])
        chosen = band(p, true, RARE.get(kind, ACCEPT))
        assert chosen.pass_ is not None
        assert chosen.fail is not None
        outcome = np.array([chosen.corrected(one) for one in p])
        judged = cast(Judged, kind)
        record[kind] = {
            "judges": judges_of(panel.identities[name] for name in panel.involved(judged)),
            "painter": versioned(painter.name, painter.revision), "wording": panel.wording(judged),
            "pass": float(f"{chosen.pass_:.4g}"), "fail": float(f"{chosen.fail:.4g}"),
            "odds": [float(f"{x:.4g}") for x in chosen.odds],
            "false_accept": round(float((outcome[~true] >= chosen.pass_).mean()), 4),
            "false_reject": round(float((outcome[true] <= chosen.fail).mean()), 4),
            "unsure": round(float(((outcome > chosen.fail) & (outcome < chosen.pass_)).mean()), 4),
            "measured_on": f"{len(true)} statements about clean and painted pictures, on which it was chosen",
        }  # fmt: skip
    return record


def verdicts(trials: Sequence[Trial], preset: Preset, models: Models) -> list[Verdict]:
    """The verdict of the preset's judge on every picture."""
    asked = [tuple(requirement(fact, f"r{i}") for i, (fact, _) in enumerate(t.asked)) for t in trials]
    shown = [[candidate(trial.image, models.image.identity)] for trial in trials]
    judges = Judges(models.judges, preset.routes, models.bands, models.range)
    made = judge(shown, asked, judges)
    return [verdict for (verdict,) in made.each]


def requirement(fact: Fact, id: str) -> Requirement:
    """The fact as a must-have."""
    text = put(fact).statement.removeprefix("a picture ").removeprefix("of ")
    return Requirement(
        id=id, kind=fact.kind, subject=fact.subject, value=fact.value, other=fact.other,
        text=f"no {fact.subject}" if fact.kind == "absence" else text,
    )  # fmt: skip


def candidate(image: Image.Image, painter: Identity) -> Candidate:
    """The picture as if this painter had made it in the loop."""
    plan = Plan(prompt=Prompt(text="a picture", origin="user"), seed=0)
    return Candidate(
        id="1-1", plan=plan, settings={}, model=painter.name, revision=painter.revision, image=image
    )


def of_scenes(count: int, seed: int) -> list[Trial]:
    """Clean renders of scenes with their facts, absences, and as many false statements."""
    rng = np.random.default_rng(seed)
    trials = []
    for scene in scenes(count, seed, held_out_only=False):
        image = Image.fromarray(render(scene, collage.SIDE))
        trials.append(Trial(image, _statements(scene, rng)))
    return trials


def _statements(scene: Scene, rng: np.random.Generator) -> tuple[tuple[Fact, bool], ...]:
    true = facts(scene)
    shown = {item.object for item in scene.items}
    missing = str(rng.choice([name for name in _NAMES if name not in shown]))
    asked = [(fact, True) for fact in true] + [(hard_false(fact, scene, rng), False) for fact in true]
    asked += [(Fact("absence", missing), True), (Fact("absence", sorted(shown)[0]), False)]
    return tuple(dict(asked).items())


def uneven(count: int, seed: int) -> list[Trial]:
    """Groups of two to four of one object in one colour, and groups in which one has another colour."""
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(count):
        of = int(rng.integers(2, 5))
        name, tint, other = str(rng.choice(_NAMES)), *map(str, rng.choice(_TINTS, 2, replace=False))
        even = i % 2 == 0
        made = collage.arranged(rng, [name] * of, [tint] * (of - 1) + [tint if even else other])
        trials.append(Trial(collage.render(made, rng), ((Fact("attribute", name, tint), even),)))
    return trials


def too_much(count: int, seed: int) -> list[Trial]:
    """Pictures of one to three of one object, or of two different ones, that show nothing else; the same with one more
    object; and the same with something spoilt."""
    rng = np.random.default_rng(seed)
    trials = []
    for _ in range(count):
        of = int(rng.integers(1, 4))
        one, other, extra = (str(name) for name in rng.choice(_NAMES, 3, replace=False))
        names = [one, other] if of == 2 and rng.random() < 0.5 else [one] * of
        tint = str(rng.choice(_TINTS)) if rng.random() < 0.5 else None
        whole = collage.arranged(rng, [*names, extra], [tint] * len(names) + [None])
        right = replace(whole, pieces=whole.pieces[:-1])
        spoilt = replace(whole, pieces=(*right.pieces, replace(whole.pieces[-1], spoilt=True)))
        asked = _counts(right)
        clean = collage.render(right, rng)
        trials += [
            Trial(clean, asked, "extra"), Trial(collage.render(whole, rng), asked, "extra", right=False),
            Trial(clean, asked, "intact"), Trial(collage.render(spoilt, rng), asked, "intact", right=False),
        ]  # fmt: skip
    return trials


def _counts(made: Collage) -> tuple[tuple[Fact, bool], ...]:
    """What the collage shows: an object, or how many of it if there are several."""
    names = [piece.object for piece in made.pieces]
    return tuple(
        (Fact("count", name, str(names.count(name))) if names.count(name) > 1 else Fact("object", name), True)
        for name in dict.fromkeys(names)
    )


def degraded(trials: Iterable[Trial], seed: int) -> list[Trial]:
    """The same trials on degraded pictures of half the size."""
    generator, made = torch.Generator().manual_seed(seed), []
    for trial in trials:
        small = trial.image.resize((collage.HALF, collage.HALF), Image.Resampling.BOX)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None] / 255
        worn = (degrade(pixels, generator)[0] * 255).round().byte().permute(1, 2, 0).numpy()
        image = Image.fromarray(worn).resize((collage.SIDE, collage.SIDE), Image.Resampling.BICUBIC)
        made.append(replace(trial, image=image))
    return made


def of_painted(count: int, seed: int) -> list[Trial]:
    """Pictures by the bundled painter with what the examiner says of them. For "extra", one of two objects is not
    asked for; for "intact", the painter is asked for three objects, which it blends."""
    rng = np.random.default_rng(seed)
    trials = []
    for scene, image, seen in zip(*painted(count, seed), strict=True):
        asked = _statements(scene, rng)
        trials.append(Trial(image, tuple((fact, seen.holds(fact)) for fact, _ in asked)))
        shown = list(dict.fromkeys(f.object for f in seen.found if f.object))
        told = tuple((Fact("object", name), True) for name in shown)
        if told:
            trials += [Trial(image, told, "extra"), Trial(image, told, "intact")]
        if len(told) > 1:
            trials.append(Trial(image, told[:1], "extra", right=False))
    return trials + _blends(count // 2, rng)


def _blends(count: int, rng: np.random.Generator) -> list[Trial]:
    preset = load_preset("mini")
    painter, trials = load_image(preset.image, preset.base, preset.offline), []
    for seed in range(count):
        names = [str(name) for name in rng.choice(_NAMES, 3, replace=False)]
        (made,) = painter.paint([Paint("a {}, a {} and a {}".format(*names), seed)])
        seen = examine(made.image)
        clear = dict.fromkeys(f.object for f in seen.found if f.object)
        if not seen.sure:
            told = tuple((Fact("object", name), True) for name in clear or names[:1])
            trials.append(Trial(made.image, told, "intact", right=False))
    return trials


def rates(said: Sequence[tuple[bool, CheckOutcome]]) -> dict[str, tuple[int, int]]:
    """False accepts of the false ones, false rejects of the true ones, and unsure ones of all: how many, of how
    many."""
    false, true = [o for right, o in said if not right], [o for right, o in said if right]
    unsure = sum(o in ("unsure", "unchecked") for _, o in said)
    return {
        "false accepts": (false.count("pass"), len(false)),
        "false rejects": (true.count("fail"), len(true)),
        "unsure": (unsure, len(said)),
    }


def table(results: dict[str, Answers]) -> str:
    """False accepts / false rejects / unsure in percent with 95 % intervals, in Markdown."""
    lines = ["| kind | " + " | ".join(results) + " |", "| --- " * (len(results) + 1) + "|"]
    for kind in KINDS:
        cells = [
            " / ".join(share(*rate) for rate in rates(found[kind]).values()) for found in results.values()
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def painter_like(count: int, seed: int) -> Sets:
    """Pictures as the painter makes them: clean renders, and its own."""
    return {"clean": all_kinds(count, seed), "painted": of_painted(count, seed + 201)}


def worn(count: int, seed: int) -> list[Trial]:
    """Pictures that are worn more than the painter's ever are."""
    return degraded(all_kinds(count, seed), seed + 31)


def all_kinds(count: int, seed: int) -> list[Trial]:
    return [*of_scenes(count, seed + 1), *uneven(count, seed + 11), *too_much(count, seed + 21)]


def main(
    preset: str = "mini",
    count: Annotated[int, typer.Option("--pictures", min=2, help="scenes of each set")] = 100,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="write the rates as JSON here")] = None,
    choose: Annotated[
        bool, typer.Option("--set-bands", help="choose and write the bands of mini first")
    ] = False,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    quiet_libraries()
    chosen = load_preset(preset, overrides or [])
    models = load(chosen)
    if choose:
        set_bands(painter_like(count, 5000), chosen, models, BANDS)
        models = replace(models, bands=load_bands(chosen.judge, chosen.base))
    drawn = painter_like(count, 8000) | {"degraded": worn(count, 8100)}
    results = {name: answers(trials, chosen, models) for name, trials in drawn.items()}
    print("False accepts / false rejects / unsure in %\n\n" + table(results))
    if figures is not None:
        record = {name: {kind: rates(found[kind]) for kind in KINDS} for name, found in results.items()}
        figures.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
