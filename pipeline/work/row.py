"""The rows of a file of briefs, as they are run and reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pipeline.brief import Brief, Limits
from pipeline.config import Preset
from pipeline.errors import BriefError


@dataclass(frozen=True)
class Row:
    """A brief that can be run, with its preset. `line`: its line in the file."""

    line: int
    brief: Brief
    preset: Preset
    run: str = ""  # the id of the first run, if it is not computed; the same brief can then be run again
    extra: Mapping[str, Any] = field(default_factory=dict)  # the columns that Easel does not know
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
