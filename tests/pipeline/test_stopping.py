"""Stopping the loop: what pause and finish mean, and that no brief is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from models.protocols import Step, Stopped
from pipeline.brief import Brief, Limits
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.events import Attempt, Event, Outcome, Started
from pipeline.loop import run
from pipeline.stopping import Stop
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]
BRIEFS = [Brief(text=text, seed=i) for i, text in enumerate(("a cat", "two dogs", "a red apple"))]


def stop_at(preset: Preset, step: int, act: Callable[[Stop], None]) -> tuple[list[Event], list[Step], Stop]:
    """Run the briefs; `act` on the stop at the given denoising step, counted over the whole run."""
    stop, steps = Stop(), list[Step]()

    def on_step(done: Step) -> None:
        steps.append(done)
        if len(steps) == step:
            act(stop)

    return list(run(BRIEFS, preset, load(preset), on_step, stop=stop)), steps, stop


def of(kind: type[Event], events: Sequence[Event]) -> list[int]:
    return [event.brief for event in events if isinstance(event, kind)]


@pytest.fixture
def preset(tiny: Tiny) -> Preset:
    """Three briefs, two together; two steps an image, one image a batch."""
    return tiny(judge=NEVER_PASS, loop={"images": 4, "together": 2}, settings={"max_batch": 1})


def test_finish_ends_every_brief_under_way_with_what_it_has(preset: Preset) -> None:
    events, steps, _ = stop_at(preset, 5, Stop.finish)  # the first image of the second attempt
    assert len(steps) == 5
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert [o.brief for o in outcomes] == [0, 1]
    assert all(o.images == 1 and o.best is not None for o in outcomes)
    assert {o.reason for o in outcomes} == {"stopped by the user before the budget was spent"}


def test_finish_while_the_first_image_is_painted_ends_with_nothing(preset: Preset) -> None:
    events, _, _ = stop_at(preset, 1, Stop.finish)
    assert of(Started, events) == [0, 1]
    attempts = [event for event in events if isinstance(event, Attempt)]
    assert [len(a.candidates) for a in attempts] == [0, 0]
    assert all(call.error == "Stopped: " for a in attempts for call in a.calls)
    assert [e.best for e in events if isinstance(e, Outcome)] == [None, None]


def test_pause_completes_the_batch_in_hand_and_ends_no_brief(preset: Preset) -> None:
    events, steps, stop = stop_at(preset, 5, Stop.pause)
    assert [step.index for step in steps] == [1, 2, 1, 2, 1, 2]
    assert of(Attempt, events) == [0, 1]
    assert of(Outcome, events) == []
    assert stop.pausing


def test_pause_at_the_step_completes_nothing(preset: Preset) -> None:
    _, steps, _ = stop_at(preset, 5, lambda stop: stop.pause(at_step=True))
    assert [step.index for step in steps] == [1, 2, 1, 2, 1]


def test_finish_overrides_pause(preset: Preset) -> None:
    def both(stop: Stop) -> None:
        stop.pause()
        stop.finish()

    events, _, _ = stop_at(preset, 5, both)
    assert of(Outcome, events) == [0, 1]


def test_waiting_briefs_run_after_the_time_of_a_wave_is_over(tiny: Tiny) -> None:
    """The first two briefs have no time at all; the third, which waits meanwhile, has as much as it wants."""
    preset = tiny(judge=NEVER_PASS, loop={"images": 2, "together": 2})
    briefs = [b.model_copy(update={"limits": Limits(seconds=1e-6)}) for b in BRIEFS[:2]] + BRIEFS[2:]
    outcomes = [e for e in run(briefs, preset, load(preset)) if isinstance(e, Outcome)]
    assert [o.brief for o in outcomes] == [0, 1, 2]
    assert [o.images for o in outcomes] == [0, 0, 2]


def test_waiting_briefs_run_after_painting_was_stopped(tiny: Tiny) -> None:
    """As when the clock of the first brief runs out at a step."""
    preset, cut = tiny(judge=NEVER_PASS, loop={"images": 2, "together": 1}), list[Step]()

    def on_step(step: Step) -> None:
        if not cut:
            cut.append(step)
            raise Stopped

    events = run(BRIEFS[:2], preset, load(preset), on_step)
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert [o.brief for o in outcomes] == [0, 1]
    assert [o.images for o in outcomes] == [0, 2]
