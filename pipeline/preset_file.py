"""A preset's YAML file as it was read, with the place where each of its keys was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError
from pipeline.plain_yaml import compose, load, place_and_reason, plain

Keys = tuple[str, ...]
SET = "--set"
LARGEST, LONGEST_OVERRIDE = 1_000_000, 10_000  # bytes of a preset file; characters of an override


@dataclass(frozen=True)
class PresetFile:
    """`places`: for the keys of a value, such as ("image", "steps"), the file and line, or `--set`."""

    path: Path
    data: dict[str, Any]
    places: dict[Keys, str]

    def place(self, keys: Keys) -> str:
        """Where a value was written; for one that was left out, where the section around it was."""
        known = (self.places[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.places)
        return next(known, str(self.path))

    def override(self, text: str, place: str = SET) -> None:
        """Change a value: `dotted.key=value`, with a YAML value. `place`: the option that messages name."""
        key, found, value = text.partition("=")
        if not found or not key.strip():
            raise ConfigError(f"--set {text}: write it as key=value, for example image.steps=8")
        keys = tuple(key.strip().split("."))
        target = self.data
        for depth, parent in enumerate(keys[:-1], 1):
            if parent not in target:
                target[parent] = {}
                self.places[keys[:depth]] = place
            target = target[parent]
            if not isinstance(target, dict):
                raise ConfigError(f"--set {text}: {parent} holds a value, not a section")
        if len(text) > LONGEST_OVERRIDE:
            raise ConfigError(f"--set {text[:100]}…: longer than {LONGEST_OVERRIDE:,} characters; shorten it")
        try:
            target[keys[-1]] = load(value)
        except yaml.YAMLError as error:
            why = place_and_reason(error)[1]
            raise ConfigError(f"--set {text[:200]}: the value cannot be read ({why}); quote it") from None
        for replaced in [place for place in self.places if place[: len(keys)] == keys]:
            del self.places[replaced]
        self.places[keys] = place


def read_preset_file(
    path: Path,
    overrides: Sequence[str] = (),
    limits: Mapping[str, float] | None = None,
    shape: str = "a preset is a mapping with text, image and judges; see configs/mini.yaml",
) -> PresetFile:
    """Raises ConfigError for what is no YAML mapping, which `shape` describes, and for an override that cannot be
    applied."""
    try:
        with path.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ConfigError(f"{path}: larger than {LARGEST // 1000:,} kB; this is to be a page of YAML")
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or repr(error)
        raise ConfigError(f"{path}: cannot be read as text ({reason}); give a UTF-8 YAML file") from None
    try:
        node = compose(text)
        values, lines = plain(node), _lines(node)
    except yaml.YAMLError as error:
        line, why = place_and_reason(error)
        where = f"{path}:{line}" if line else str(path)
        raise ConfigError(f"{where}: not YAML: {why}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: {shape}")
    file = PresetFile(path, values, {keys: f"{path}:{line}" for keys, line in lines.items()})
    for override in overrides:
        file.override(override)
    for name, limit in (limits or {}).items():
        file.override(f"loop.{name}={limit}", f"--{name.replace('_', '-')}")
    return file


def _lines(node: yaml.Node | None, path: Keys = ()) -> dict[Keys, int]:
    """Line (1-based) of every key in a composed YAML document."""
    found: dict[Keys, int] = {}
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
