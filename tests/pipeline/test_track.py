"""What a brief tries next."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from pipeline.brief import Brief, Reading
from pipeline.budget import Budget
from pipeline.config import Preset
from pipeline.events import Started
from pipeline.judging.verdict import INTACT, Check, Verdict
from pipeline.painting.image import Candidate, Plan
from pipeline.painting.prompt import Prompt
from pipeline.track import Track


def _failed(track: Track, colour: str) -> None:
    """Add a picture of one colour that fails."""
    name = f"{len(track.attempts) + 1}-1"
    plan = Plan(prompt=Prompt(text="a cat", origin="user"), seed=len(track.attempts))
    image = Image.new("RGB", (8, 8), colour)
    candidate = Candidate(id=name, plan=plan, settings={}, model="m", revision="r", image=image)
    check = Check(requirement=INTACT, probability=0.1, outcome="fail", judge="j", reason="smeared")
    track.add([candidate], [Verdict(candidate=name, checks=(check,), gate="fail", score=0.1)])


def test_a_seed_that_changes_no_pixel_is_not_tried_again(tiny: Callable[..., Preset]) -> None:
    preset = tiny(loop={"images": 20})
    for colours, again in ((("red", "blue", "green", "gray"), True), (("red", "red", "red", "red"), False)):
        started = Started(
            brief=0, given=Brief(text="a cat"), reading=Reading(requirements=(), reader="rules"), calls=()
        )
        track = Track(started, Budget(preset.loop.batch).open("brief", preset.loop), preset)
        for colour in colours:
            _failed(track, colour)
        assert "reseed" in [attempt.change.action for attempt in track.attempts]
        assert ("reseed" not in track.useless) is again
