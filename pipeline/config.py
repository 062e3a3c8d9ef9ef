"""Presets: one YAML file names the three models and how the loop uses them, checked whole before any weight loads."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence, Set
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from models import specs
from models.locate import locate
from models.specs import ImageSpec, ScorerSpec, TextSpec
from pipeline.brief import Limits
from pipeline.errors import ConfigError

KINDS = frozenset(("transformers", "server", "diffusers", "open_clip"))
FOLDER = Path(__file__).parents[1] / "configs"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Band(Section):
    """Where a probability settles a check: pass at `pass` or above, fail at `fail` or below, unsure between.

    `odds` corrects what the scorer says before that (Platt): its log odds times the first, plus the second."""

    pass_: float = Field(default=0.6, alias="pass", ge=0, le=1)
    fail: float = Field(default=0.4, ge=0, le=1)
    odds: tuple[PositiveFloat, float] = (1.0, 0.0)

    def corrected(self, p: float) -> float:
        if self.odds == (1.0, 0.0):
            return p
        p = min(max(p, 1e-9), 1 - 1e-9)
        return 1 / (1 + math.exp(-(self.odds[0] * math.log(p / (1 - p)) + self.odds[1])))

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if self.fail > self.pass_:
            raise ValueError("fail lies above pass; a probability cannot do both")
        return self


class Judge(Section):
    """How scorer probabilities become outcomes."""

    default: Band = Band()
    kinds: dict[str, Band] = Field(default_factory=dict)  # by kind of requirement
    measured: str | None = None  # location of a JSON file with measured bands, overridden by `kinds`
    cannot: frozenset[str] = frozenset()  # kinds that the scorer is known not to check: these go to a person


class Loop(Limits):
    """How hard the loop tries. Its own limits are per brief; a brief may bring others."""

    images: PositiveInt = 6
    attempt: Limits = Limits()  # for each attempt
    batch: Limits = Limits()  # for all briefs together
    images_per_attempt: PositiveInt = 1
    memory: PositiveInt = 3  # earlier prompts shown to the text model
    writer: Literal["model", "template"] = "model"
    reader: Literal["model", "rules"] = "model"
    together: PositiveInt = 16  # briefs of a batch that move together
    memory_mb: PositiveFloat = (
        1024  # for the pictures of all of them; fewer move together where it is too little
    )
    prompting: Literal["bare", "instructed"] = "instructed"  # bare: for a text model trained to read briefs


class Machine(Section):
    """What an hour of this machine costs, and how its energy is known."""

    price: NonNegativeFloat = 0.0  # of an hour
    currency: str = "EUR"
    watts: PositiveFloat = 65.0  # assumed where nothing measures
    energy: Literal["auto", "assumed", "nvml", "codecarbon"] = "auto"


class Preset(Section):
    name: str = ""
    about: str
    needs: str = ""
    offline: bool = True
    residency: Literal["together", "by_phase"] = "together"  # by_phase: models take turns in memory
    range: str | None = None  # location of a JSON file: what the image model can draw; None means anything
    text: TextSpec
    image: ImageSpec
    scorer: ScorerSpec
    judge: Judge = Judge()
    loop: Loop = Loop()
    machine: Machine = Machine()
    source: Path = Field(default=Path(), exclude=True)  # the file it was read from

    @property
    def base(self) -> Path:
        """The folder that relative locations start from."""
        return self.source.parent


def data_file(location: str, base: Path) -> Path:
    """A data file by model location: `package:NAME/FILE`, or a path relative to the preset's folder."""
    folder, _, name = location.rpartition("/")
    return Path(locate(folder or ".", base)) / name


def bands(judge: Judge, base: Path) -> dict[str, Band]:
    """The probability band of each kind: measured ones from the scorer's folder, the preset's own on top."""
    found: dict[str, Band] = {}
    if judge.measured:
        path = data_file(judge.measured, base)
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            found = {
                kind: Band(**{"pass": row["pass"], "fail": row["fail"], "odds": row.get("odds", (1.0, 0.0))})
                for kind, row in table.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"judge.measured: {path} cannot be read ({_reason(error)}); name a JSON file of bands"
            ) from None
    return found | judge.kinds


def available() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_preset(name_or_path: str, overrides: Sequence[str] = ()) -> Preset:
    """Read and check a preset by name or path. `overrides` are `dotted.key=value` with YAML values."""
    path = _find(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read as text ({_reason(error)}); give a UTF-8 YAML file"
        ) from None
    try:
        data = yaml.safe_load(text)
        lines = _lines(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a preset is a mapping with text, image and scorer; see configs/mini.yaml")
    for override in overrides:
        _override(data, override)
    try:
        return Preset(**{**data, "name": path.stem, "source": path})
    except ValidationError as error:
        set_here = {override.partition("=")[0].strip() for override in overrides}

        def rank(fault: Any) -> tuple[bool, bool]:
            """A misspelt key first, as it is the cause where another is said to be missing; of those, the one set
            here, which a fallback inherits."""
            return fault["type"] != "extra_forbidden", ".".join(_keys(lines, fault)) not in set_here

        faults = sorted(error.errors(), key=rank)
        more = f" (faults: {len(faults)}; this is the first)" if len(faults) > 1 else ""
        raise ConfigError(_sentence(path, lines, faults[0], set_here) + more) from None


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"no preset file at {name}; `easel presets` lists the bundled ones")
        return path
    if name not in available():
        close = get_close_matches(name, available(), 1)
        hint = f" did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"unknown preset {name!r};{hint} known are {', '.join(available())}, or a path to a YAML file"
        )
    return FOLDER / f"{name}.yaml"


def _override(data: dict[str, Any], override: str) -> None:
    key, found, value = override.partition("=")
    if not found or not key.strip():
        raise ConfigError(f"--set {override}: write it as key=value, for example image.steps=8")
    *parents, last = key.strip().split(".")
    target = data
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {override}: {parent} holds a value, not a section")
    try:
        target[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: the value is not YAML; quote it") from None


def _lines(node: yaml.Node | None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Line (1-based) of every key in a composed YAML document."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            found[here] = key.start_mark.line + 1
            found |= _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            found[(*path, str(number))] = item.start_mark.line + 1
            found |= _lines(item, (*path, str(number)))
    return found


def _keys(lines: dict[tuple[str, ...], int], item: Any) -> tuple[str, ...]:
    """Where the preset has what a pydantic error is about."""
    where = [str(part) for part in item["loc"]]
    keys: tuple[str, ...] = ()
    for i, part in enumerate(where):
        # Discriminated unions put the chosen kind into the location, where the file does not have it as a key.
        section = keys in {("text",), ("image",), ("scorer",)}
        section = section or keys[-2:-1] == ("fallback",)
        if not (section and part in KINDS and (*keys, part) not in lines and i < len(where) - 1):
            keys = (*keys, part)
    return (*keys, "kind") if item["type"] == "union_tag_invalid" else keys


def _sentence(path: Path, lines: dict[tuple[str, ...], int], item: Any, overrides: Set[str]) -> str:
    """One pydantic error as `file:line: key: what is wrong`, or `--set: key: …` where the key was set there."""
    keys = _keys(lines, item)
    line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), None)
    place = f"{path}:{line}" if line else str(path)
    if any(".".join(keys[:n]) in overrides for n in range(1, len(keys) + 1)):
        place = "--set"
    key = ".".join(keys)
    if item["type"] == "extra_forbidden":
        close = get_close_matches(keys[-1], _known_keys(keys[:-1]), 1)
        return f"{place}: unknown key {key}; " + (f"did you mean {close[0]}?" if close else "take it out")
    if item["type"] == "union_tag_invalid":
        return f"{place}: {key} is {item['ctx']['tag']!r}; known kinds: {item['ctx']['expected_tags']}"
    if item["type"] == "literal_error" and keys[-1] == "kind":
        return f"{place}: {key} is {item['input']!r}; known kinds: {item['ctx']['expected']}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{place}: {key}: {message[:1].lower()}{message[1:]}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or f"{error!r}")


def _known_keys(section: tuple[str, ...]) -> list[str]:
    classes: dict[str, list[type[BaseModel]]] = {
        "": [Preset],
        "judge": [Judge],
        "loop": [Loop],
        "machine": [Machine],
        "text": [specs.TransformersText, specs.ServerText],
        "image": [specs.DiffusersImage],
        "scorer": [specs.OpenClipScorer],
        "limits": [Limits],
    }
    if section[:1] == ("loop",) and section[1:]:
        section = ("limits",)
    owners = classes.get(section[0] if section else "", [])
    return sorted({name for owner in owners for name in owner.model_fields})
