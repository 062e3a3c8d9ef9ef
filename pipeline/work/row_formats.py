"""The formats of a file of briefs: CSV, JSONL and YAML."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.errors import BriefError
from pipeline.plain_yaml import compose, place_and_reason, plain
from pipeline.work.columns import check_columns, key_of

MAX_BYTES, MAX_YAML = 64 * 2**20, 8_000_000
DEPTH = 24  # levels of lists and objects in a row
KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml"}

Given = Iterator[tuple[int, Any]]  # line and content of each row


@dataclass(frozen=True)
class Unreadable:
    """A row that cannot be parsed, and why."""

    why: str


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


def parsed(text: str, kind: str, where: str) -> Given:
    """The rows of a file: mappings, other values, or Unreadable. `kind`: csv, jsonl or yaml; `where`: the file's name
    in messages. Raises BriefError if the file as a whole cannot be read."""
    return {"csv": _csv, "jsonl": _jsonl, "yaml": _yaml}[kind](text, where)


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
                keys = [key_of(cell) for cell in cells]
                check_columns(keys, where, line)
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
