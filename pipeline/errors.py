"""What can go wrong, as a tree. Each message is one sentence on what happened and one on what to do.

    EaselError
    ├── BriefError      the brief cannot be used (empty, too long, binary, impossible size)
    ├── ConfigError     a preset cannot be used (names file, key and line)
    ├── OutputError     the output folder cannot be written
    │   └── StoreError  the store cannot be opened, read or written
    └── StageError      a stage of the loop broke and has no fallback (carries the stage's name)

A rejected image is none of these: it is a Verdict. Models raise `models.protocols.ModelError`.
"""

from __future__ import annotations


class EaselError(Exception):
    """Anything a person can mend; shown without a traceback."""


class BriefError(EaselError):
    """The brief cannot be used."""


class ConfigError(EaselError):
    """A preset cannot be used."""


class OutputError(EaselError):
    """The output folder cannot be written."""


class StoreError(OutputError):
    """The store cannot be opened, read or written."""


class StageError(EaselError):
    """A stage broke and nothing stands in for it."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage = stage
