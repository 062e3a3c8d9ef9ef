"""Preset → models, each wrapped so that every call is recorded."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field

from models.protocols import ImageModel, Scorer, TextModel
from pipeline.config import Band, Preset, bands, data_file
from pipeline.range import Range, load_range
from pipeline.trace import ObservedImage, ObservedScorer, ObservedText, Recorder


@dataclass
class Models:
    """The three models of a preset, what the image model can draw, and the record of their calls."""

    text: TextModel | None  # None: the rules read and templates write
    image: ImageModel
    scorer: Scorer
    bands: dict[str, Band] = field(default_factory=dict)
    range: Range | None = None
    recorder: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        if self.text is not None:
            self.text = ObservedText(self.text, self.recorder)
        self.image = ObservedImage(self.image, self.recorder)
        self.scorer = ObservedScorer(self.scorer, self.recorder)


def quiet(offline: bool) -> None:
    """Keep the libraries off the network and off the console. Only has its full effect before they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore", category=FutureWarning)


def load(preset: Preset) -> Models:
    """Load the preset's models. Raises ModelError where weights or packages are missing."""
    quiet(preset.offline)
    from models.load import load_image, load_scorer, load_text

    drawable = load_range(data_file(preset.range, preset.base)) if preset.range else None
    if preset.image.paint_size is not None:
        drawable = (drawable or Range()).model_copy(update={"square": True})
    measured = bands(preset.judge, preset.base)
    needs_text = "model" in (preset.loop.reader, preset.loop.writer)
    return Models(
        text=load_text(preset.text, preset.base) if needs_text else None,
        image=load_image(preset.image, preset.base),
        scorer=load_scorer(preset.scorer, preset.base),
        bands=measured,
        range=drawable,
    )
