"""Preset → models, each wrapped so that every call is recorded, and kept where there is a place to keep it."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field

from models.protocols import ImageModel, Scorer, TextModel
from pipeline.config import Band, Preset, bands, data_file
from pipeline.keep import Keep, KeptImage, KeptScorer, KeptText
from pipeline.pixels import fingerprint
from pipeline.range import Range, load_range
from pipeline.residency import House, LodgingImage, LodgingScorer, LodgingText
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
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore", category=FutureWarning)


def load(preset: Preset, keep: Keep | None = None, house: House | None = None) -> Models:
    """Load the preset's models. With `keep`, what was answered before is not asked again; `house` keeps models
    that a further preset may share. Raises ModelError where weights or packages are missing."""
    quiet(preset.offline)
    from models.load import load_image, load_scorer, load_text

    drawable = load_range(data_file(preset.range, preset.base)) if preset.range else None
    measured = bands(preset.judge, preset.base)
    house, base, mode = house or House(), preset.base, preset.residency
    needs_text = "model" in (preset.loop.reader, preset.loop.writer)
    # The text model last: where models take turns it has the first one.
    scoring = house.lodger(preset.scorer, base, load_scorer, mode)
    painting = house.lodger(preset.image, base, load_image, mode)
    telling = house.lodger(preset.text, base, load_text, mode) if needs_text else None
    house.only([lodger for lodger in (scoring, painting, telling) if lodger])
    text: TextModel | None = LodgingText(telling) if telling else None
    image: ImageModel = LodgingImage(painting)
    scorer: Scorer = LodgingScorer(scoring)
    if keep is not None:
        text = KeptText(text, preset.text, keep) if text else None
        image = KeptImage(image, preset.image, keep)
        scorer = KeptScorer(scorer, preset.scorer, keep, fingerprint)
    return Models(text=text, image=image, scorer=scorer, bands=measured, range=drawable)
