"""How far what a judge measures of itself is from the truth, on the bundled models.

    python -m scripts.evaluation.self_measured --each 100 --pictures 100

The judge of mini measures itself as `easel measure mini` does. Its band, and the one of `judge.json`, which was chosen
on pictures whose truth is known, then decide the same statements about other such pictures.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
import typer
from rich.progress import Progress

from pipeline.calls.load import load, quiet_libraries
from pipeline.config import bands, load_preset
from pipeline.judging.learned import Known, standing
from pipeline.work.measure import measure
from scripts.evaluation.judge import painter_like, probabilities
from scripts.evaluation.reviewers import Rates, rates


def cell(found: Rates) -> str:
    """Decided alone / wrong accepts / wrong rejects in percent."""
    wrong = (found.wrong_accepts, found.wrong_rejects)
    return " / ".join([f"{found.alone:.0%}", *("–" if w is None else f"{w:.1%}" for w in wrong)]).replace(
        "%", ""
    )


def main(
    each: Annotated[int, typer.Option(min=2, help="prompts of each kind, as in easel measure")] = 100,
    pictures: Annotated[int, typer.Option(min=2, help="scenes of each set whose truth is known")] = 100,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    quiet_libraries()
    preset = load_preset("mini")
    models = load(preset)
    with Progress(transient=True) as shown:
        bar = shown.add_task("measuring itself", total=None)
        found = measure(preset, models, each, lambda done, of: shown.update(bar, completed=done, total=of))
    assert found is not None
    learned = standing([Known(basis, itself=tuple(some)) for basis, some in found.items()], preset.judge)
    trials = [trial for trials in painter_like(pictures, 9000).values() for trial in trials]
    said, measured = probabilities(trials, preset, models), bands(preset.judge, preset.base)
    print("Decided alone / wrong accepts / wrong rejects in % of statements whose truth is known\n")
    print("| kind | prompts | its own bound of wrong accepts | self-measured | measured on truth |")
    print("| --- | --- | --- | --- | --- |")
    for basis, answers in found.items():
        band, some = learned[basis.key], np.array(said[basis.kind], float)
        bound = f"{band.passes.bound:.1%}" if band.passes else "–"
        print(
            f"| {basis.kind} | {len(answers) // 2} | {bound} | {cell(rates(band.band, some))} | "
            f"{cell(rates(measured[basis.kind][0], some))} |"
        )


if __name__ == "__main__":
    typer.run(main)
