"""Workflows: one YAML file names the steps that make a piece, and what each gets from the others. It is checked before
any model loads."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.brief import MAX_SIDE, MIN_SIDE
from pipeline.config import Section
from pipeline.errors import ConfigError
from pipeline.preset_faults import describe
from pipeline.preset_file import read_preset_file

FOLDER = Path(__file__).parents[2] / "configs" / "workflows"
TEMPLATES = Path(__file__).parent / "templates"
ENDING = ".html.j2"

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]
# The words that a text step can write, see words.py.
FieldName = Literal["headline", "body", "alt", "file_name"]
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]


class Step(Section):
    """A step. `from`: the steps whose results it gets."""

    kind: str
    takes: tuple[str, ...] = Field(default=(), alias="from")
    wants: ClassVar[tuple[str, ...]] = ()  # the kinds of steps that it must get something from


class ImageStep(Step):
    """Pictures by the loop. `each: thing` makes one of every thing that the brief names, in each of the painter's
    styles where the brief names none, at most `most`. `cut_out`: the ground is made transparent; where it is not plain,
    `whole` says whether the picture may be used as it is."""

    kind: Literal["image"]
    width: Side = 512
    height: Side = 512
    each: Literal["brief", "thing"] = "brief"
    most: Annotated[int, Field(ge=1, le=24)] = 6
    cut_out: bool = False
    whole: bool = True


class TextField(Section):
    """What one field of words must be. `names`: how many of the things in the picture it must name; `level`: its
    readability by LIX, 40 is that of a newspaper."""

    most: PositiveInt  # characters
    least: Annotated[int, Field(ge=0)] = 1
    names: Literal["none", "one", "all"] = "none"
    never: tuple[str, ...] = ()  # words that it must not have
    level: PositiveFloat = 50.0


class TextStep(Step):
    """Words, written by a template from what the picture shows, or by the user."""

    kind: Literal["text"]
    fields: dict[FieldName, TextField] = Field(min_length=1)
    wants: ClassVar[tuple[str, ...]] = ("image",)


Millimetres = Annotated[float, Field(gt=0, le=500)]


class SheetStep(Step):
    """Stickers in a grid. `border`: the white around each; `paper`: the colour between them; `file`: its name without
    an ending."""

    kind: Literal["sheet"]
    width_mm: Millimetres
    height_mm: Millimetres
    columns: Annotated[int, Field(ge=1, le=10)]
    rows: Annotated[int, Field(ge=1, le=10)]
    margin_mm: Millimetres = 6.0
    border_mm: Millimetres = 2.5
    dpi: Annotated[int, Field(ge=72, le=600)] = 300
    paper: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#ffffff"
    file: FileName
    wants: ClassVar[tuple[str, ...]] = ("image",)

    @model_validator(mode="after")
    def _stickers_have_room(self) -> SheetStep:
        least = 2 * self.border_mm + 10
        room = min(
            (self.width_mm - 2 * self.margin_mm) / self.columns,
            (self.height_mm - 2 * self.margin_mm) / self.rows,
        )
        if room < least:
            raise ValueError(f"a sticker has {room:.0f} mm; give it {least:.0f}, with fewer columns or rows")
        return self


class IconStep(Step):
    """Icons of the picture. `sizes`: of the PNGs, in pixels."""

    kind: Literal["icons"]
    sizes: tuple[Annotated[int, Field(ge=16, le=1024)], ...] = Field(min_length=1)
    wants: ClassVar[tuple[str, ...]] = ("image", "text")


class CodeStep(Step):
    """A page. `templates`: tried in order; a page that does not pass is made by the next one. A name is one of the
    templates that ship with Easel, or a file beside the workflow."""

    kind: Literal["code"]
    templates: tuple[str, ...] = Field(min_length=1)
    width: Side
    height: Side
    file: FileName
    screenshot: FileName | None = None  # of the whole page, as PNG
    most_kb: PositiveFloat = 600.0  # of the page with its picture and fonts
    wants: ClassVar[tuple[str, ...]] = ("image", "text")


_KINDS: dict[str, type[Step]] = {
    "image": ImageStep, "text": TextStep, "code": CodeStep, "sheet": SheetStep, "icons": IconStep,
}  # fmt: skip
AnyStep = ImageStep | TextStep | CodeStep | SheetStep | IconStep


def _parse_step(data: Any) -> Step:
    if isinstance(data, Step):
        return data
    if not isinstance(data, Mapping):
        raise ValueError(f"a step is a section with a kind, not {data!r}")
    given = data.get("kind")
    if given not in _KINDS:
        known = f"known kinds: {', '.join(_KINDS)}"
        raise _fault(("kind",), "unknown_kind", f"is {given!r}; {known}" if given else f"is missing; {known}")
    return _KINDS[given].model_validate(data)


def _fault(keys: tuple[str, ...], type_: str, words: str) -> ValidationError:
    # The message is a template, so words with braces must come in as a value.
    error = PydanticCustomError(type_, "{words}", {"words": words})
    return ValidationError.from_exception_data("step", [InitErrorDetails(type=error, loc=keys, input=None)])


class Workflow(Section):
    """`name` and `source`: of the file. Steps run in the order of the file."""

    name: str = ""
    about: str
    attempts: Annotated[int, Field(ge=1, le=10)] = 4  # how often the steps may be made in all
    steps: dict[str, Annotated[SerializeAsAny[AnyStep], PlainValidator(_parse_step)]] = Field(min_length=1)
    source: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _each_step_gets_what_is_there(self) -> Workflow:
        before: dict[str, str] = {}
        for name, step in self.steps.items():
            for taken in step.takes:
                if taken not in before:
                    known = ", ".join(before) or "none: it is the first"
                    raise _fault(
                        ("steps", name, "from"),
                        "value_error",
                        f"there is no step {taken!r} before it; those before it are {known}",
                    )
            for kind in step.wants:
                if kind not in {before[taken] for taken in step.takes}:
                    raise _fault(
                        ("steps", name, "from"), "value_error", f"name a step of kind {kind}, which it needs"
                    )
            before[name] = step.kind
        return self

    def template(self, name: str) -> Path:
        """The file of a page's template."""
        own = self.source.parent / name
        return own if own.is_file() else TEMPLATES / name


def available() -> list[str]:
    """The names of the workflows that ship with Easel."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_workflow(name_or_path: str) -> Workflow:
    """Read and check a workflow by name or path. Raises ConfigError."""
    path = _find(name_or_path)
    file = read_preset_file(path, shape="a workflow is a mapping with about and steps; see configs/workflows")
    try:
        workflow = Workflow.model_validate({**file.data, "name": path.stem, "source": path})
    except ValidationError as error:
        raise ConfigError(describe(Workflow, file, error)) from None
    for step, section in workflow.steps.items():
        for number, template in enumerate(section.templates if isinstance(section, CodeStep) else ()):
            if not workflow.template(template).is_file():
                place = file.place(("steps", step, "templates", str(number)))
                known = ", ".join(sorted(found.name for found in TEMPLATES.glob(f"*{ENDING}")))
                raise ConfigError(f"{place}: no template {template!r}; those of Easel are {known}")
    return workflow


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"no workflow file at {name}; known workflows are {', '.join(available())}")
        return path
    if name not in available():
        close = get_close_matches(name[:100], available(), 1)
        hint = f" did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"unknown workflow {name[:100]!r};{hint} known are {', '.join(available())}, or a path to a YAML file"
        )
    return FOLDER / f"{name}.yaml"
