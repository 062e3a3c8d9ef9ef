"""What an image model can draw, as data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pydantic import Field, ValidationError

from pipeline.brief import Record
from pipeline.errors import ConfigError

Words = dict[str, tuple[str, ...]]


class Range(Record):
    """What an image model can draw; None means anything.

    `objects`, `colours` and `styles` map the name of each entry to other words for it, for an object its plural first.
    `grounds`: the backgrounds that the seed chooses from where a brief names none, each with the objects and colours
    that do not stand out from it. `parts` names what a picture of an object shows in any case, such as the candles of a
    birthday cake. `never` lists things that no object has as a part, such as letters or a driver: where the judges see
    whole objects and nothing else, none of these is there. `kin` maps words outside the range to the nearest entry, for
    the notes on requirements that cannot be drawn.
    """

    objects: Words | None = None
    colours: Words | None = None
    styles: Words | None = None
    relations: tuple[str, ...] | None = None
    max_count: int | None = Field(default=None, ge=1)
    max_kinds: int | None = Field(default=None, ge=1)  # different objects in one picture
    counts_alone: bool = False  # several of one object only where it is the only one
    plain_backgrounds: bool = False  # a background is one of the colours
    square: bool = False  # only pictures as wide as they are tall
    grounds: Words = Field(default_factory=dict)
    parts: Words = Field(default_factory=dict)
    never: frozenset[str] = frozenset()
    kin: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The range as JSON: a key for caches."""
        return self.model_dump_json()

    def tells_absence(self, thing: str) -> bool:
        """Whether the absence of a thing can be judged: judges of a range know its objects, and what none of them
        has."""
        return self.objects is None or thing in self.objects or thing in self.never

    def nearest(self, word: str, among: Iterable[str]) -> str | None:
        """The entry of `among` that is nearest to a word outside the range: by `kin`, then by a shared word, then by
        spelling. None where nothing is near."""
        names = set(among)
        for key in (word, word.split()[-1] if word else ""):
            if self.kin.get(key) in names:
                return self.kin[key]
        for part in reversed(word.split()):
            if part in names:
                return part
        close = difflib.get_close_matches(word, sorted(names), n=1, cutoff=0.84)
        return close[0] if close else None


def draws_anything(drawable: Range | None) -> bool:
    """Whether an image model may be asked for any thing, not only for those of a range."""
    return drawable is None or drawable.objects is None


def load_range(path: str | Path) -> Range:
    """The range in a JSON file. Raises ConfigError, which names the file and what is wrong with it."""
    path = Path(path)
    try:
        return Range.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"range: no text file at {path}; correct it in the preset or leave it out"
        ) from None
    except ValidationError as error:
        item = error.errors()[0]
        where = ".".join(map(str, item["loc"]))
        raise ConfigError(
            f"range: {path} does not fit the form of a range ({where}: {item['msg']}); see models/mini/range.json"
        ) from None
