"""The variants of a comparison: presets, and presets with keys changed. Each runs the same briefs with the same
seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

from pipeline.config import Preset, load_preset
from pipeline.errors import BriefError, ConfigError
from pipeline.plain_yaml import load
from pipeline.work.row import Bad, Row
from pipeline.work.rows import read_rows

MOST = 24  # variants of a comparison


@dataclass(frozen=True)
class Variant:
    """A preset, and the rows that it runs. `name`: what distinguishes it from the other variants."""

    name: str
    preset: Preset
    rows: tuple[Row, ...]


def variants(
    briefs: Path,
    presets: Sequence[str],
    vary: Sequence[str] = (),
    overrides: Sequence[str] = (),
    seed: int = 0,
    trusted: bool = False,
) -> tuple[list[Variant], tuple[Bad, ...]]:
    """Every preset with every combination of the values in `vary`, and the rows of the file that cannot be run.

    `vary`: "image.steps=1,4,25", values as in a YAML list. `overrides` hold for all variants. Raises BriefError or
    ConfigError, also where a row sets itself what the variants are to differ in."""
    axes = [_axis(one) for one in vary]
    chosen = [(preset, changes) for preset in presets for changes in product(*axes)]
    if len(chosen) < 2:
        raise BriefError("there is nothing to compare: give --preset twice, or --vary KEY=VALUE,VALUE")
    if len(chosen) > MOST:
        raise BriefError(
            f"{len(chosen)} variants are more than {MOST}; vary fewer keys, or give fewer values"
        )
    found, bad = [], tuple[Bad, ...]()
    for preset, changes in chosen:
        settings = [*overrides, *(f"{key}={json.dumps(value)}" for key, value in changes)]
        loaded = load_preset(preset, settings)
        rows = read_rows(briefs, preset, settings, seed, trusted)
        bad = bad or rows.bad
        found.append(Variant(_name(loaded, changes, len(presets) > 1), loaded, rows.good))
    _check(found, bad)
    return found, bad


def _axis(text: str) -> list[tuple[str, object]]:
    """The key of a `--vary` with each of its values."""
    key, equals, values = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--vary {text[:100]}: write it as key=value,value, for example image.steps=1,4,25")
    try:
        listed = load(f"[{values}]")
    except yaml.YAMLError:
        listed = None
    if not isinstance(listed, list) or not listed:
        raise ConfigError(
            f"--vary {text[:100]}: the values cannot be read; write them as a YAML list without brackets"
        )
    return [(key.strip(), value) for value in listed]


def _name(preset: Preset, changes: Sequence[tuple[str, object]], with_preset: bool) -> str:
    words = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in changes]
    return ", ".join([preset.name, *words] if with_preset or not words else words)


def _check(found: Sequence[Variant], bad: Sequence[Bad]) -> None:
    """Raise BriefError unless every row is run by each variant, and by each in another way."""
    names = [variant.name for variant in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BriefError(f"two variants are called {twice}; give each preset and each value once")
    lines = {row.line for variant in found for row in variant.rows}
    if not lines:
        raise BriefError(f"no row can be run; line {bad[0].line}: {bad[0].why}")
    for variant in found:
        if left := lines - {row.line for row in variant.rows}:
            raise BriefError(f"line {min(left)} cannot be run by {variant.name}; change it, or leave it out")
    for rows in zip(*(variant.rows for variant in found), strict=True):
        seen: dict[str, str] = {}
        for row, name in zip(rows, names, strict=True):
            if row.id in seen:
                raise BriefError(
                    f"line {row.line} is the same for {seen[row.id]} and {name}: the row, or --set, says itself what "
                    "they differ in, or the value is the preset's own; leave that out"
                )
            seen[row.id] = name
