"""What all steps of a piece share, and what a step is: a generator that yields events and returns what it made."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from models.protocols import OnStep
from pipeline.calls.pool import ModelPool
from pipeline.config import Preset
from pipeline.pieces.folder import PieceFolder
from pipeline.pieces.record import Made, PartCheck, Pictures, Product, Words
from pipeline.pieces.workflow import Workflow
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.play import Happened

Products = Mapping[str, Product]
Rounds = Sequence[
    Sequence[PartCheck]
]  # the failures that a step was asked to mend, by the time that it was asked
Making = Generator[Happened, None, Made]
StepMaker = Callable[["Work", str, Products, Rounds], Making]
_P = TypeVar("_P", Pictures, Words)


class Failed(Exception):
    """A step made nothing that others could go on with; the message says why."""


@dataclass
class Work:
    """`given`: fields of words that the user wrote."""

    workflow: Workflow
    brief: str
    preset: Preset
    store: Store
    folder: PieceFolder
    seed: int
    given: Mapping[str, str]
    stop: Stop
    on_step: OnStep | None = None
    on_loaded: Callable[[], None] | None = None
    pool: ModelPool = field(default_factory=ModelPool)


def taken(products: Products, kind: type[_P]) -> _P:
    """The first product of a kind among those that a step gets; a workflow that lacks it is refused before."""
    return next(product for product in products.values() if isinstance(product, kind))
