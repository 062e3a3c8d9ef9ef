"""Kept results: every usable answer of a model is stored under a hash of everything that decides it.

A run that was interrupted is played again from its start, and takes the answers it had from the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from PIL.Image import Image

from models.protocols import Identity

VERSION = 1  # increased when the same inputs would give another answer


@dataclass(frozen=True, slots=True)
class Result:
    """One stored answer. `value` is plain JSON; an image model's answer also has its picture.
    `seconds` and `joules` are the answer's share of the call that made it."""

    value: dict[str, Any]
    image: Image | None = None
    seconds: float = 0.0
    joules: float = 0.0


class Results(Protocol):
    """A store of results by key."""

    def get(self, keys: Sequence[str]) -> dict[str, Result]:
        """The stored results among `keys`; missing ones are left out."""
        ...

    def put(self, stage: str, results: Mapping[str, Result]) -> None: ...


def result_key(stage: str, model: Identity, settings: Mapping[str, Any], inputs: Any) -> str:
    """SHA-256, in hexadecimal, of everything that decides an answer. `inputs` is plain JSON."""
    whole = [VERSION, stage, asdict(model), dict(settings), inputs]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
