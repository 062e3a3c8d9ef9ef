"""What a preset may say about a model: the settings that all backends share. Each backend adds its own in its own file.

Light to import: checking a preset loads no weights and no torch.

`model` locations: a hub id (`owner/name`), a local folder (absolute, or starting with `./` or `../` and taken
relative to the preset file), or `package:NAME/SUBPATH`, a folder inside an installed Python package.

`fallback` lists specs that are tried in order when the one above them fails. `escalate` lists larger models, smallest
first, that get what the one above them leaves open. A rung without a `kind` is the stage's own spec with some keys
changed: `{steps: 4}`, `{device: cpu}`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationInfo,
    model_validator,
)

Stage = Literal["text", "image", "scorer", "detector", "vlm", "ocr"]
STAGES: tuple[Stage, ...] = get_args(Stage)
JUDGES: tuple[Stage, ...] = ("scorer", "detector", "vlm", "ocr")  # the stages that look at painted images
Device = Literal["auto", "cpu", "cuda", "mps"]
DType = Literal["auto", "float32", "bfloat16", "float16"]
Side = Annotated[int, Field(ge=16, le=4096)]  # pixels


def _inside(name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    if not name or ".." in parts or not parts[0] or ":" in parts[0]:
        raise ValueError(f"{name!r} leaves the model's folder; name a file inside it")
    return name


FileName = Annotated[str, AfterValidator(_inside)]  # of a file in a model's folder or repository, or below it


class NoEffect:
    """Marks a field that changes how a model works but not what it answers, such as a batch size:
    `max_batch: Annotated[PositiveInt, NoEffect()] = 8`."""


class Later:
    """Marks a field that was added to a spec after answers of it had been kept. While the field has its default value,
    the keys of kept answers leave it out, so answers that were kept before stay valid."""


class Placement:
    """Marks a field that says only where and how a loaded model works, such as its device. A model whose spec has such
    fields has a method `place(spec)`, which takes other values of them without being loaded again."""


class Part(BaseModel):
    """A section of a spec: frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


def _rung(data: Any, info: ValidationInfo) -> Any:
    """A rung as a spec; `models.load.parse_spec`, which knows the backends, comes in as the context."""
    if isinstance(data, Spec):
        return data
    if info.context is None:
        raise ValueError("give a spec; only models.load.parse_spec reads one from a mapping")
    return info.context(data)


Rung = Annotated[SerializeAsAny["Spec"], PlainValidator(_rung)]


Fault = Literal["ok", "error", "out_of_memory", "nan", "blank", "malformed", "hang", "not_loaded"]


class FaultPlan(Part):
    """Faults for tests, one for each call of the model (see pipeline/calls/faults.py). With `forever` the last one is
    repeated; otherwise later calls are normal."""

    plan: tuple[Fault, ...]
    forever: bool = False


RUNGS = ("fallback", "escalate")  # keys of a spec that list further specs


class Spec(Part):
    """Settings of every backend for failures: retries, time limit, circuit breaker, and the specs to fall back to; and
    the larger models that it hands items up to."""

    kind: str  # of the backend
    retries: NonNegativeInt = 1  # of a call that raised, on the same model
    patience_s: PositiveFloat | None = None  # a call that takes longer counts as hung
    break_after: PositiveInt = 3  # after so many failed calls in a row the model is no longer asked
    rest_s: NonNegativeFloat = 60.0  # until it is asked again
    faults: FaultPlan | None = Field(default=None, exclude_if=lambda plan: plan is None)
    fallback: tuple[Rung, ...] = ()
    escalate: tuple[Rung, ...] = Field(
        default=(), exclude_if=lambda rungs: not rungs
    )  # of text and image models

    @property
    def checkpoint(self) -> str | None:
        """What is the same in specs whose models share the weights in memory; None for models that share none."""
        return None

    @model_validator(mode="before")
    @classmethod
    def _complete_rungs(cls, data: Any) -> Any:
        """Fill a rung that has no `kind` with the stage's own settings."""
        if not isinstance(data, dict):
            return data
        own = {key: value for key, value in data.items() if key not in (*RUNGS, "faults")}
        lists = {name: data[name] for name in RUNGS if isinstance(data.get(name), list)}
        return data | {
            name: [{**own, **r} if isinstance(r, dict) and "kind" not in r else r for r in rungs]
            for name, rungs in lists.items()
        }

    @model_validator(mode="after")
    def _one_level(self) -> Spec:
        if any(rung.fallback or rung.escalate for rung in self.fallback):
            raise ValueError("a fallback cannot have a fallback of its own; list it below the other")
        if any(rung.escalate for rung in self.escalate):
            raise ValueError("a larger model has no `escalate` of its own; list the next one below it")
        return self


# Keys for failures. They have no effect on what a model answers.
POLICY = frozenset(Spec.model_fields) - {"kind"}


# Keys that a request may give for itself. Specs that differ only in them share a loaded model.
PER_CALL = frozenset({"steps", "width", "height", "guidance", "max_batch", "prompts"})


def _marked(spec: Spec, mark: type) -> frozenset[str]:
    """The fields of a spec with a mark, such as NoEffect."""
    fields = type(spec).model_fields.items()
    return frozenset(name for name, field in fields if any(isinstance(m, mark) for m in field.metadata))


def weights_settings(spec: Spec) -> str:
    """The settings that decide which weights are loaded and how, as JSON: two specs that agree in them can take turns
    with one loaded model."""
    placed = _marked(spec, Placement)
    return spec.model_dump_json(exclude=set(POLICY | placed | PER_CALL if placed else POLICY))


def answer_settings(spec: Spec) -> dict[str, Any]:
    """The settings that can change what a model answers, as plain JSON. Two specs that agree in them may share kept
    answers."""
    later = {
        name
        for name in _marked(spec, Later)
        if getattr(spec, name) == type(spec).model_fields[name].get_default(call_default_factory=True)
    }
    return spec.model_dump(mode="json", exclude=set(POLICY | _marked(spec, NoEffect)) | later)


class TextSpec(Spec):
    """Settings of every text model."""

    model: str
    # What it is asked: a folder of files, or the file of each prompt by its name; see pipeline/prompts.
    prompts: Annotated[str | dict[str, str] | None, NoEffect()] = Field(
        default=None, exclude_if=lambda prompts: prompts is None
    )


class ImageSpec(Spec):
    """Settings of every image model. Sizes, steps and guidance are defaults for requests that name none."""

    model: str
    width: Side = 512
    height: Side = 512
    steps: Annotated[int, Field(ge=1, le=1000)] = 28
    guidance: Annotated[float, Field(ge=0)] = 4.0
    # False for a painter whose seed chooses only the layout, and a background that the brief leaves open: where the
    # brief names one, no other seed is tried in order to mend a picture.
    seeds_differ: Annotated[bool, NoEffect()] = True
    # The seed moves, scales and turns what stands on a plain ground; see models/image/layout.py.
    seeded_layouts: Annotated[bool, Later()] = False
    paint_size: PositiveInt | None = None  # pixels at which the network works; the result is resized
    # Pixels a side of the square that the network was trained for: other sizes are painted with about as many pixels,
    # and resized. None: as the model says, else the preset's width and height.
    native: Annotated[Side | None, Placement(), Later()] = None
    max_batch: Annotated[PositiveInt, NoEffect()] = 4

    @model_validator(mode="after")
    def _one_size(self) -> ImageSpec:
        if self.paint_size is not None and self.native is not None:
            raise ValueError("give paint_size, for a network that paints squares of one size, or native")
        return self


class ScorerSpec(Spec):
    """Settings of every scorer."""

    model: str


class DetectorSpec(Spec):
    """Settings of every detector."""

    # Whether its answer depends on the names it is given (zero-shot detectors).
    uses_names: ClassVar[bool] = False
    # Whether it tells all that a picture shows: things that nobody named, what is unclear, colours and styles.
    tells_all: ClassVar[bool] = False
    # Whether its scores are probabilities. Those of open detectors only rank: 0.4 may be as sure as it gets.
    calibrated: ClassVar[bool] = False
    model: str


class VisionSpec(Spec):
    """Settings of every vision-language model, which answers yes/no questions about images."""

    model: str


class OcrSpec(Spec):
    """Settings of every reader of text in images."""

    model: str
