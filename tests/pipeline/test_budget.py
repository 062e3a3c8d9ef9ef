"""Budgets: what each limit allows, in words and in the loop, on tiny real models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from models.protocols import Step
from pipeline.brief import Brief, Limits
from pipeline.budget import Budget
from pipeline.calls.load import load
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome
from pipeline.loop import run
from tests.pipeline.test_loop import NEVER_PASS, play

Tiny = Callable[..., Preset]


def image_call(images: int = 1, steps: int = 8, seconds: float = 2.0, **more: Any) -> Call:
    return Call(
        stage="image", model={"name": "tiny"}, started=datetime.now(UTC), seconds=seconds,
        inputs=({},) * images, outputs=({"steps": steps},) * images, **more,
    )  # fmt: skip


def test_a_call_is_charged_to_every_scope_around_it() -> None:
    batch = Budget(Limits())
    briefs = [batch.open("brief", Limits()) for _ in range(2)]
    attempt = briefs[0].open("attempt", Limits())
    attempt.charge([image_call(2, joules=5.0, money=0.25)])
    briefs[1].charge([image_call(1, joules=1.0, money=0.5)])
    assert (attempt.used.images, attempt.used.image_steps) == (2, 16)
    assert (briefs[0].used.images, briefs[1].used.images, batch.used.images) == (2, 1, 3)
    assert (batch.used.joules, batch.used.money, batch.used.image_steps) == (6.0, 0.75, 24)
    assert not batch.used.measured


@pytest.mark.parametrize(
    ("limits", "room", "says"),
    [
        ({}, 4, None),
        ({"images": 3}, 2, None),
        ({"images": 1}, 0, "all 1 images of the brief's budget are painted"),
        ({"image_steps": 31}, 2, None),
        ({"image_steps": 15}, 0, "the 15 image-steps of the brief's budget leave no room (8 used; another"),
        ({"money": 0.5}, 1, None),
        ({"money": 0.4}, 0, "the 0.4 EUR of the brief's budget leave no room"),
        ({"money": 0.2}, 0, "the 0.2 EUR of the brief's budget are used"),
        ({"joules": 30}, 2, None),
        ({"joules": 19}, 0, "the 19 joules"),
        ({"seconds": 5}, 2, None),
        ({"seconds": 1.5}, 0, "the 1.5 seconds"),
        ({"tokens": 1}, 4, None),
    ],
)  # fmt: skip
def test_room_is_the_least_that_any_limit_allows(
    limits: dict[str, float], room: int, says: str | None
) -> None:
    """One image of 8 steps, 2 seconds, 10 joules and 0.25 money is painted; what else may be?"""
    brief = Budget(Limits()).open("brief", Limits(**limits))  # type: ignore[arg-type]
    brief.charge([image_call(joules=10.0, money=0.25)])
    attempt = brief.open("attempt", Limits())
    assert attempt.room(4, 8) == room
    lacks = attempt.lacks(8)
    assert (lacks is None) == (room > 0)
    if says:
        assert says in str(lacks)


def test_each_painter_has_its_own_pace() -> None:
    brief = Budget(Limits()).open("brief", Limits(seconds=1_000, money=2.0))
    brief.charge([image_call(steps=4, seconds=2.0, money=0.25)])
    # Nothing is known of the larger one yet: its steps cost as much as those of the usual one.
    assert brief.room(9, 8, 1) == 3
    brief.charge([image_call(steps=8, seconds=40.0, money=1.0)], 1)
    assert brief.room(9, 4) == 3
    assert brief.room(9, 8, 1) == 0
    assert brief.lacks(8) is None
    assert "the 2 EUR of the brief's budget leave no room" in str(brief.lacks(8, 1))
    assert brief.open("attempt", Limits()).expected("seconds", 8, 1) == 40.0


def test_budget_reserved_for_one_brief_is_not_available_to_another() -> None:
    batch = Budget(Limits(images=3))
    first, second = batch.open("brief", Limits()), batch.open("brief", Limits())
    assert first.room(2, 8) == 2
    first.promise(images=2)
    assert second.room(2, 8) == 1
    first.charge([image_call(1)])
    first.settle()
    assert second.room(2, 8) == 2


def test_tokens_are_checked_before_a_call() -> None:
    brief = Budget(Limits()).open("brief", Limits(tokens=300))
    assert brief.lacks_tokens(300) is None
    assert "a text call may take 301" in str(brief.lacks_tokens(301))


def test_a_briefs_limits_override_the_presets() -> None:
    limits = Limits(images=2).over(Limits(images=6, tokens=100))
    assert limits == Limits(images=2, tokens=100)


def test_image_steps_are_never_exceeded(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 50, "image_steps": 9, "images_per_attempt": 3})
    _, attempts, outcomes = play(preset, ["a cat"])
    assert [len(a.candidates) for a in attempts] == [3, 1]  # of two steps each; the ninth step is of no use
    assert outcomes[0].image_steps == 8
    assert outcomes[0].status == "exhausted"
    assert "the 9 image-steps of the brief's budget" in outcomes[0].reason
    assert outcomes[0].best is not None


def test_a_batch_shares_its_budget(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 9, "batch": {"images": 5}})
    _, _, outcomes = play(preset, ["a cat", "a dog", "a bus"])
    assert sum(o.images for o in outcomes) == 5
    assert all("of the batch's budget" in o.reason for o in outcomes)
    assert all(o.best for o in outcomes)


def test_an_attempt_has_limits_of_its_own(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 4, "images_per_attempt": 4, "attempt": {"images": 2}})
    _, attempts, outcomes = play(preset, ["a cat"])
    assert [len(a.candidates) for a in attempts] == [2, 2]
    _, attempts, outcomes = play(tiny(judge=NEVER_PASS, loop={"attempt": {"image_steps": 1}}), ["a cat"])
    assert attempts == []
    assert outcomes[0].reason == (
        "the 1 image-steps of the attempt's budget leave no room (0 used; another image takes 2); nothing was painted"
    )


def test_money_and_joules_follow_the_seconds_of_model_calls(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3}, machine={"price": 36.0, "watts": 100})
    _, attempts, outcomes = play(preset, ["a cat"])
    calls = [call for a in attempts for call in a.calls]
    assert outcomes[0].money == pytest.approx(sum(call.seconds for call in calls) * 36 / 3600)
    assert outcomes[0].joules == pytest.approx(sum(call.joules for call in calls))
    assert outcomes[0].joules == pytest.approx(100 * sum(call.seconds for call in calls), rel=0.05)
    assert not outcomes[0].measured
    least = calls[0].seconds / 100  # EUR, at the price below: a hundred times less than one image costs
    limited = tiny(judge=NEVER_PASS, loop={"images": 9, "money": least}, machine={"price": 3600.0})
    _, attempts, outcomes = play(limited, ["a cat"])
    assert len(attempts) == 1
    assert "EUR of the brief's budget are used" in outcomes[0].reason


def test_without_enough_tokens_the_rules_read(tiny: Tiny, tiny_text: str) -> None:
    preset = tiny(
        judge=NEVER_PASS, loop={"images": 1, "reader": "model", "tokens": 20}, text={"model": tiny_text}
    )
    started, attempts, _ = play(preset, ["a cat"])
    assert started[0].reading.reader == "rules"
    assert "the 20 tokens of the brief's budget leave no room" in str(started[0].reading.degraded)
    assert attempts[0].calls[0].stage == "image"
    assert started[0].calls == ()


def test_a_time_limit_stops_an_image_being_painted(tiny: Tiny) -> None:
    """A clock that jumps while the second image is painted."""
    preset = tiny(judge=NEVER_PASS, loop={"images": 9, "seconds": 1000})
    budget, painted = Budget(preset.loop.batch), 0
    scopes: list[Budget] = []
    opened = budget.open

    def open_and_remember(name: Any, limits: Limits) -> Budget:
        scopes.append(opened(name, limits))
        return scopes[-1]

    budget.open = open_and_remember  # type: ignore[method-assign]

    def on_step(step: Step) -> None:
        nonlocal painted
        painted += step.index == 1
        if painted == 2:
            scopes[0].started -= 2000

    events = list(run([Brief(text="a cat")], preset, load(preset), on_step, budget))
    attempts = [e for e in events if isinstance(e, Attempt)]
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert [len(a.candidates) for a in attempts] == [1, 0]  # the second was cut short
    assert outcome.status == "exhausted"
    assert "the 1000 seconds of the brief's budget are over" in outcome.reason
    assert outcome.best is not None
