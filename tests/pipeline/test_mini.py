"""The bundled preset end to end, on its real weights."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.brief import Brief
from pipeline.calls.load import Models
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.loop import run

BRIEFS = (
    "a panda on a purple background, cartoon style",
    "We would like a puppy on a green backdrop, as a flat sticker, please.",
    "two lemons on a blue background",
    "a crimson bell on white, flat design",
    "a kitty on a blue background, cartoonish",
    "one automobile on a yellow background, flat style",
)


def play(
    mini: tuple[Preset, Models], texts: tuple[str, ...], seed: int = 7
) -> list[Started | Attempt | Outcome]:
    preset, models = mini
    return list(run([Brief(text=text, seed=seed) for text in texts], preset, models))


@pytest.fixture(scope="module")
def played(mini: tuple[Preset, Models]) -> list[Started | Attempt | Outcome]:
    return play(mini, BRIEFS)


def test_every_brief_is_read_by_the_model_and_ends_with_reasons(
    played: list[Started | Attempt | Outcome],
) -> None:
    started = [e for e in played if isinstance(e, Started)]
    outcomes = [e for e in played if isinstance(e, Outcome)]
    assert len(started) == len(outcomes) == len(BRIEFS)
    assert all("rules" in s.reading.reader and "SmolLM2" in s.reading.reader for s in started)
    assert all(o.reason and o.best is not None for o in outcomes)
    assert {r.subject for r in started[1].reading.requirements if r.kind in ("object", "count")} == {"dog"}


def test_what_is_accepted_passed_every_must_have(played: list[Started | Attempt | Outcome]) -> None:
    for outcome in (e for e in played if isinstance(e, Outcome)):
        assert outcome.verdict is not None
        assert (outcome.status == "accepted") == (outcome.verdict.gate == "pass")
        assert outcome.best is not None
        assert outcome.best.image.size == (256, 256)


def test_backgrounds_are_painted_as_asked(played: list[Started | Attempt | Outcome]) -> None:
    """Exact by pixels: the border of each best image lies near the wanted colour."""
    from models.palette import COLOURS

    wanted = ("purple", "green", "blue", "white", "blue", "yellow")
    near = 0
    for colour, outcome in zip(wanted, sorted(outcomes(played), key=lambda o: o.brief), strict=True):
        assert outcome.best is not None
        pixels = np.asarray(outcome.best.image.convert("RGB"), np.float32)
        border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3)])
        near += bool(np.linalg.norm(np.median(border, 0) - np.array(COLOURS[colour])) < 60)
    assert near >= 5


def test_one_and_four_give_the_same_pixels(
    mini: tuple[Preset, Models], played: list[Started | Attempt | Outcome]
) -> None:
    together = {
        (e.brief, c.id): c.image.tobytes() for e in played if isinstance(e, Attempt) for c in e.candidates
    }
    alone = play(mini, BRIEFS[1:2])
    made = {c.id: c.image.tobytes() for e in alone if isinstance(e, Attempt) for c in e.candidates}
    assert made
    assert all(together[1, name] == pixels for name, pixels in made.items())


def test_a_requirement_outside_the_range_is_flagged(mini: tuple[Preset, Models]) -> None:
    started, outcome = play(mini, ("a unicorn on a pink background",))
    assert isinstance(started, Started)
    assert isinstance(outcome, Outcome)
    assert any(r.flag == "outside" for r in started.reading.requirements)
    assert outcome.status == "failed"
    assert outcome.images == 0
    assert "unicorn" in outcome.reason


def outcomes(played: list[Started | Attempt | Outcome]) -> list[Outcome]:
    return [e for e in played if isinstance(e, Outcome)]
