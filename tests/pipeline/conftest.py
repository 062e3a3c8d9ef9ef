from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config import Preset, load_preset
from tests.pipeline.tiny_preset import write_preset


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def tiny_text(tiny_folder: Path) -> str:
    """Location of a tiny language model beside the preset."""
    from tests.models.text.tiny_text import save_tiny

    save_tiny(tiny_folder / "text", max_position_embeddings=2048)
    return "./text"


@pytest.fixture
def tiny(tiny_folder: Path) -> Callable[..., Preset]:
    """`tiny(loop={"images": 2})` → a preset on tiny checkpoints, made once a session."""

    def make(**sections: object) -> Preset:
        return load_preset(str(write_preset(tiny_folder, **sections)))  # type: ignore[arg-type]

    return make


@pytest.fixture
def published(tiny: Callable[..., Preset]) -> Iterator[Callable[..., Preset]]:
    """`published({statement: probability}, judge=…)` → a tiny preset with a scorer that answers these numbers."""
    from tests.models.told_backends import registered, with_scorer

    def make(
        answers: dict[str, float],
        others: tuple[float, float] = (0.2, 0.2),
        revision: str = "1",
        **sections: object,
    ) -> Preset:
        return with_scorer(tiny(**sections), answers, others, revision)

    with registered():
        yield make
