"""What a model needs of a repository of the hub, or of a folder: a backend says it once, and what looks for files,
plans a download and loads the model reads it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

# The names of all files of a repository → those that are needed.
Choose = Callable[[Sequence[str]], Sequence[str]]
# A small file that a need names, such as a config, as text; None where there is none.
Read = Callable[["Need", str], str | None]

TEXTS = (".json", ".txt", ".model", ".jinja")  # endings of configs and vocabularies


@dataclass(frozen=True)
class Need:
    """`location`: a folder, or a hub id; `revision`: as the preset names it. `patterns`: file filters in the hub's own
    terms, at least as wide as `choose`; `weights`: the pattern of the files without which nothing can be loaded, or
    empty where all files are texts."""

    what: str  # "model", "LoRA", "adapter", "tokenizer": in messages
    location: Path | str
    revision: str | None
    choose: Choose
    patterns: tuple[str, ...]
    weights: str = "*.safetensors"

    @property
    def name(self) -> str:
        return self.location if isinstance(self.location, str) else self.location.name

    @property
    def command(self) -> str:
        """The command of the hub library that downloads it."""
        revision = f" --revision {self.revision}" if self.revision else ""
        include = "".join(f" --include {shlex.quote(pattern)}" for pattern in self.patterns)
        return f"hf download {self.location}{revision}{include}"

    def weight_files(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.weights and fnmatchcase(name, self.weights)]


def checkpoint(what: str, location: Path | str, revision: str | None = None) -> Need:
    """A model of transformers or an adapter of peft: safetensors and texts at the top of the repository. Repositories
    often have the same weights in other formats, or as one file beside the parts."""

    def choose(names: Sequence[str]) -> list[str]:
        top = [name for name in names if "/" not in name]
        weights = [name for name in top if name.endswith(".safetensors")]
        own = [name for name in weights if name.startswith(("model", "adapter_model", "marker"))]
        parts = [name for name in own if "-of-" in name]
        if parts and any(name.endswith(".safetensors.index.json") for name in top):
            own = parts
        return [name for name in top if name.endswith(TEXTS)] + (own or weights)

    return Need(what, location, revision, choose, ("*.safetensors", *(f"*{end}" for end in TEXTS)))


def texts(what: str, location: Path | str, revision: str | None = None) -> Need:
    """The configs and vocabularies of a repository, without weights."""
    need = checkpoint(what, location, revision)

    def choose(names: Sequence[str]) -> list[str]:
        return [name for name in need.choose(names) if name.endswith(TEXTS)]

    return Need(what, location, revision, choose, need.patterns[1:], weights="")


def matching(what: str, location: Path | str, revision: str | None, *patterns: str, weights: str) -> Need:
    """The files that match one of the patterns."""

    def choose(names: Sequence[str]) -> list[str]:
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]

    return Need(what, location, revision, choose, patterns, weights)


def first_of(what: str, location: Path | str, revision: str | None, names: Sequence[str]) -> Need:
    """The first of the named files that there is; the first one where there is none."""

    def choose(there: Sequence[str]) -> list[str]:
        return [next((name for name in names if name in there), names[0])]

    ending = f"*{PurePosixPath(names[0]).suffix}"
    same = all(fnmatchcase(name, ending) for name in names)
    return Need(what, location, revision, choose, tuple(names), ending if same else "*")
