"""Simulated reviewers: how many decisions a judge needs before it decides alone, and how wrong it then is.

    python -m scripts.evaluation.reviewers --pictures 300

The bundled painter paints, the bundled judge scores true and similar false statements, and the examiner says what is
true. A reviewer answers as the examiner, but errs in one answer of twenty. The judge learns from so many answers and is
then measured on the other statements, by the examiner without errors. Means over many draws of answers and reviewers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import track

from pipeline.calls.load import load, quiet_libraries
from pipeline.config import Band, Judge, load_preset
from pipeline.judging.basis import Answer, Basis
from pipeline.judging.learned import Known, standing
from scripts.evaluation.judge import of_painted, probabilities

DECISIONS = (30, 60, 120, 240)  # of each kind
_LEAST_LEFT = 40  # statements of a kind that it is measured on
Said = Mapping[str, Sequence[tuple[float, bool]]]  # probability and truth of statements, by kind


@dataclass(frozen=True, slots=True)
class Rates:
    """Of statements: the share that is decided without a person, and the shares of what passes and of what fails that
    are wrong; None where nothing passes or fails."""

    alone: float
    wrong_accepts: float | None
    wrong_rejects: float | None


def curve(
    said: Said, decisions: Sequence[int], noise: float, draws: int, rules: Judge
) -> dict[int, dict[str, list[Rates]]]:
    """The rates after so many decisions on each kind, by kind, one for each draw. Kinds with too few statements are
    left out."""
    rng, found = np.random.default_rng(0), dict[int, dict[str, list[Rates]]]()
    for count in track(decisions, "deciding", transient=True):
        kinds = {
            kind: np.array(some, float) for kind, some in said.items() if len(some) >= count + _LEAST_LEFT
        }
        found[count] = {kind: [] for kind in kinds}
        for _ in range(draws):
            known, left = [], {}
            for kind, some in kinds.items():
                order = rng.permutation(len(some))
                asked, left[kind] = some[order[:count]], some[order[count:]]
                errs = rng.random(count) < noise
                answers = tuple(
                    Answer(float(p), bool(true) != bool(e)) for (p, true), e in zip(asked, errs, strict=True)
                )
                known.append(Known(_basis(kind), answers))
            bands = standing(known, rules)
            for kind, rest in left.items():
                found[count][kind].append(rates(bands[_basis(kind).key].band, rest))
    return found


def rates(band: Band, statements: NDArray[np.float64]) -> Rates:
    """What a band decides of statements, shape (n, 2): probability and truth."""
    p = np.array([band.corrected(float(one)) for one in statements[:, 0]])
    true = statements[:, 1] > 0.5
    passed = p >= band.pass_ if band.pass_ is not None else np.zeros(len(p), bool)
    failed = (p <= band.fail if band.fail is not None else np.zeros(len(p), bool)) & ~passed
    return Rates(
        float((passed | failed).mean()),
        float((~true[passed]).mean()) if passed.any() else None,
        float(true[failed].mean()) if failed.any() else None,
    )


def table(found: Mapping[int, Mapping[str, Sequence[Rates]]]) -> str:
    """Decided alone / wrong accepts / wrong rejects in percent, by decisions and kind, in Markdown."""
    kinds = list(dict.fromkeys(kind for by_kind in found.values() for kind in by_kind))
    lines = [f"| decisions on each kind | all | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 2) + "|"]
    for count, by_kind in found.items():
        cells = [_cell([one for some in by_kind.values() for one in some])]
        cells += [_cell(by_kind.get(kind, ())) for kind in kinds]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(some: Sequence[Rates]) -> str:
    if not some:
        return "–"
    wrong = ([r.wrong_accepts for r in some], [r.wrong_rejects for r in some])
    said = [[one for one in each if one is not None] for each in wrong]
    means = [f"{100 * np.mean(each):.1f}" if each else "–" for each in said]
    return " / ".join([f"{100 * np.mean([r.alone for r in some]):.0f}", *means])


def _basis(kind: str) -> Basis:
    return Basis(kind=kind, judges=("mini",), painter="mini")


def main(
    pictures: Annotated[int, typer.Option(min=20, help="that the painter paints")] = 300,
    noise: Annotated[
        float, typer.Option(min=0, max=0.5, help="share of answers in which a reviewer errs")
    ] = 0.05,
    draws: Annotated[int, typer.Option(min=1, help="reviewers for each number of decisions")] = 40,
    risk: Annotated[float, typer.Option(help="wanted risk")] = 0.1,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    quiet_libraries()
    preset = load_preset("mini")
    said = probabilities(of_painted(pictures, 61), preset, load(preset))
    print("Statements: " + ", ".join(f"{kind} {len(some)}" for kind, some in said.items()))
    print("Decided alone / wrong accepts / wrong rejects in %\n")
    print(table(curve(said, DECISIONS, noise, draws, Judge(risk=risk))))


if __name__ == "__main__":
    typer.run(main)
