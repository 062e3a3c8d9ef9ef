"""A file of briefs: CSV, JSONL or YAML, one brief a row. A bad row is reported with its line; the others are used.

| key                     | meaning                                                                 |
| ----------------------- | ----------------------------------------------------------------------- |
| brief                   | what you want, in your words (the only required key)                    |
| name                    | name of the run folder; default: made from the brief                    |
| seed                    | the same brief, preset and seed give the same images                    |
| size, or width, height  | in pixels: 256, or 512x256                                              |
| must                    | further must-haves: a list, or "a cat; no text"                         |
| preset                  | the preset for this row: the name of a bundled one                      |
| image.steps and so on   | a key of the preset; also set: "image.steps=12; loop.writer=template"   |
| images, seconds, tokens and so on | limits for this brief                                         |
| any other, with a text or a number | kept as it is, and joined to the results: an id, a note      |

A file may come from anybody, so its rows may change only what can harm nobody: image.steps, image.guidance and the keys
of loop. A trusted file may set any key, and name preset files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.brief import Brief, Limits
from pipeline.config import Preset, available, load_preset, unknown_preset, unsuited
from pipeline.errors import BriefError, ConfigError, fault
from pipeline.files import slug
from pipeline.work.columns import fault_of, harmless, is_cell, is_extra, key_of
from pipeline.work.row import Bad, Row, Rows
from pipeline.work.row_formats import KINDS, MAX_BYTES, Unreadable, parsed, text_of

_TRUST = "trust a file of your own with --trust-rows"


def read_rows(
    path: Path, preset: str, overrides: Sequence[str] = (), seed: int = 0, trusted: bool = False
) -> Rows:
    """Read a file of briefs. `preset`, `overrides` and `seed` are the defaults for rows that name none; rows of a
    `trusted` file may set any key.

    Raises BriefError if the file as a whole cannot be used, ConfigError for the default preset."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise BriefError(f"{path}: unknown file type; use a file named .csv, .jsonl or .yaml")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BriefError(f"{path}: cannot be read ({error.strerror}); give a file of briefs") from None
    return parse_rows(data, kind, path.stem, preset, overrides, seed, str(path), trusted)


def parse_rows(
    data: bytes | str,
    kind: str,
    name: str,
    preset: str,
    overrides: Sequence[str] = (),
    seed: int = 0,
    where: str = "the file",
    trusted: bool = False,
) -> Rows:
    """As `read_rows`, from the content of a file. `kind`: csv, jsonl or yaml; `where`: the file's name in messages."""
    text = data if isinstance(data, str) else text_of(data, where)
    load_preset(preset, overrides)  # raises once what would otherwise be an error of every row
    read = _Reader(preset, tuple(overrides), seed, trusted)
    good: list[Row] = []
    bad: list[Bad] = []
    names: dict[str, int] = {}
    for line, given in parsed(text, kind, where):
        try:
            row = read.row(line, given)
        except (BriefError, ConfigError) as error:
            bad.append(_bad(line, given, str(error).replace("\n", "; ")))
            continue
        good.append(replace(row, brief=row.brief.model_copy(update={"name": _free(row.brief, names)})))
    if not good and not bad:
        raise BriefError(f"{where}: no briefs found; write one per row, in a column named brief")
    return Rows(slug(name), tuple(good), tuple(bad))


def _bad(line: int, given: Any, why: str) -> Bad:
    """What is kept of a row that cannot be run."""
    if isinstance(given, Unreadable):
        return Bad(line, "", why)
    if not isinstance(given, dict):
        return Bad(line, str(given or "")[:200], why)
    named = {key_of(str(key)): value for key, value in given.items()}
    extra = {key: value for key, value in named.items() if is_extra(key) and is_cell(value)}
    return Bad(line, str(named.get("brief") or "")[:200], why, extra)


def _free(brief: Brief, taken: dict[str, int]) -> str:
    """A name for the brief that is not in `taken`; it is added there. `taken`: names, and the last number tried."""
    stem = slug(brief.name or brief.text)
    name, number = stem, taken.get(stem, 1)
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken[stem], taken[name] = number, taken.get(name, 1)
    return name


class _Reader:
    """Makes rows of what was parsed. Equal presets are loaded once."""

    def __init__(self, preset: str, overrides: tuple[str, ...], seed: int, trusted: bool) -> None:
        self._preset, self._overrides, self._seed, self._trusted = preset, overrides, seed, trusted
        self._loaded: dict[tuple[str, ...], Preset] = {}

    def row(self, line: int, given: Any) -> Row:
        """Raises BriefError or ConfigError where the row cannot be run."""
        given = _checked(given)
        width, height = _size(given)
        fields = {
            "text": given["brief"],
            "name": str(given.get("name", "")),
            "seed": given.get("seed", self._seed),
            "width": width,
            "height": height,
            "must": _listed(given.get("must", ())),
            "limits": {key: given[key] for key in Limits.model_fields if key in given},
        }
        try:
            brief = Brief(**fields)
        except ValidationError as error:
            raise BriefError(fault(error)) from None
        preset = self._chosen(given)
        if why := unsuited(brief, preset):
            raise BriefError(why)
        return Row(line, brief, preset, extra={key: given[key] for key in given if is_extra(key)})

    def _chosen(self, given: dict[str, Any]) -> Preset:
        """The preset of a row, with what the row changes."""
        name = str(given.get("preset", self._preset))
        if name != self._preset and name not in available() and not self._trusted:
            name = name[:100]
            raise BriefError(f"preset: {unknown_preset(name)}; to name files, {_TRUST}")
        changes = [*_settings(given.get("set", ())), *(f"{k}={v}" for k, v in given.items() if "." in k)]
        if not self._trusted:
            for change in changes:
                _check_harmless(change)
        chosen = (name, *self._overrides, *changes)
        if chosen not in self._loaded:
            self._loaded[chosen] = load_preset(name, chosen[1:])
        return self._loaded[chosen]


def _check_harmless(change: str) -> None:
    if not harmless(change):
        key = change.partition("=")[0].strip()
        raise BriefError(
            f"{key[:100]}: rows may set image.steps, image.guidance and keys of loop; to set others, {_TRUST}"
        )


def _checked(given: Any) -> dict[str, Any]:
    """A row as a mapping with a brief and no misspelt key."""
    if isinstance(given, Unreadable):
        raise BriefError(given.why)
    if isinstance(given, str):
        given = {"brief": given}
    if not isinstance(given, dict):
        raise BriefError(f"not a brief: {str(given)[:60]}; write text, or keys and values")
    named = {key_of(str(key)): value for key, value in given.items() if value not in (None, "")}
    for key, value in named.items():
        if why := fault_of(key):
            raise BriefError(why)
        if is_extra(key) and not is_cell(value):
            raise BriefError(f"{key[:60]}: a key of your own holds a text or a number, not {str(value)[:40]}")
    if "brief" not in named:
        raise BriefError("the brief is empty; say in a sentence what the picture should show")
    return named


def _size(given: dict[str, Any]) -> tuple[Any, Any]:
    if "size" not in given:
        return given.get("width"), given.get("height")
    if "width" in given or "height" in given:
        raise BriefError("size: give size, or width and height, not both")
    match = re.fullmatch(r"(\d{1,9})(?:\s*[x×*]\s*(\d{1,9}))?", str(given["size"]).strip().lower())
    if match is None:
        raise BriefError(f"size: {str(given['size'])[:40]!r} is not a size; write 256 or 512x256")
    return int(match[1]), int(match[2] or match[1])


def _listed(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else re.split(r"[;\n]", str(value))
    return tuple(part for part in (" ".join(str(part).split()) for part in parts) if part)


def _settings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={json.dumps(item)}" for key, item in value.items()]
    return list(_listed(value))
