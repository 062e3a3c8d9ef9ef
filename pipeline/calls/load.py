"""Preset → models. Each is observed, so that every call is recorded, keeps its answers where there is a place to
keep them, and stands on a ladder."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field, replace
from functools import partial

from models.load import check_loadable
from models.protocols import ImageModel, ModelError, Scorer, TextModel
from models.specs import Spec, Stage
from pipeline.calls.energy import meter
from pipeline.calls.keep import Keep, KeptImage, KeptScorer, KeptText
from pipeline.calls.ladders import LadderImage, LadderScorer, LadderText, rungs
from pipeline.calls.record import ObservedImage, ObservedScorer, ObservedText, Recorder
from pipeline.calls.residency import House, LodgingImage, LodgingScorer, LodgingText
from pipeline.config import Band, Preset, bands, data_file
from pipeline.range import Range, load_range


@dataclass
class Models:
    """The three models of a preset, each a ladder, what the image model can draw, and the record of their calls."""

    text: TextModel | None  # None: the rules read and templates write
    image: ImageModel
    scorer: Scorer
    bands: dict[str, Band] = field(default_factory=dict)
    range: Range | None = None
    recorder: Recorder = field(default_factory=Recorder)


def quiet_libraries() -> None:
    """Turn off telemetry, progress bars and advice of the libraries. Only has its full effect before they are
    imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning)


def check(preset: Preset) -> None:
    """Raises ConfigError or ModelError for what a preset lacks, as far as that is seen before anything is loaded. A
    stage is fine when one of its rungs can be loaded."""
    if preset.range:
        load_range(data_file(preset.range, preset.base))
    bands(preset.judge, preset.base)
    stages: list[tuple[Stage, Spec]] = [("image", preset.image), ("scorer", preset.scorer)]
    if "model" in (preset.loop.reader, preset.loop.writer):
        stages.insert(0, ("text", preset.text))
    for stage, spec in stages:
        faults = []
        for rung in (spec, *spec.fallback):
            try:
                check_loadable(stage, rung, preset.base, preset.offline)
                break
            except ModelError as error:
                faults.append(error)
        else:
            raise faults[0]


def load(preset: Preset, keep: Keep | None = None, house: House | None = None) -> Models:
    """Load the preset's models. With `keep`, what was answered before is not asked again; `house` keeps models
    that a further preset may share. Raises ModelError where weights or packages are missing."""
    quiet_libraries()
    from models.load import load_image, load_scorer, load_text

    drawable = load_range(data_file(preset.range, preset.base)) if preset.range else None
    if preset.image.paint_size is not None:
        drawable = (drawable or Range()).model_copy(update={"square": True})
    measured = bands(preset.judge, preset.base)
    recorder = Recorder(meter(preset.machine), preset.machine.price)
    needs_text = "model" in (preset.loop.reader, preset.loop.writer)
    house = house or House()
    house.clear(preset.residency)

    if keep is not None:
        keep = replace(keep, joules=recorder.meter.joules)

    def text(spec: Spec) -> TextModel:
        model: TextModel = LodgingText(
            house.lodger(spec, preset.base, partial(load_text, offline=preset.offline))
        )
        return ObservedText(KeptText(model, spec, keep) if keep else model, recorder)

    def image(spec: Spec) -> ImageModel:
        model: ImageModel = LodgingImage(
            house.lodger(spec, preset.base, partial(load_image, offline=preset.offline))
        )
        return ObservedImage(KeptImage(model, spec, keep) if keep else model, recorder)

    def scorer(spec: Spec) -> Scorer:
        model: Scorer = LodgingScorer(
            house.lodger(spec, preset.base, partial(load_scorer, offline=preset.offline))
        )
        return ObservedScorer(KeptScorer(model, spec, keep) if keep else model, recorder)

    # The text model last: where models take turns it has the first one.
    scoring = LadderScorer(rungs(preset.scorer, scorer), recorder)
    painting = LadderImage(rungs(preset.image, image), recorder)
    telling = LadderText(rungs(preset.text, text), recorder) if needs_text else None
    house.settle()
    return Models(
        text=telling, image=painting, scorer=scoring, bands=measured, range=drawable, recorder=recorder
    )
