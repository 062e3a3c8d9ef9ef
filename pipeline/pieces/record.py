"""The records of a piece: what each step made, how it was checked, and how the piece ended."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.brief import Record, Requirement
from pipeline.calls.record import Paid
from pipeline.events import Status
from pipeline.judging.verdict import CheckOutcome


class PartCheck(Record):
    """One check of what a step made. `mends`: the steps that may mend a failure, in the order in which they are asked.
    `field`: of the words that it is about; `room`: how many characters of it fit."""

    step: str
    name: str
    outcome: CheckOutcome
    reason: str
    mends: tuple[str, ...] = ()
    field: str = ""
    room: int | None = None


class Picture(Record):
    """A picture. `run`: the folder of its run below the output folder; `prompt`: what was painted; `cut`: its ground is
    transparent, and was of the colour `ground`."""

    file: str
    run: str
    status: Status
    reason: str
    seed: int
    prompt: str
    chosen: str = ""
    requirements: tuple[Requirement, ...] = ()
    width: int
    height: int
    cut: bool = False
    ground: tuple[int, int, int] | None = None  # None: not plain


class Pictures(Record):
    each: tuple[Picture, ...]


class Words(Record):
    """`writer`: who wrote each field: template, model, or user."""

    fields: dict[str, str]
    writer: dict[str, str]


class Page(Record):
    file: str
    template: str
    screenshot: str | None = None


class Files(Record):
    """Files that need no browser. `main`: the one to open first."""

    main: str
    files: tuple[str, ...]


Product = Pictures | Words | Page | Files


class Made(Record):
    """What a step made in an attempt, with its checks. `because`: what it was to mend."""

    step: str
    kind: str
    product: Product
    checks: tuple[PartCheck, ...]
    because: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    models: tuple[dict[str, Any], ...] = ()
    paid: Paid = Paid()


class PieceAttempt(Record):
    """One turn: the steps that were made, and the reasons for which steps are made again, by step."""

    number: int
    made: tuple[Made, ...]
    next: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class PieceOutcome(Record):
    """`main`: the file to open first; `zip`: everything in one file. None where nothing was made."""

    status: Status
    reason: str
    folder: str
    main: str | None = None
    zip: str | None = None
    files: tuple[str, ...] = ()
    models: tuple[dict[str, Any], ...] = ()
    paid: Paid = Paid()
    seconds: float = 0.0
