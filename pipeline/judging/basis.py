"""What a band of a judge holds for, and the answers that bands are learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from models.protocols import Identity
from pipeline.brief import Record

# Revision of what judges are asked and of how their answers are combined. Raise it with every change of statements,
# contrasts, crops or of the way of combining: what was measured before no longer holds then.
WORDING = "1"


class Basis(Record):
    """What a band holds for: one kind of check, by these judges, of pictures by this painter, asked in this wording.

    A kind is a kind of requirement or one of ALWAYS. Models are named with their revision. Other weights are another
    basis, whose judge nobody has measured yet."""

    kind: str
    judges: tuple[str, ...]
    painter: str
    wording: str = WORDING

    @property
    def key(self) -> str:
        """A short hash that stands for the basis in the store."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def versioned(name: str, revision: str) -> str:
    """A model with its revision: "scorer@1f2e3d4c5b6a"."""
    return f"{name.rstrip('/').rsplit('/', 1)[-1]}@{revision[:12]}"


def judges_of(models: Iterable[Identity | None]) -> tuple[str, ...]:
    """The judges that answered, in order of their names."""
    return tuple(sorted({versioned(model.name, model.revision) for model in models if model is not None}))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the judges said of one check, and whether it is true. `probability`: their own that the requirement is met,
    without a band."""

    probability: float
    met: bool
