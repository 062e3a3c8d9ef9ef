"""Preset → models, each observed, so that every call is recorded, and each on its ladder."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field

from models.protocols import ImageModel, Scorer, TextModel
from models.specs import Spec
from pipeline.config import Band, Preset, bands, data_file
from pipeline.energy import meter
from pipeline.ladders import LadderImage, LadderScorer, LadderText, rungs
from pipeline.range import Range, load_range
from pipeline.trace import ObservedImage, ObservedScorer, ObservedText, Recorder


@dataclass
class Models:
    """The three models of a preset, each a ladder, what the image model can draw, and the record of their calls."""

    text: TextModel | None  # None: the rules read and templates write
    image: ImageModel
    scorer: Scorer
    bands: dict[str, Band] = field(default_factory=dict)
    range: Range | None = None
    recorder: Recorder = field(default_factory=Recorder)


def quiet(offline: bool) -> None:
    """Keep the libraries off the network and off the console. Only has its full effect before they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore", category=FutureWarning)


def load(preset: Preset) -> Models:
    """Load the preset's models. Raises ModelError where weights or packages are missing."""
    quiet(preset.offline)
    from models.load import load_image, load_scorer, load_text

    drawable = load_range(data_file(preset.range, preset.base)) if preset.range else None
    measured = bands(preset.judge, preset.base)
    recorder = Recorder(meter(preset.machine), preset.machine.price)
    needs_text = "model" in (preset.loop.reader, preset.loop.writer)

    def text(spec: Spec) -> TextModel:
        return ObservedText(load_text(spec, preset.base), recorder)

    def image(spec: Spec) -> ImageModel:
        return ObservedImage(load_image(spec, preset.base), recorder)

    def scorer(spec: Spec) -> Scorer:
        return ObservedScorer(load_scorer(spec, preset.base), recorder)

    return Models(
        text=LadderText(rungs(preset.text, text), recorder) if needs_text else None,
        image=LadderImage(rungs(preset.image, image), recorder),
        scorer=LadderScorer(rungs(preset.scorer, scorer), recorder),
        bands=measured,
        range=drawable,
        recorder=recorder,
    )
