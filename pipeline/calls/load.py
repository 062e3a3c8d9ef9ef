"""Load a preset: its stages with their models, its range and its bands."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from models.load import check_loadable, is_here, stage_of
from models.protocols import Marks, ModelError, Paint, Painted, Text, WeightsMissing
from models.specs import PER_CALL, POLICY, ImageSpec, Spec
from models.specs import Stage as StageName
from pipeline.brief import Brief, Reading
from pipeline.budget import Painter
from pipeline.calls.caller import Tariff
from pipeline.calls.energy import meter
from pipeline.calls.judge_operations import AskOperation, DetectOperation, ReadOperation, ScoreOperation
from pipeline.calls.kept import Results
from pipeline.calls.mark_operation import MarkOperation
from pipeline.calls.operations import ImageOperation, Operation, TextOperation, TextRequest
from pipeline.calls.pool import ModelPool, PooledModel
from pipeline.calls.record import Made
from pipeline.calls.rung import Rung
from pipeline.calls.stage import Stage
from pipeline.config import OWN, Preset, bands, data_file
from pipeline.judging.bands import Bands, load_bands
from pipeline.judging.learned import Learned
from pipeline.prompts import Prompts, bundled, load_prompts
from pipeline.range import Range, load_range
from pipeline.reading.requirements import Reader, read
from pipeline.stopping import Stop

Load = Callable[..., Any]


@dataclass
class Models:
    """The stages of a preset, the range of its image model, and the bands of its judges."""

    text: Stage[TextRequest, Text] | None  # None: rules read and templates write
    image: Stage[Paint, Painted]
    judges: dict[str, Stage[Any, Any]]  # by the name that the preset gives them
    larger_painters: tuple[Stage[Paint, Painted], ...] = ()  # smallest first
    marker: Stage[str, Marks] | None = None  # the text model, where it marks words
    larger_readers: tuple[Reader, ...] = ()  # larger text models, smallest first
    prompts: Prompts = field(default_factory=bundled)  # of the text model
    bands: Bands = field(default_factory=Bands)
    range: Range | None = None

    def painter(self, key: Painter) -> Stage[Paint, Painted]:
        """The usual painter, or a larger one of those that the preset names."""
        return (self.image, *self.larger_painters)[key]

    def read(self, briefs: Sequence[Brief], preset: Preset, stop: Stop | None = None) -> Made[Reading]:
        """The requirements of briefs, by those who read them by the preset."""
        loop = preset.loop
        text = None if loop.reader == "rules" else self.text
        return read(
            briefs, text, self.range, loop.prompting, stop, self.marker, preset.checked, self.larger_readers,
            rules_first=loop.reader == "escalate", prompts=self.prompts,
        )  # fmt: skip


def quiet_libraries() -> None:
    """Turn off telemetry, progress bars and warnings of the model libraries. Call it before they are imported: some
    read these settings only then."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # The hub library waits as long as a hub that takes no more requests asks for: it says so.
    logging.getLogger("huggingface_hub.utils._http").setLevel(logging.WARNING)
    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)  # how torchao registers its types


def check(preset: Preset) -> None:
    """Raise ConfigError or ModelError if data, weights or packages of a preset are missing. Loads nothing.

    A stage needs only one rung that can be loaded."""
    if preset.range:
        load_range(data_file(preset.range, preset.base))
    bands(preset.judge, preset.base)
    _prompts(preset)
    _require_sizes(preset)
    for spec in preset.used.values():
        errors = []
        for rung in (spec, *spec.fallback):
            try:
                check_loadable(stage_of(rung), rung, preset.base, preset.offline)
                break
            except ModelError as error:
                errors.append(error)
        else:
            raise _with_command(errors[0], preset)


def _prompts(preset: Preset) -> list[Prompts]:
    """The prompts of the text model and of the larger ones. Raises ConfigError."""
    specs = {"text": preset.text} | {
        f"text.escalate.{i}": rung for i, rung in enumerate(preset.text.escalate)
    }
    return [
        load_prompts(getattr(spec, "prompts", None), preset.base, f"{key}.prompts")
        for key, spec in specs.items()
    ]


def _require_sizes(preset: Preset) -> None:
    """Raise ModelError where a preset leaves size or steps to a model that is not here yet: a run before the download
    would have others than one after it."""
    for key, spec in preset.models.items():
        if not isinstance(spec, ImageSpec):
            continue
        unsaid = [name for name in OWN if name not in spec.model_fields_set]
        try:
            here = not unsaid or is_here(spec, preset.base)
        except ModelError:  # no such folder or package, as loading will say
            continue
        if not here:
            raise ModelError(
                f"{key}: the preset names no {', '.join(unsaid)}, and {spec.model} is not here to say its own; run "
                f"`easel pull {preset.given}` first, or name them"
            )


def _with_command(error: ModelError, preset: Preset) -> ModelError:
    """Missing weights, with the command that downloads all of the preset's."""
    return error.by(f"easel pull {preset.given}") if isinstance(error, WeightsMissing) else error


def load(
    preset: Preset,
    results: Results | None = None,
    pool: ModelPool | None = None,
    learned: Mapping[str, Learned] | None = None,
) -> Models:
    """Load the preset's models. `results`: the store of kept results; `pool`: holds models that presets share;
    `learned`: what is known about judges beside what the preset brings along, by key of the basis.

    Raises ModelError where weights or packages are missing."""
    quiet_libraries()
    from models.load import load_detector, load_image, load_ocr, load_scorer, load_text, load_vlm

    judging: dict[StageName, tuple[type[Operation[Any, Any]], Load]] = {
        "scorer": (ScoreOperation, load_scorer),
        "detector": (DetectOperation, load_detector),
        "vlm": (AskOperation, load_vlm),
        "ocr": (ReadOperation, load_ocr),
    }
    _require_sizes(preset)
    drawable = load_range(data_file(preset.range, preset.base)) if preset.range else None
    if preset.image.paint_size is not None:
        drawable = (drawable or Range()).model_copy(update={"square": True})
    measured = load_bands(preset.judge, preset.base, learned)
    prompts, *larger_prompts = _prompts(preset)
    tariff = Tariff(meter(preset.machine), preset.machine.price)
    pool = pool or ModelPool()

    def stage(
        operation: Operation[Any, Any], spec: Spec, load_model: Load, name: str = ""
    ) -> Stage[Any, Any]:
        def build(one: Spec) -> PooledModel:
            try:
                return pool.request(one, preset.base, partial(load_model, offline=preset.offline))
            except WeightsMissing as error:
                raise _with_command(error, preset) from error

        return make_stage(operation, spec, build, tariff, results, name)

    with pool.next_preset(preset.residency):
        # The text model is loaded last, since it is used first: under `by_phase` only the last one stays in memory.
        judges = {}
        for name, spec in preset.judges.items():
            operation, load_judge = judging[stage_of(spec)]
            judges[name] = stage(operation(), spec, load_judge, name)
        larger = tuple(
            stage(ImageOperation(), spec, load_image, "other painter") for spec in preset.painters[1:]
        )
        image = stage(ImageOperation(), preset.image, load_image)

        def marks(spec: Spec) -> Stage[str, Marks] | None:
            return stage(MarkOperation(), spec, load_text) if getattr(spec, "marker", None) else None

        text, marker, readers = None, None, list[Reader]()
        if preset.uses_text:
            for spec, own in reversed(list(zip(preset.text.escalate, larger_prompts, strict=True))):
                same = getattr(spec, "model", "") == preset.text.model
                prompting = preset.loop.prompting if same else "instructed"
                readers.insert(
                    0, Reader(stage(TextOperation(), spec, load_text), marks(spec), prompting, own)
                )
            text, marker = stage(TextOperation(), preset.text, load_text), marks(preset.text)
    return Models(text, image, judges, larger, marker, tuple(readers), prompts, measured, drawable)


def make_stage(
    operation: Operation[Any, Any],
    spec: Spec,
    build: Callable[[Spec], PooledModel],
    tariff: Tariff,
    results: Results | None = None,
    name: str = "",
) -> Stage[Any, Any]:
    """The stage of a spec and its fallbacks; `name`: of a judge. The first rung that can be loaded is loaded now, so
    that missing weights are reported before the loop begins. Raises the first rung's ModelError where none can be
    loaded."""
    built: dict[str, PooledModel] = {}

    def shared(one: Spec) -> PooledModel:
        key = one.model_dump_json(exclude={*PER_CALL, *POLICY})
        if key not in built:
            built[key] = build(one)
        return built[key]

    rungs = [
        Rung(rung_name(one, spec), one, operation, partial(shared, one), tariff, results)
        for one in (spec, *spec.fallback)
    ]
    first: ModelError | None = None
    for rung in rungs:
        try:
            _ = rung.model
            return Stage(operation, rungs, name)
        except ModelError as error:
            first = first or error
    assert first is not None
    raise first


def rung_name(spec: Spec, first: Spec) -> str:
    """A rung's name in messages: the model's name, or for a fallback with the same model what it changes, for example
    "cpu", "4 steps" or "128 × 128"."""
    model = str(getattr(spec, "model", spec))
    short = model.removeprefix("package:").rstrip("/").rsplit("/", 1)[-1]
    if spec is first or type(spec) is not type(first) or model != getattr(first, "model", None):
        return short
    changed = {
        key: value
        for key, value in spec.model_dump(exclude=set(POLICY)).items()
        if value != getattr(first, key) and not isinstance(value, dict)
    }
    parts = []
    if {"width", "height"} & set(changed):
        parts.append(f"{getattr(spec, 'width')} × {getattr(spec, 'height')}")  # noqa: B009
    words = {"device": "{}", "steps": "{} steps", "dtype": "{}", "native": "painted at {} px"}
    parts += [
        words.get(key, f"{key} {{}}").format(value)
        for key, value in changed.items()
        if key not in ("width", "height")
    ]
    return ", ".join(parts) or short
