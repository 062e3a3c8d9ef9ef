"""The registry: from a spec's `kind` to the backend that runs it, imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from models.protocols import DependencyMissing, ImageModel, ModelError, Scorer, TextModel
from models.specs import Spec

Factory = Callable[[Any, Path], Any]

# What to install for a module, where the two names differ.
_DISTRIBUTIONS = {"open_clip": "open_clip_torch", "PIL": "pillow", "yaml": "pyyaml"}


def backend(module: str) -> Factory:
    """A factory that imports `module` when it is called and hands spec and base to its `load`."""

    def factory(spec: Any, base: Path) -> Any:
        try:
            return import_module(module).load(spec, base)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in {"", "models"}:
                raise  # a fault of ours, not of the installation
            raise DependencyMissing(
                f"`kind: {spec.kind}` needs the package {missing}, which is not installed; install it with: "
                f"pip install {_DISTRIBUTIONS.get(missing, missing)}"
            ) from error

    return factory


TEXT: dict[str, Factory] = {
    "transformers": backend("models.text.hf_text"),
    "server": backend("models.text.server_text"),
}
IMAGE: dict[str, Factory] = {
    "diffusers": backend("models.image.diffusers_image"),
}
SCORER: dict[str, Factory] = {
    "open_clip": backend("models.scorer.open_clip_scorer"),
}


def load_text(spec: Spec, base: Path) -> TextModel:
    """The text model of a spec; relative folders in it start at `base`, the preset's folder."""
    model: TextModel = _factory(TEXT, "text", spec)(spec, base)
    return model


def load_image(spec: Spec, base: Path) -> ImageModel:
    """The image model of a spec; relative folders in it start at `base`, the preset's folder."""
    model: ImageModel = _factory(IMAGE, "image", spec)(spec, base)
    return model


def load_scorer(spec: Spec, base: Path) -> Scorer:
    """The scorer of a spec; relative folders in it start at `base`, the preset's folder."""
    model: Scorer = _factory(SCORER, "scorer", spec)(spec, base)
    return model


def _factory(table: Mapping[str, Factory], section: str, spec: Spec) -> Factory:
    kind = str(getattr(spec, "kind", None))
    if kind not in table:
        raise ModelError(f"Unknown {section} kind {kind!r}; known are: {', '.join(sorted(table))}.")
    return table[kind]
