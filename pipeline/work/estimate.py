"""What a batch will take, before it starts: from speeds that the store has recorded for the same presets.

The console and the page both show this estimate.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from models.specs import JUDGES
from pipeline.brief import Record
from pipeline.store import Store
from pipeline.store.figures import StageSpeed
from pipeline.store.runs import OPEN, RUNNING
from pipeline.work.report import duration
from pipeline.work.retry import newest
from pipeline.work.row import Row, shared_limits

NEWEST = 1_000  # ended runs of each preset that the speeds are taken from


class Estimate(Record):
    """`likely`: with as many images for each brief as recorded runs took. `most`: with all that the limits allow.
    Seconds, joules and money are of model calls. None: no speeds are recorded."""

    briefs: int
    runs: int  # that the figures come from
    images_likely: float
    images_most: int
    seconds_likely: float | None = None
    seconds_most: float | None = None
    tokens_likely: float | None = None
    joules_likely: float | None = None
    money_likely: float | None = None
    money_most: float | None = None
    currency: str

    @property
    def images(self) -> str:
        """The images in words."""
        if self.seconds_likely is None:
            return f"at most {self.images_most}"
        return f"about {self.images_likely:.0f} (at most {self.images_most})"

    @property
    def time(self) -> str | None:
        """The model time in words; None where no speeds are recorded."""
        if self.seconds_likely is None or self.seconds_most is None:
            return None
        return f"{duration(self.seconds_likely)} (at most {duration(self.seconds_most)})"

    def __str__(self) -> str:
        parts = [f"estimate: {self.briefs} briefs", f"images: {self.images}"]
        if self.time is None:
            return f"{', '.join(parts)}; no speeds are recorded for these models yet, the first run will record them"
        parts.append(f"model time: {self.time}")
        if self.tokens_likely:
            parts.append(f"{self.tokens_likely:,.0f} tokens")
        if self.joules_likely:
            parts.append(f"{self.joules_likely:,.0f} joules")
        if self.money_likely:
            parts.append(f"{self.money_likely:.4f} {self.currency} (at most {self.money_most or 0:.4f})")
        return f"{', '.join(parts)}, from {self.runs} recorded runs"


def estimate(rows: Sequence[Row], store: Store | None) -> Estimate | None:
    """For those of the rows that have no outcome yet; None where all have one. Rows may have presets of their own.
    Raises BriefError as `shared_limits`. `store`: None where there is none yet, and so no speed is recorded."""
    rows = newest(rows, store) if store else rows
    status = store.runs.statuses([row.id for row in rows]) if store else {}
    rows = [row for row in rows if status.get(row.id, RUNNING) in OPEN]
    if not rows:
        return None
    preset = rows[0].preset
    most = sum(row.brief.limits.images or row.preset.loop.images for row in rows)
    most = min(most, shared_limits(rows).images or most)
    names = sorted({row.preset.name for row in rows})
    images = store.figures.images_of_newest(names, NEWEST) if store else {}
    painted = [count for count in images.values() if count]
    speeds = store.figures.speeds(list(images)) if store else {}
    unknown = Estimate(
        briefs=len(rows), runs=len(images), images_likely=most, images_most=most,
        currency=preset.machine.currency,
    )  # fmt: skip
    if not painted or "image" not in speeds:
        return unknown
    likely = min(float(most), statistics.fmean(painted) * len(rows))
    reading = speeds["text"].seconds / len(images) * len(rows) if "text" in speeds else 0.0
    one = _seconds_each(speeds, rows)
    seconds, seconds_most = reading + one * likely, reading + one * most
    watts = sum(s.joules for s in speeds.values()) / max(1e-9, sum(s.seconds for s in speeds.values()))
    price = preset.machine.price / 3600
    return unknown.model_copy(
        update={
            "images_likely": likely, "seconds_likely": seconds, "seconds_most": seconds_most,
            "tokens_likely": _tokens_each(speeds, len(images)) * len(rows),
            "joules_likely": watts * seconds, "money_likely": price * seconds, "money_most": price * seconds_most,
        }
    )  # fmt: skip


def _seconds_each(speeds: Mapping[str, StageSpeed], rows: Sequence[Row]) -> float:
    """Seconds to paint and to judge one image, painting scaled to the denoising steps that the rows ask for."""
    image = speeds["image"]
    recorded = image.image_steps / image.inputs
    wanted = statistics.fmean(row.preset.image.steps for row in rows)
    painting = image.seconds / image.inputs * (wanted / recorded if recorded else 1.0)
    judging = [speeds[stage] for stage in JUDGES if stage in speeds]
    return painting + sum(one.seconds for one in judging) / image.inputs


def _tokens_each(speeds: Mapping[str, StageSpeed], runs: int) -> float:
    """Tokens of one brief, those of judging its images included."""
    return sum(one.tokens for one in speeds.values()) / runs
