"""Which run a word on the command line names."""

from __future__ import annotations

from pipeline.errors import EaselError
from pipeline.store import Store
from pipeline.store.tables import RunRow


def the_run(store: Store, text: str) -> RunRow:
    """The run of this folder, id, or beginning of an id. Raises EaselError unless it names exactly one run."""
    found = store.runs.named(text)
    if len(found) != 1:
        raise EaselError(
            f"{len(found) or 'no'} runs in {store.out} are named {text}; give one run's folder or its id"
        )
    return found[0]
