"""The presets that the app offers: the bundled ones, and files that its owner named with `easel ui --preset`.

Whoever uses the app chooses one by name. A path that comes over HTTP is never opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Preset, available, load_preset, unknown_preset
from pipeline.errors import ConfigError

_files: dict[str, str] = {}  # name → path of the owner's own presets


def configure(files: Sequence[Path]) -> None:
    """Offer the owner's files too, each by its stem. Raises ConfigError for one that cannot be used."""
    _files.clear()
    for path in files:
        name = load_preset(str(path)).name
        if name in available() or name in _files:
            raise ConfigError(f"--preset {path}: there is another preset named {name}; rename the file")
        _files[name] = str(path.resolve())


def names() -> list[str]:
    return sorted([*available(), *_files])


def location(name: str) -> str:
    """What `load_preset` takes for an offered preset. Raises ConfigError for any other."""
    if name in _files.values():  # of a job that was queued before
        return name
    if name not in names():
        raise ConfigError(
            f"{unknown_preset(name, names())}; the owner of the app adds others with `easel ui --preset FILE`"
        )
    return _files.get(name, name)


def named(name: str) -> Preset:
    """An offered preset. Raises ConfigError for any other."""
    return load_preset(location(name))


def name_of(place: str) -> str:
    """The name of a preset by its name or location."""
    return next((name for name, path in _files.items() if path == place), place)
