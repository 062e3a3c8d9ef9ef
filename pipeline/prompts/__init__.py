"""What the text model is asked, as files that a preset may replace (`text.prompts`).

A file is YAML: `system`, `examples` (each with `user` and `assistant`), and `user`, which has placeholders such as
{brief}. A line of `user` whose placeholder has no value is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import ValidationError

from models.locate import locate
from models.protocols import Message
from pipeline.brief import Record
from pipeline.errors import ConfigError, fault
from pipeline.plain_yaml import load

Name = Literal["read", "read-bare", "write", "write-open"]
NAMES: tuple[Name, ...] = get_args(Name)
_BUNDLED = Path(__file__).parent
# The placeholders of each prompt, and whether it must have them.
_PLACEHOLDERS: dict[Name, dict[str, bool]] = {
    "read": {"brief": True},
    "read-bare": {"brief": True},
    "write": {"wishes": True, "failed": True, "tried": False},
    "write-open": {"brief": True, "wishes": True, "failed": True, "tried": False, "words": False},
}
_PLACE = re.compile(r"\{([A-Za-z_]+)\}")


class _Turn(Record):
    user: str
    assistant: str


class _Content(Record):
    """What a file says."""

    system: str = ""
    examples: tuple[_Turn, ...] = ()
    user: str


@dataclass(frozen=True)
class PromptFile:
    """One prompt. `version`: a hash of what it says."""

    name: Name
    content: _Content

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content.model_dump_json().encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Its name with its version, for records: "read@1a2b3c4d5e6f"."""
        return f"{self.name}@{self.version}"

    def messages(self, **values: str) -> list[Message]:
        """The conversation with these values of the placeholders."""
        turns = [Message("system", self.content.system)] if self.content.system else []
        for example in self.content.examples:
            turns += [Message("user", example.user), Message("assistant", example.assistant)]
        lines = [
            _PLACE.sub(lambda place: values.get(place[1], ""), line)
            for line in self.content.user.split("\n")
            if all(values.get(name) for name in _PLACE.findall(line))
        ]
        return [*turns, Message("user", "\n".join(lines))]


Prompts = Mapping[Name, PromptFile]


@cache
def bundled() -> Prompts:
    """The prompts that come with Easel."""
    return {name: _read(name, _BUNDLED / f"{name}.yaml", str(_BUNDLED / f"{name}.yaml")) for name in NAMES}


def load_prompts(given: str | Mapping[str, str] | None, base: Path, key: str = "text.prompts") -> Prompts:
    """The prompts of a preset: a folder of files NAME.yaml, or the file of each name; the bundled ones for all others.
    `base`: the preset's folder. Raises ConfigError in one line that says what to change."""
    if given is None:
        return bundled()
    if isinstance(given, str):
        folder = _at(given, base)
        if not folder.is_dir():
            raise ConfigError(f"{key}: there is no folder {folder}; name one with files such as read.yaml")
        files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        if not files:
            raise ConfigError(f"{key}: {folder} has no prompts; put files there, such as read.yaml")
    else:
        files = {name: _at(location, base) for name, location in given.items()}
    found: dict[Name, PromptFile] = dict(bundled())
    for stem, path in files.items():
        name = next((known for known in NAMES if known == stem), None)
        if name is None:
            close = get_close_matches(stem, NAMES, 1)
            advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(NAMES)}"
            raise ConfigError(f"{key}: unknown prompt {stem}; {advice}")
        found[name] = _read(name, path, f"{key}: {path}")
    return found


def _at(location: str, base: Path) -> Path:
    """Where a file or folder of a preset is: `package:NAME/PATH`, or a path relative to the preset's folder."""
    if location.startswith("package:"):
        folder, _, name = location.rpartition("/")
        return Path(locate(folder, base)) / name
    return base / location


def _read(name: Name, path: Path, what: str) -> PromptFile:
    try:
        content = _Content.model_validate(load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{what} cannot be read ({error.strerror}); name a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} cannot be read (it is no text in UTF-8); name a YAML file") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{what}{line}: {error.problem}; write it as YAML") from None
    except ValidationError as error:
        raise ConfigError(f"{what}: {fault(error)}; a prompt has system, examples and user") from None
    places = set(_PLACE.findall(content.user))
    known = _PLACEHOLDERS[name]
    if missing := [place for place, needed in known.items() if needed and place not in places]:
        raise ConfigError(f"{what}: `user` lacks the placeholder {{{missing[0]}}}; write it where it belongs")
    if unknown := sorted(places - known.keys()):
        raise ConfigError(
            f"{what}: `user` has the unknown placeholder {{{unknown[0]}}}; known are "
            + ", ".join(f"{{{place}}}" for place in known)
        )
    return PromptFile(name, content)
