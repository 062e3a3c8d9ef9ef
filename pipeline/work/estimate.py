"""What a batch will take, before it starts: from the speeds that the store has recorded for the same models."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pipeline.brief import Record
from pipeline.store import Store
from pipeline.store.tables import CallRow
from pipeline.work.report import duration
from pipeline.work.rows import Row


class Estimate(Record):
    """`likely` images go by how many finished runs took; `most` by what the limits allow. Seconds, joules and money
    are of model calls. None where nothing is recorded to go by."""

    briefs: int
    runs: int  # that the figures come from
    images_likely: float
    images_most: int
    seconds_likely: float | None
    seconds_most: float | None
    tokens_likely: float | None
    joules_likely: float | None
    money_likely: float | None
    money_most: float | None
    currency: str

    def __str__(self) -> str:
        if self.seconds_likely is None or self.seconds_most is None:
            return (
                f"estimate: {self.briefs} briefs, at most {self.images_most} images; no speeds are recorded yet for "
                "these models, so the first run will tell"
            )
        parts = [
            f"about {self.images_likely:.0f} images (at most {self.images_most})",
            f"{duration(self.seconds_likely)} of model time (at most {duration(self.seconds_most)})",
        ]
        if self.tokens_likely:
            parts.append(f"{self.tokens_likely:,.0f} tokens")
        if self.joules_likely:
            parts.append(f"{self.joules_likely:,.0f} joules")
        if self.money_likely:
            parts.append(f"{self.money_likely:.4f} {self.currency} (at most {self.money_most or 0:.4f})")
        return f"estimate: {self.briefs} briefs, {', '.join(parts)}, from {self.runs} runs recorded"


def estimate(rows: Sequence[Row], store: Store) -> Estimate | None:
    """For rows that are still to be run; None where there are none. Rows may have presets of their own."""
    if not rows:
        return None
    preset = rows[0].preset
    most = sum(row.brief.limits.images or row.preset.loop.images for row in rows)
    if preset.loop.batch.images:
        most = min(most, preset.loop.batch.images)
    runs = [
        run for name in {row.preset.name for row in rows} for run in store.runs.find(preset=name) if run.ended
    ]
    calls = [
        call for call in store.runs.calls_of([run.id for run in runs]) if not call.error and not call.kept
    ]
    painting = _each([c for c in calls if c.stage == "image"])
    ended = [run for run in runs if run.images]
    each = statistics.fmean(run.images for run in ended) if ended else None
    likely = min(float(most), each * len(rows)) if each else float(most)
    steps_ratio = _steps_ratio(rows, calls)
    if painting is None or each is None:
        return Estimate(
            briefs=len(rows), runs=len(runs), images_likely=likely, images_most=most, seconds_likely=None,
            seconds_most=None, tokens_likely=None, joules_likely=None, money_likely=None, money_most=None,
            currency=preset.machine.currency,
        )  # fmt: skip
    scoring = _each([c for c in calls if c.stage == "scorer"])
    reading = [c for c in calls if c.stage == "text"]
    read = sum(c.seconds for c in reading) / len(runs)
    tokens = sum(c.tokens for c in reading) / len(runs)
    one = painting * steps_ratio + (scoring or 0.0)
    seconds, seconds_most = read * len(rows) + one * likely, read * len(rows) + one * most
    joules = sum(c.record.get("joules", 0.0) for c in calls) / max(1e-9, sum(c.seconds for c in calls))
    price = preset.machine.price / 3600
    return Estimate(
        briefs=len(rows), runs=len(runs), images_likely=likely, images_most=most, seconds_likely=seconds,
        seconds_most=seconds_most, tokens_likely=tokens * len(rows), joules_likely=joules * seconds,
        money_likely=price * seconds, money_most=price * seconds_most, currency=preset.machine.currency,
    )  # fmt: skip


def _each(calls: Sequence[CallRow]) -> float | None:
    """Seconds for each input of these calls."""
    inputs = sum(len(call.record["inputs"]) for call in calls)
    return sum(call.seconds for call in calls) / inputs if inputs else None


def _steps_ratio(rows: Sequence[Row], calls: Sequence[CallRow]) -> float:
    """How many more denoising steps the rows ask for than the recorded images took."""
    taken = [out.get("steps", 0) for c in calls if c.stage == "image" for out in c.record["outputs"]]
    wanted = statistics.fmean(row.preset.image.steps for row in rows)
    return wanted / statistics.fmean(taken) if taken and sum(taken) else 1.0
