"""A file of briefs: CSV, JSONL or YAML, one brief a row. A bad row is reported with its line; the others are used.

| key                     | meaning                                                                 |
| ----------------------- | ----------------------------------------------------------------------- |
| brief                   | what you want, in your words (the only required key)                    |
| name                    | name of the run folder; default: made from the brief                    |
| seed                    | the same brief, preset and seed give the same images                    |
| size, or width, height  | in pixels: 256, or 512x256                                              |
| must                    | further must-haves: a list, or "a cat; no text"                         |
| preset                  | the preset for this row                                                 |
| image.steps and so on   | any key of the preset; also set: "image.steps=12; loop.writer=template" |
| images, seconds, tokens and so on | limits for this brief                                         |
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.brief import Brief, Limits
from pipeline.config import Preset, load_preset, unsuited
from pipeline.errors import BriefError, ConfigError, fault
from pipeline.files import slug

MAX_BYTES = 64 * 2**20
KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml"}
_PLAIN = ("brief", "name", "seed", "size", "width", "height", "must", "preset", "set")
_ALIASES = {
    "text": "brief",
    "prompt": "brief",
    "must_have": "must",
    "must_haves": "must",
    "must-haves": "must",
}
KNOWN = (*_PLAIN, *Limits.model_fields)


@dataclass(frozen=True)
class Row:
    """A brief that can be run, with its preset. `line`: its line in the file."""

    line: int
    brief: Brief
    preset: Preset
    run: str = ""  # the id of the run, if it is not computed; the same brief can then be run again

    @property
    def id(self) -> str:
        """The id of the run. Unless `run` is set it is a hash of brief and preset, so each reading of a file gives the
        same ids."""
        if self.run:
            return self.run
        whole = [self.brief.model_dump(mode="json"), self.preset.model_dump(mode="json", by_alias=True)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Bad:
    """A row that cannot be run, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Unreadable:
    """A row that cannot be parsed, and why."""

    why: str


@dataclass(frozen=True)
class Rows:
    """The rows of a file. `name`: the name of the batch."""

    name: str
    good: tuple[Row, ...]
    bad: tuple[Bad, ...] = field(default=())


@dataclass(frozen=True)
class Unstarted:
    """Rows whose models cannot be loaded, and why."""

    rows: tuple[Row, ...]
    why: str


def read_rows(path: Path, preset: str, overrides: Sequence[str] = (), seed: int = 0) -> Rows:
    """Read a file of briefs. `preset`, `overrides` and `seed` are the defaults for rows that name none.

    Raises BriefError if the file as a whole cannot be used, ConfigError for the default preset."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise BriefError(f"{path}: unknown file type; use a file named .csv, .jsonl or .yaml")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BriefError(f"{path}: cannot be read ({error.strerror}); give a file of briefs") from None
    return parse_rows(data, kind, path.stem, preset, overrides, seed, str(path))


def parse_rows(
    data: bytes,
    kind: str,
    name: str,
    preset: str,
    overrides: Sequence[str] = (),
    seed: int = 0,
    where: str = "the file",
) -> Rows:
    """As `read_rows`, from the bytes of a file. `kind`: csv, jsonl or yaml; `where`: the file's name in messages."""
    if len(data) > MAX_BYTES:
        raise BriefError(f"{where}: larger than {MAX_BYTES // 2**20} MB; split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BriefError(
            f"{where}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    load_preset(preset, overrides)  # raises once what would otherwise be an error of every row
    parsed = {"csv": _csv, "jsonl": _jsonl, "yaml": _yaml}[kind](text, where)
    good: list[Row] = []
    bad: list[Bad] = []
    names: set[str] = set()
    presets: dict[tuple[str, ...], Preset] = {}
    for line, given in parsed:
        try:
            row = _row(line, given, preset, overrides, seed, presets)
        except (BriefError, ConfigError) as error:
            shown = (
                given.get("brief")
                if isinstance(given, dict)
                else ""
                if isinstance(given, Unreadable)
                else given
            )
            bad.append(Bad(line, str(shown or "")[:200], str(error).replace("\n", "; ")))
            continue
        good.append(Row(line, row.brief.model_copy(update={"name": _free(row.brief, names)}), row.preset))
    if not good and not bad:
        raise BriefError(f"{where}: no briefs found; write one per row, in a column named brief")
    return Rows(slug(name), tuple(good), tuple(bad))


def _free(brief: Brief, taken: set[str]) -> str:
    """A name for the brief that is not in `taken`; it is added there."""
    stem = slug(brief.name or brief.text)
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


Given = Iterator[tuple[int, Any]]


def _csv(text: str, where: str) -> Given:
    head = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count), strict=True)
    keys: list[str] = []
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not keys:
                keys = [_key(cell) for cell in cells]
                _check_columns(keys, where, line)
            elif len(cells) > len(keys):
                yield (
                    line,
                    Unreadable(
                        f"{len(cells)} cells but {len(keys)} columns; put quotes around cells with commas"
                    ),
                )
            else:
                given = zip(keys, (cell.strip() for cell in cells), strict=False)
                yield line, {key: cell for key, cell in given if cell}
    except csv.Error as error:
        yield begins, Unreadable(f"not CSV from this line on ({error}); check the quotes")


def _check_columns(keys: list[str], where: str, line: int) -> None:
    if "brief" not in keys:
        raise BriefError(
            f"{where}:{line}: no column named brief; the first line names the columns: {', '.join(KNOWN)}"
        )
    for key in keys:
        if (why := _unknown(key)) or keys.count(key) > 1:
            raise BriefError(f"{where}:{line}: {why or f'two columns named {key}'}")


def _jsonl(text: str, where: str) -> Given:
    for line, words in enumerate(text.split("\n"), 1):
        if words.strip():
            try:
                yield line, json.loads(words)
            except (ValueError, RecursionError) as error:
                yield line, Unreadable(f"not JSON ({error}); write one object per line")


def _yaml(text: str, where: str) -> Given:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{where}:{mark.line + 1}" if mark else where
        raise BriefError(
            f"{at}: not YAML: {getattr(error, 'problem', None) or 'nested too deeply'}"
        ) from None
    if not isinstance(node, yaml.SequenceNode):
        raise BriefError(f"{where}: not a list; begin each brief with a dash")
    yield from ((item.start_mark.line + 1, value) for item, value in zip(node.value, data, strict=True))


def _key(word: str) -> str:
    key = word.strip().lower() if "." not in word else word.strip()
    return _ALIASES.get(key, key)


def _unknown(key: str) -> str | None:
    if key in KNOWN or "." in key:
        return None
    close = get_close_matches(key, KNOWN, 1)
    hint = (
        f"; did you mean {close[0]}?" if close else f"; known are {', '.join(KNOWN)} and keys of the preset"
    )
    return f"unknown column {key!r}{hint}" if key else "a column without a name"


def _row(
    line: int,
    given: Any,
    preset: str,
    overrides: Sequence[str],
    seed: int,
    presets: dict[tuple[str, ...], Preset],
) -> Row:
    if isinstance(given, Unreadable):
        raise BriefError(given.why)
    if isinstance(given, str):
        given = {"brief": given}
    if not isinstance(given, dict):
        raise BriefError(f"not a brief: {given!r}; write text, or keys and values")
    given = {_key(str(key)): value for key, value in given.items() if value not in (None, "")}
    for key in given:
        if why := _unknown(key):
            raise BriefError(why)
    if "brief" not in given:
        raise BriefError("the brief is empty; say in a sentence what the picture should show")
    width, height = _size(given)
    fields = {
        "text": given["brief"],
        "name": str(given.get("name", "")),
        "seed": given.get("seed", seed),
        "width": width,
        "height": height,
        "must": _listed(given.get("must", ())),
        "limits": {key: given[key] for key in Limits.model_fields if key in given},
    }
    try:
        brief = Brief(**fields)
    except ValidationError as error:
        raise BriefError(fault(error)) from None
    changes = [f"{key}={value}" for key, value in given.items() if "." in key]
    chosen = (str(given.get("preset", preset)), *overrides, *_settings(given.get("set", ())), *changes)
    if chosen not in presets:
        presets[chosen] = load_preset(chosen[0], chosen[1:])
    if why := unsuited(brief, presets[chosen]):
        raise BriefError(why)
    return Row(line, brief, presets[chosen])


def _size(given: dict[str, Any]) -> tuple[Any, Any]:
    if "size" not in given:
        return given.get("width"), given.get("height")
    if "width" in given or "height" in given:
        raise BriefError("size: give size, or width and height, not both")
    match = re.fullmatch(r"(\d+)(?:\s*[x×*]\s*(\d+))?", str(given["size"]).strip().lower())
    if match is None:
        raise BriefError(f"size: {given['size']!r} is not a size; write 256 or 512x256")
    return int(match[1]), int(match[2] or match[1])


def _listed(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else re.split(r"[;\n]", str(value))
    return tuple(part for part in (" ".join(str(part).split()) for part in parts) if part)


def _settings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={json.dumps(item)}" for key, item in value.items()]
    return list(_listed(value))
