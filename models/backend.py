"""What a backend declares about itself. Its file builds one `Backend`; models/load.py lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from models.specs import Spec, Stage

Load = Callable[[Any, Path, bool], Any]


@dataclass(frozen=True)
class Backend:
    """One way to run a model of a stage.

    `load(spec, base, offline)` returns the model; relative folders start at `base`, and with `offline` it must not use
    the network. `present(spec, base)` says in words where the weights are, without loading them, and raises ModelError
    where they are not here. With `remote` they are on a server: nothing has to be here before a run.
    """

    stage: Stage
    spec: type[Spec]
    load: Load
    present: Callable[[Any, Path], str]
    remote: bool = False
    listed: bool = True  # among the known kinds in messages

    @property
    def kind(self) -> str:
        """The `kind` that a preset names: the one value that the spec allows."""
        (kind,) = get_args(self.spec.model_fields["kind"].annotation)
        return str(kind)


def load_of(module: str) -> Load:
    """The `load` of a module, imported at the first call: for modules that import heavy libraries."""

    def load(spec: Any, base: Path, offline: bool) -> Any:
        return import_module(module).load(spec, base, offline)

    return load
