"""The columns of a file of briefs, or the keys of its rows."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pipeline.brief import Limits
from pipeline.errors import BriefError

_PLAIN = ("brief", "name", "seed", "size", "width", "height", "must", "preset", "set")
_ALIASES = {
    "text": "brief",
    "prompt": "brief",
    "must_have": "must",
    "must_haves": "must",
    "must-haves": "must",
}
KNOWN = (*_PLAIN, *Limits.model_fields)
# Keys of a preset that any row may set, with those below them.
HARMLESS = ("image.steps", "image.guidance", "loop")
_NEAR = 0.75  # from this similarity on, an unknown name counts as a misspelt known one


def key_of(word: str) -> str:
    """The name of a column as rows have it; those that Easel does not know stay as they were written."""
    word = word.strip()
    key = word.lower()
    key = _ALIASES.get(key, key)
    return key if key in KNOWN else word


def is_extra(key: str) -> bool:
    """Whether a column is none of Easel's. Names with a dot are keys of the preset."""
    return key not in KNOWN and "." not in key


def fault_of(key: str) -> str | None:
    """What is wrong with the name of a column; None where it can be used or kept."""
    if not key:
        return "a column without a name"
    close = get_close_matches(key.lower()[:60], (*KNOWN, *_ALIASES), 1, _NEAR)
    close += [known for known in HARMLESS if known.endswith(f".{key.lower()}")]
    if is_extra(key) and close:
        return f"unknown column {key[:60]!r}; did you mean {close[0]}? To keep it as a column of your own, rename it"
    return None


def is_cell(value: Any) -> bool:
    """Whether a value can stand in a column of one's own."""
    return isinstance(value, str | int | float)


def check_columns(keys: list[str], where: str, line: int) -> None:
    """Raise BriefError where the first line of a file lacks the column brief, or names one that cannot be used."""
    if "brief" not in keys:
        raise BriefError(
            f"{where}:{line}: no column named brief; the first line names the columns: {', '.join(KNOWN)}"
        )
    for key in keys:
        if (why := fault_of(key)) or keys.count(key) > 1:
            raise BriefError(f"{where}:{line}: {why or f'two columns named {key}'}")


def harmless(change: str) -> bool:
    """Whether anybody may make a change of a preset: `dotted.key=value`."""
    key = change.partition("=")[0].strip()
    return any(key == known or key.startswith(f"{known}.") for known in HARMLESS)
