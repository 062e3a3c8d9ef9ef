"""Presets: one YAML file names the models and how the loop uses them. It is checked before any model loads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from models.load import parse_judge, parse_spec, with_own_settings
from models.locate import locate
from models.specs import ImageSpec, Spec, TextSpec
from pipeline.brief import KINDS, Brief, Kind, Limits
from pipeline.errors import ConfigError, fault
from pipeline.judging import routes
from pipeline.judging.routes import Judged, Route
from pipeline.preset_faults import describe
from pipeline.preset_file import read_preset_file

DEFAULT = "mini"  # the preset that is used where none is named
FOLDER = Path(__file__).parents[1] / "configs"
OWN = ("width", "height", "steps")  # keys of a painter that the model itself has where a preset names none
_NO_PRICE = "machine.price is 0; set it to the price of a machine hour, or remove this limit"


class Section(BaseModel):
    """A section of a preset: frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# measured: on data whose truth is known, or the owner's word; people: on their decisions; self: on simple prompts that
# the painter is assumed to draw correctly.
Source = Literal["measured", "people", "self"]


class Band(Section):
    """Thresholds that turn a probability into an outcome: pass from `pass`, fail up to `fail`, unsure between. Without
    `pass` it never passes, without `fail` it never fails.

    `odds` (a, b) calibrates the judge's probability first (Platt scaling): log odds · a + b. `judges`, `painter` and
    `wording` say for what it holds (see judging/basis.py); without them it holds for the models that its preset
    names."""

    pass_: float | None = Field(default=None, alias="pass", ge=0, le=1)
    fail: float | None = Field(default=None, ge=0, le=1)
    odds: tuple[PositiveFloat, float] = (1.0, 0.0)
    source: Source = "measured"
    judges: tuple[str, ...] = ()
    painter: str = ""
    wording: str = ""

    def corrected(self, p: float) -> float:
        """The calibrated probability."""
        if self.odds == (1.0, 0.0):
            return p
        p = min(max(p, 1e-9), 1 - 1e-9)
        return 1 / (1 + math.exp(-(self.odds[0] * math.log(p / (1 - p)) + self.odds[1])))

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if self.fail is not None and self.pass_ is not None and self.fail > self.pass_:
            raise ValueError("fail is above pass, so a probability could be both; lower fail or raise pass")
        return self


class Judge(Section):
    """Which judges answer what, and how their probabilities become outcomes. A kind without a band is unmeasured: it
    never passes or fails."""

    # By kind of requirement, and of the checks that every picture must pass; see pipeline/judging/routes.py for those
    # that are not listed.
    routes: dict[Judged, Route] = Field(default_factory=dict)
    # Whether a route asks its judges one after another: the next only about checks that those before it leave open.
    escalate: bool = Field(default=False, exclude_if=lambda escalate: not escalate)
    # The owner's word: by kind of requirement, and of the checks that every picture must pass; and for all other kinds.
    kinds: dict[Judged, Band] = Field(default_factory=dict)
    default: Band | None = None
    measured: str | None = None  # location of a JSON file with measured bands; `kinds` overrides them
    # Of bands from people's decisions: the wanted risk of wrong accepts and of wrong rejects, and how sure it must be.
    risk: float = Field(default=0.1, gt=0, lt=1)
    confidence: float = Field(default=0.9, ge=0.5, lt=1)


class Loop(Limits):
    """Settings of the loop. Its own limits hold for each brief, unless the brief sets others."""

    images: PositiveInt = 6
    attempt: Limits = Limits()  # for each attempt
    batch: Limits = Limits()  # for all briefs together
    images_per_attempt: PositiveInt = 1
    # Images of a brief where nothing fails, and what is open was never measured: a person chooses among them.
    images_unmeasured: PositiveInt = 3
    memory: PositiveInt = 3  # earlier prompts shown to the text model
    first: Literal["model", "template"] = "template"  # who writes the first prompt of a brief
    writer: Literal["model", "template"] = "model"  # who writes a new prompt for what failed
    # Who reads briefs; escalate: the rules, and the text model where they leave something open.
    reader: Literal["model", "rules", "escalate"] = "model"
    together: PositiveInt = 16  # most briefs in a wave
    # Memory for the images of a wave in MiB; if it is too little, the wave has fewer briefs.
    memory_mb: PositiveFloat = 1024
    # bare: without instructions, for a text model that was trained to read briefs.
    prompting: Literal["bare", "instructed"] = "instructed"
    # Pictures by one painter that fail before `image.escalate` gets the brief; None: all other repairs are tried first.
    escalate_after: PositiveInt | None = Field(default=None, exclude_if=lambda after: after is None)
    # Whether a picture that failed may be edited, where the painter can.
    edit: bool = Field(default=True, exclude_if=lambda edit: edit)


class Takes(Section):
    """What a preset takes, in GB (10⁹ bytes), where it cannot be computed because its files are not here."""

    download_gb: NonNegativeFloat = 0
    gpu_gb: NonNegativeFloat = 0  # of GPU memory
    memory_gb: NonNegativeFloat = 0  # of main memory, beside the GPU
    cpu_gb: NonNegativeFloat | None = None  # of main memory without a GPU; None: it needs one


class Machine(Section):
    """The price of a machine hour, and how energy is measured."""

    price: NonNegativeFloat = 0.0  # of a machine hour
    currency: str = "EUR"
    watts: PositiveFloat = 65.0  # of the machine, used where energy cannot be measured
    energy: Literal["auto", "assumed", "nvml", "codecarbon"] = "auto"


JudgeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class Preset(Section):
    name: str = ""
    about: str
    needs: str = ""
    offline: bool = True
    residency: Literal["together", "by_phase"] = "together"  # by_phase: models take turns in memory
    range: str | None = None  # location of a JSON file: what the image model can draw; None means anything
    text: Annotated[SerializeAsAny[TextSpec], PlainValidator(partial(parse_spec, "text"))]
    image: Annotated[SerializeAsAny[ImageSpec], PlainValidator(partial(parse_spec, "image"))]
    # The models that look at painted images, by any name; the `kind` of each says what it can tell.
    judges: dict[JudgeName, Annotated[SerializeAsAny[Spec], PlainValidator(parse_judge)]] = Field(
        min_length=1
    )
    judge: Judge = Judge()
    loop: Loop = Loop()
    machine: Machine = Machine()
    takes: Takes = Takes()
    source: Path = Field(default=Path(), exclude=True)  # the file it was read from
    # What says the values of keys that the file leaves out and a model itself has: "image.steps" → "the default of …".
    own: dict[str, str] = Field(default_factory=dict, exclude=True)

    @property
    def base(self) -> Path:
        """The folder that relative locations start at."""
        return self.source.parent

    @property
    def given(self) -> str:
        """What the command line calls it: its name, or its file where it is not a bundled one."""
        return self.name if self.source.parent == FOLDER else str(self.source)

    @property
    def models(self) -> dict[str, Spec]:
        """The spec of each model by its key in the file, such as "image" or "judges.detector", in the order of the
        loop."""
        larger = {
            f"{name}.escalate.{i}": rung
            for name, spec in (("text", self.text), ("image", self.image))
            for i, rung in enumerate(spec.escalate)
        }
        judges = {f"judges.{name}": spec for name, spec in self.judges.items()}
        return {"text": self.text, "image": self.image, **larger, **judges}

    @property
    def painters(self) -> tuple[ImageSpec, ...]:
        """The usual painter and the larger ones, smallest first."""
        return (self.image, *(rung for rung in self.image.escalate if isinstance(rung, ImageSpec)))

    @property
    def routes(self) -> dict[Judged, Route]:
        """The route of each kind that a judge answers."""
        return routes.routes(self.judges, self.judge.routes, self.judge.escalate)

    @property
    def checked(self) -> frozenset[Kind]:
        """The kinds of requirement that are checked without a person: those that a judge answers, and by pixels."""
        return frozenset(kind for kind in KINDS if kind in self.routes or kind == "technical")

    @property
    def used(self) -> dict[str, Spec]:
        """The models that the loop asks: all but the text model where only rules read and templates write."""
        return {
            name: spec
            for name, spec in self.models.items()
            if self.uses_text or name.partition(".")[0] != "text"
        }

    @property
    def rungs(self) -> dict[str, Spec]:
        """The models that the loop may use, with their fallbacks ("image", "image, fallback 1")."""
        return {
            f"{name}, fallback {number}" if number else name: rung
            for name, spec in self.used.items()
            for number, rung in enumerate((spec, *spec.fallback))
        }

    @property
    def uses_text(self) -> bool:
        """Whether the loop asks the text model for anything."""
        return self.loop.reader != "rules" or "model" in (self.loop.first, self.loop.writer)

    @model_validator(mode="after")
    def _every_route_leads_to_a_judge(self) -> Preset:
        if found := routes.fault(self.judges, self.judge.routes):
            keys, what = found
            error = PydanticCustomError("route", "{what}", {"what": what})
            details = InitErrorDetails(type=error, loc=keys, input=None)
            raise ValidationError.from_exception_data("preset", [details])
        return self

    @model_validator(mode="after")
    def _judges_escalate_by_routes(self) -> Preset:
        if name := next((name for name, spec in self.judges.items() if spec.escalate), None):
            what = "name the larger judge beside this one, and set judge.escalate: true"
            error = PydanticCustomError("judge_escalates", "{what}", {"what": what})
            details = InitErrorDetails(type=error, loc=("judges", name, "escalate"), input=None)
            raise ValidationError.from_exception_data("preset", [details])
        return self

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Preset:
        scopes: dict[tuple[str, ...], Limits] = {
            ("loop",): self.loop,
            ("loop", "attempt"): self.loop.attempt,
            ("loop", "batch"): self.loop.batch,
        }
        faults = [
            InitErrorDetails(
                type=PydanticCustomError("no_price", _NO_PRICE), loc=(*keys, "money"), input=limits.money
            )
            for keys, limits in scopes.items()
            if limits.money is not None and not self.machine.price
        ]
        if faults:
            raise ValidationError.from_exception_data("preset", faults)
        return self


def unsuited(brief: Brief, preset: Preset) -> str | None:
    """Why a preset cannot be used for a brief, known before a model is loaded; None if it can."""
    spec = preset.image
    width, height = brief.width or spec.width, brief.height or spec.height
    if spec.paint_size is not None and width != height:
        return f"size: {preset.name} paints squares, not {width} × {height}; give the same width and height"
    if brief.limits.money is not None and not preset.machine.price:
        return f"money: {preset.name}: {_NO_PRICE}"
    return None


def data_file(location: str, base: Path) -> Path:
    """A data file by model location: `package:NAME/FILE`, or a path relative to the preset's folder."""
    folder, _, name = location.rpartition("/")
    return Path(locate(folder or ".", base)) / name


_BAND_KEYS = {field.alias or name for name, field in Band.model_fields.items()}


def bands(judge: Judge, base: Path) -> dict[str, tuple[Band, ...]]:
    """The bands of each kind of check that a preset brings along: the owner's word, and for other kinds the measured
    ones. A kind has several where its file has rows for several judges or painters."""
    measured: dict[str, tuple[Band, ...]] = {}
    if judge.measured:
        path = data_file(judge.measured, base)
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            measured = {
                kind: tuple(
                    Band(**{key: row[key] for key in row.keys() & _BAND_KEYS})
                    for row in (rows if isinstance(rows, list) else [rows])
                )
                for kind, rows in table.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = _why_unreadable(error)
            raise ConfigError(
                f"judge.measured: {path} cannot be read ({reason}); name a JSON file of bands"
            ) from None
        if unknown := sorted(measured.keys() - set(get_args(Judged))):
            raise ConfigError(
                f"judge.measured: {path} has a band for {unknown[0]!r}, which is not a kind of requirement; "
                f"known are {', '.join(get_args(Judged))}"
            )
    return measured | {kind: (band,) for kind, band in judge.kinds.items()}


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return fault(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, TypeError | AttributeError):
        return "it is no mapping of kinds to bands"
    return getattr(error, "strerror", None) or str(error)


def available() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_preset(
    name_or_path: str, overrides: Sequence[str] = (), limits: Mapping[str, float] | None = None
) -> Preset:
    """Read and check a preset by name or path. Raises ConfigError.

    `overrides` are `dotted.key=value` with YAML values; `limits` are limits of the loop by name, given as options of
    the command."""
    path = _find(name_or_path)
    file = read_preset_file(path, overrides, limits)
    try:
        preset = Preset.model_validate({**file.data, "name": path.stem, "source": path, "own": {}})
    except ValidationError as error:
        raise ConfigError(describe(Preset, file, error)) from None
    return _with_own_settings(preset)


def _with_own_settings(preset: Preset) -> Preset:
    """The preset with the sizes and steps of its painters where it names none."""
    changed: dict[str, Spec] = {}
    own: dict[str, str] = {}
    if not all(spec.model_fields_set.issuperset(OWN) for spec in preset.painters):
        changed["image"], said = with_own_settings(preset.image, preset.base)
        own = {f"image.{name}": place for name, place in said.items()}
    return preset.model_copy(update={**changed, "own": own}) if changed else preset


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"no preset file at {name}; `easel presets` lists the bundled ones")
        return path
    if name not in available():
        raise ConfigError(f"{unknown_preset(name)}, or a path to a YAML file")
    return FOLDER / f"{name}.yaml"


def unknown_preset(name: str, known: Sequence[str] | None = None) -> str:
    """What is wrong with the name of a preset. `known`: the names that there are; the bundled ones where not given."""
    known = available() if known is None else known
    close = get_close_matches(name[:100], known, 1)
    hint = f" did you mean {close[0]}?" if close else ""
    return f"unknown preset {name[:100]!r};{hint} known are {', '.join(known)}"
