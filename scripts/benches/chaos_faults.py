"""Breaks every model in every way, and shows how each run ends.

    python -m scripts.benches.chaos_faults

(For full disks, read-only folders and locked stores, see tests/scripts/commands/test_disk_faults.py.)
Each fault is injected permanently into one model of the preset (pipeline/calls/faults.py): once with the same model
without a fault as fallback, once without a fallback. Exit status 1 if a run accepted an unchecked picture or did not
name the fault.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import typer

from models.protocols import ModelError
from models.specs import Fault, FaultPlan
from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.calls.pool import ModelPool
from pipeline.config import Preset, load_preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.loop import run

Below = Literal["a healthy rung", "nothing"]
FAULTS: tuple[Fault, ...] = tuple(fault for fault in get_args(Fault) if fault != "ok")
BRIEF = Brief(
    text="a panda on a purple background, cartoon style", seed=7
)  # accepted at once where all is well


@dataclass(frozen=True)
class Ended:
    """How a run with a fault ended; `error` is set if it did not end with an outcome."""

    model: str  # "text", "image" or the name of a judge
    fault: Fault
    below: Below
    outcome: Outcome | None
    reader: str
    checked: bool  # whether every must-have of the best candidate was checked
    error: str = ""

    @property
    def told(self) -> bool:
        """Whether the outcome names the model that failed."""
        said = (*self.outcome.degraded, self.outcome.reason) if self.outcome else (self.error,)
        return any(text.startswith(self.model) or "painted" in text or "loaded" in text for text in said)

    @property
    def honest(self) -> bool:
        if self.outcome is None:  # only where a model cannot be loaded and nothing stands below it
            return self.fault == "not_loaded" and self.below == "nothing" and "loaded" in self.error
        accepted = self.outcome.status == "accepted"
        return not (accepted and not self.checked) and (self.told or self.below == "nothing")


def broken(preset: Preset, model: str, fault: Fault, below: Below, patience_s: float = 5.0) -> Preset:
    """The preset with a model that fails in one way, and for good: "text", "image" or the name of a judge."""
    own = preset.judges.get(model) or getattr(preset, model)
    spec = own.model_copy(update={"fallback": ()})
    changes = {
        "faults": FaultPlan(plan=(fault,), forever=True),
        "retries": 0,
        "patience_s": patience_s if fault == "hang" else None,
        "fallback": (spec,) if below == "a healthy rung" else (),
    }
    sick = spec.model_copy(update=changes)
    update = {"judges": preset.judges | {model: sick}} if model in preset.judges else {model: sick}
    return preset.model_copy(update=update)


def play(preset: Preset, model: str, fault: Fault, below: Below, pool: ModelPool | None = None) -> Ended:
    """One brief through a preset that `broken` made."""
    reader, outcome, checked = "", None, False
    try:
        for event in run([BRIEF], preset, load(preset, pool=pool)):
            if isinstance(event, Started):
                reader = event.reading.reader
                must = {r.id for r in event.reading.requirements if r.must}
            elif isinstance(event, Attempt):
                continue
            else:
                outcome = event
                checks = event.verdict.checks if event.verdict else ()
                checked = bool(checks) and not any(
                    c.outcome == "unchecked" for c in checks if c.requirement in must
                )
    except ModelError as error:
        return Ended(model, fault, below, None, reader, False, str(error))
    return Ended(model, fault, below, outcome, reader, checked)


def matrix(preset: Preset) -> Iterator[Ended]:
    """Every model × every fault × with and without a fallback."""
    pool = ModelPool()
    for model in ("text", "image", *preset.judges):
        for fault in FAULTS:
            for below in get_args(Below):
                yield play(broken(preset, model, fault, below), model, fault, below, pool)


def main(
    preset: Annotated[str, typer.Option(help="a preset by name or path")] = "mini",
    images: Annotated[int, typer.Option(min=1, help="images a run may paint")] = 2,
) -> None:
    loaded = load_preset(preset, [f"loop.images={images}"])
    print(f"{'model':8} {'fault':14} {'below it':15} {'ended':13} said")
    bad = count = 0
    for end in matrix(loaded):
        count += 1
        status = end.outcome.status if end.outcome else "not started"
        said = "; ".join(end.outcome.degraded) or end.outcome.reason if end.outcome else end.error
        print(f"{end.model:8} {end.fault:14} {end.below:15} {status:13} {said[:150]}", flush=True)
        if not end.honest:
            bad += 1
            print("        NOT HONEST: accepted without a check, or the failure is not named")
    print(f"{count} runs, {count - bad} ended honestly, none in a traceback")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    try:
        typer.run(main)
    except Exception:
        traceback.print_exc()
        sys.exit("a run ended in a traceback")
