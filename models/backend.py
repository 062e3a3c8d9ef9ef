"""How a backend declares itself: its file builds one `Backend`, and models/load.py lists it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args

from models.hub.need import Need, Read
from models.specs import DType, Spec, Stage

Load = Callable[[Any, Path, bool], Any]


class Own(NamedTuple):
    """A value that a model has for a key that its preset leaves out, and what says it, such as "unet/config.json"."""

    value: Any
    place: str


@dataclass(frozen=True)
class Backend:
    """One way to run a model of a stage.

    `load(spec, base, offline)` returns the model. Relative folders start at `base`; with `offline` it must not download
    anything. `needs(spec, base, read)` lists the files that `load` reads, and may read small ones of them by `read` to
    know the others. `remote`: the model is on a server, which it asks; it says in words that the server answers, and
    raises ModelError where it does not. A run may start without it. `auto`: the number format that `dtype: auto` stands
    for on a device ("cpu", "cuda", "mps"); "auto" is the smallest that the device computes with. `works_in_float16`:
    whether a model does; a GPU without bfloat16 computes the others in float32. `packages`: modules that a spec needs
    and that are not always installed. `own`: what the model itself takes for keys that the spec leaves out, as far as
    its files say it.
    """

    stage: Stage
    spec: type[Spec]
    load: Load
    needs: Callable[[Any, Path, Read], list[Need]]
    remote: Callable[[Any], str] | None = None
    auto: Callable[[str], DType] = lambda device: "auto"
    works_in_float16: Callable[[Any, Path, Read], bool] = lambda spec, base, read: True
    packages: Callable[[Any], Sequence[str]] = lambda spec: ()
    own: Callable[[Any, Path, Read], dict[str, Own]] = lambda spec, base, read: {}

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
