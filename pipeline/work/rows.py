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

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.brief import Brief, Limits
from pipeline.config import Preset, available, load_preset, unknown_preset, unsuited
from pipeline.errors import BriefError, ConfigError, fault
from pipeline.files import slug
from pipeline.plain_yaml import compose, place_and_reason, plain

MAX_BYTES, MAX_YAML = 64 * 2**20, 8_000_000
DEPTH = 24  # levels of lists and objects in a row
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
HARMLESS = (
    "image.steps",
    "image.guidance",
    "loop",
)  # keys of a preset that any row may set, with those below them
_NEAR = 0.75  # from this similarity on, an unknown name counts as a misspelt known one
_TRUST = "trust a file of your own with --trust-rows"


@dataclass(frozen=True)
class Row:
    """A brief that can be run, with its preset. `line`: its line in the file."""

    line: int
    brief: Brief
    preset: Preset
    run: str = ""  # the id of the first run, if it is not computed; the same brief can then be run again
    extra: Mapping[str, Any] = field(
        default_factory=dict
    )  # columns that Easel does not know, with their cells
    retry: int = 0  # 0: the first run of this row; n: its n-th retry

    @cached_property
    def id(self) -> str:
        """The id of the run. Nothing about retries is stored apart from the runs: each has an id that follows from that
        of the first run and its number."""
        if not self.retry:
            return self.first
        return hashlib.sha256(f"{self.first} {self.retry}".encode()).hexdigest()[:32]

    @cached_property
    def first(self) -> str:
        """The id of the first run. Unless `run` is set it is a hash of brief and preset, so each reading of a file
        gives the same ids."""
        if self.run:
            return self.run
        whole = [self.brief.model_dump(mode="json"), self.preset.model_dump(mode="json", by_alias=True)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]

    def tried(self, retry: int, seed: int) -> Row:
        """The row as its `retry`-th retry runs it."""
        brief = self.brief.model_copy(update={"seed": seed})
        return replace(self, run=self.first, retry=retry, brief=brief)


@dataclass(frozen=True)
class Bad:
    """A row that cannot be run, and why."""

    line: int
    text: str
    why: str
    extra: Mapping[str, Any] = field(default_factory=dict)  # as of a Row


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


def shared_limits(rows: Sequence[Row]) -> Limits:
    """The limits that hold for all rows together: of each limit of `loop.batch` the smallest that the preset of any row
    sets. Raises BriefError where money is limited and the presets have different currencies."""
    presets = list({id(row.preset): row.preset for row in rows}.values())
    found: dict[str, float] = {}
    for preset in presets:
        for name, limit in preset.loop.batch.set.items():
            found[name] = min(limit, found.get(name, limit))
    currencies = sorted({preset.machine.currency for preset in presets})
    if "money" in found and len(currencies) > 1:
        raise BriefError(
            "loop.batch.money limits all rows together, but their presets have the currencies "
            f"{', '.join(currencies)}; give all of them one machine.currency, or leave out this limit"
        )
    return Limits.model_validate(found)


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


def text_of(data: bytes, where: str = "the file") -> str:
    """The text of a file, as spreadsheets and editors write it: in UTF-8, or in UTF-16 with its mark. Its lines end in
    \\n. Raises BriefError."""
    if len(data) > MAX_BYTES:
        raise BriefError(f"{where}: larger than {MAX_BYTES // 2**20} MB; split it")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BriefError(
            f"{where}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
    parsed = {"csv": _csv, "jsonl": _jsonl, "yaml": _yaml}[kind](text, where)
    read = _Reader(preset, tuple(overrides), seed, trusted)
    good: list[Row] = []
    bad: list[Bad] = []
    names: dict[str, int] = {}
    for line, given in parsed:
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
    named = {_key(str(key)): value for key, value in given.items()}
    extra = {key: value for key, value in named.items() if _is_extra(key) and _is_cell(value)}
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


Given = Iterator[tuple[int, Any]]


def _csv(text: str, where: str) -> Given:
    begins = 1
    head = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    if said := re.match(r'"?sep=(.)"?\n', text):  # a line that some spreadsheets put before the columns
        separator, text, begins = said[1], text[said.end() :], 2
    try:
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    except (TypeError, ValueError):
        raise BriefError(f"{where}:1: {separator!r} cannot separate columns; use a comma") from None
    before = begins - 1
    keys: list[str] = []
    try:
        for cells in reader:
            line, begins = begins, before + reader.line_num + 1
            while cells and not cells[-1].strip() and len(cells) > len(keys):
                cells.pop()  # empty columns at the end
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
        if (why := _fault(key)) or keys.count(key) > 1:
            raise BriefError(f"{where}:{line}: {why or f'two columns named {key}'}")


def _jsonl(text: str, where: str) -> Given:
    for line, words in enumerate(text.split("\n"), 1):
        if words.strip():
            try:
                value = json.loads(words)
            except (ValueError, RecursionError) as error:
                yield line, Unreadable(f"not JSON ({error}); write one object per line")
                continue
            yield (
                line,
                value if _shallow(value) else Unreadable("nested too deeply; write one flat object per line"),
            )


def _shallow(value: Any) -> bool:
    """Whether a value has at most DEPTH levels."""
    level = [value]
    for _ in range(DEPTH):
        level = [
            item
            for whole in level
            if isinstance(whole, dict | list)
            for item in (whole.values() if isinstance(whole, dict) else whole)
        ]
    return not level


def _yaml(text: str, where: str) -> Given:
    if len(text) > MAX_YAML:
        raise BriefError(
            f"{where}: YAML of more than {MAX_YAML // 10**6} MB; split it, or save it as CSV or JSONL"
        )
    try:
        node = compose(text)
    except yaml.YAMLError as error:
        number, why = place_and_reason(error)
        raise BriefError(
            f"{where}:{number}: not YAML: {why}" if number else f"{where}: not YAML: {why}"
        ) from None
    if not isinstance(node, yaml.SequenceNode):
        raise BriefError(f"{where}: not a list; begin each brief with a dash")
    for item in node.value:
        line = item.start_mark.line + 1
        try:
            yield line, plain(item)
        except yaml.YAMLError as error:
            yield line, Unreadable(f"not readable: {place_and_reason(error)[1]}")


def _key(word: str) -> str:
    """The name of a column as rows have it; those that Easel does not know stay as they were written."""
    word = word.strip()
    key = word.lower()
    key = _ALIASES.get(key, key)
    return key if key in KNOWN else word


def _is_extra(key: str) -> bool:
    """Whether a column is none of Easel's. Names with a dot are keys of the preset."""
    return key not in KNOWN and "." not in key


def _fault(key: str) -> str | None:
    """What is wrong with the name of a column; None where it can be used or kept."""
    if not key:
        return "a column without a name"
    close = get_close_matches(key.lower()[:60], (*KNOWN, *_ALIASES), 1, _NEAR)
    if _is_extra(key) and close:
        return f"unknown column {key[:60]!r}; did you mean {close[0]}? To keep it as a column of your own, rename it"
    return None


def _is_cell(value: Any) -> bool:
    return isinstance(value, str | int | float)


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
        return Row(line, brief, preset, extra={key: given[key] for key in given if _is_extra(key)})

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


def harmless(change: str) -> bool:
    """Whether anybody may make a change of a preset: `dotted.key=value`."""
    key = change.partition("=")[0].strip()
    return any(key == known or key.startswith(f"{known}.") for known in HARMLESS)


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
    named = {_key(str(key)): value for key, value in given.items() if value not in (None, "")}
    for key, value in named.items():
        if why := _fault(key):
            raise BriefError(why)
        if _is_extra(key) and not _is_cell(value):
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
