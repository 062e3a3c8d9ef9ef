"""Errors that the user can fix. Each message says what happened and what to do next.

    EaselError
    ├── BriefError      the brief cannot be used (empty, too long, binary, impossible size)
    ├── ConfigError     a preset cannot be used (names file, key and line)
    ├── PullError       models cannot be downloaded
    └── OutputError     the output folder cannot be written
        └── StoreError  the store cannot be opened, read or written
            └── StoreLost   its server does not answer for now

A rejected image is not an error: it is a Verdict. Models raise `models.protocols.ModelError`.
"""

from __future__ import annotations

from pydantic import ValidationError

_WRONG = {  # messages for pydantic's error types
    "int_parsing": "{input} is not a whole number",
    "int_from_float": "{input} is not a whole number",
    "int_type": "{input} is not a whole number",
    "float_parsing": "{input} is not a number",
    "float_type": "{input} is not a number",
    "finite_number": "{input} is not a number",
    "greater_than_equal": "{number} is too small; the least is {ge:,}",
    "greater_than": "{number} is too small; give more than {gt:g}",
    "less_than_equal": "{number} is too large; the most is {le:,}",
    "less_than": "{number} is too large; give less than {lt:,}",
    "string_too_long": "longer than {max_length} characters; shorten it",
    "string_type": "{input} is not text",
}


def fault(error: ValidationError, option: str = "") -> str:
    """The first error of a validation as one line: "seed: 'x' is not a whole number".

    `option`: a prefix for the field's name, for example "--". Errors about the text of the brief name no field."""
    item = error.errors()[0]
    where = ".".join(str(part) for part in item["loc"] if part not in ("text", "limits"))
    what = item["msg"].removeprefix("Value error, ")
    what = what[:1].lower() + what[1:]
    if form := _WRONG.get(item["type"]):
        given, number = (_short(as_text(item["input"])) for as_text in (repr, str))
        what = form.format(input=given, number=number, **item.get("ctx", {}))
    return f"{option}{where}: {what}" if where else what


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


class EaselError(Exception):
    """An error that the user can fix. It is shown without a traceback."""


class BriefError(EaselError):
    """The brief cannot be used."""


class ConfigError(EaselError):
    """A preset cannot be used."""


class PullError(EaselError):
    """Models cannot be downloaded."""


class OutputError(EaselError):
    """The output folder cannot be written."""


class StoreError(OutputError):
    """The store cannot be opened, read or written."""


class StoreLost(StoreError):
    """The store's server does not answer for now, as during its restart."""
