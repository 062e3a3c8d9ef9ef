"""The loop on tiny real models: what it promises whatever the models answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.protocols import Step, Stopped
from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started
from pipeline.loop import run
from pipeline.painting.image import seeds
from tests.models.image.tiny_image import MAKERS

# Random models never mean what they score; the bands decide what the loop sees.
ALWAYS_PASS = {"default": {"pass": 0.0, "fail": 0.0}}
NEVER_PASS = {"default": {"pass": 1.0, "fail": 0.999}}
ALWAYS_UNSURE = {"default": {"pass": 1.0, "fail": 0.0}}
BUNDLED = "package:models/mini/range.json"  # the range of the bundled painter
Tiny = Callable[..., Preset]


def play(
    preset: Preset, texts: list[str], seed: int = 7
) -> tuple[list[Started], list[Attempt], list[Outcome]]:
    events = list(run([Brief(text=text, seed=seed) for text in texts], preset, load(preset)))
    return (
        [e for e in events if isinstance(e, Started)],
        [e for e in events if isinstance(e, Attempt)],
        [e for e in events if isinstance(e, Outcome)],
    )


def test_stops_at_the_first_candidate_that_passes(tiny: Tiny) -> None:
    started, attempts, outcomes = play(tiny(judge=ALWAYS_PASS), ["a red apple on a white background"])
    assert [r.kind for r in started[0].reading.requirements]
    assert len(attempts) == 1
    assert outcomes[0].status == "accepted"
    assert outcomes[0].images == 1
    assert attempts[0].next is None


def prompts(attempts: Sequence[Attempt]) -> list[tuple[str, str, str]]:
    """Action, origin and text of each picture's prompt, without what the seed chose."""
    return [
        (a.change.action, c.plan.prompt.origin, c.plan.prompt.written.text)
        for a in attempts
        for c in a.candidates
    ]


def test_a_brief_is_written_as_a_prompt_and_the_users_words_come_second(tiny: Tiny) -> None:
    brief = "We need a sticker: three apples, please!"
    _, attempts, outcomes = play(tiny(judge=NEVER_PASS, range=BUNDLED), [brief])
    first, second, third = prompts(attempts)
    assert first == ("start", "template", "three apples")
    assert second == ("own words", "user", brief)
    assert third[:2] == ("rephrase", "template")
    assert attempts[1].change == attempts[0].next
    assert outcomes[0].status == "exhausted"
    assert "three apples" in outcomes[0].reason


def test_where_anything_may_be_asked_for_the_brief_is_painted_first(tiny: Tiny) -> None:
    brief = "We need a sticker: three apples in a hailstorm, please!"
    _, attempts, _ = play(tiny(judge=NEVER_PASS), [brief])
    assert prompts(attempts)[0] == ("start", "user", brief)
    assert "own words" not in {a.change.action for a in attempts}


def test_words_that_are_a_prompt_are_painted_as_they_are(tiny: Tiny) -> None:
    brief = "a red apple on a white background"
    _, attempts, _ = play(tiny(judge=NEVER_PASS, loop={"images": 2}), [brief])
    assert prompts(attempts)[0] == ("start", "user", brief)
    assert attempts[1].change.action == "rephrase"


def test_an_attempt_with_room_for_two_paints_the_users_words_beside_the_prompt(tiny: Tiny) -> None:
    brief = "We need a sticker: three apples, please!"
    preset = tiny(judge=NEVER_PASS, loop={"images": 3, "images_per_attempt": 2}, range=BUNDLED)
    _, attempts, _ = play(preset, [brief])
    assert [text for _, _, text in prompts(attempts)][:2] == ["three apples", brief]
    assert "own words" not in {a.change.action for a in attempts}


def test_words_that_name_what_must_not_show_are_never_painted(tiny: Tiny) -> None:
    _, attempts, _ = play(tiny(judge=NEVER_PASS, loop={"images": 6}), ["three apples, no dogs please"])
    assert all("dog" not in text for _, _, text in prompts(attempts))


def test_a_painter_whose_seeds_do_not_differ_gets_no_second_seed(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, settings={"seeds_differ": False}, loop={"images": 9}, range=BUNDLED)
    brief = "We need a sticker: three apples on white, flat style, please!"
    _, attempts, outcomes = play(preset, [brief])
    keys = [(c.plan.prompt.text, c.plan.steps) for a in attempts for c in a.candidates]
    assert len(keys) == len(set(keys)) < 9
    assert [a.change.action for a in attempts] == ["start", "own words", "guide"]
    assert "nothing is left to try" in outcomes[0].reason
    assert outcomes[0].status == "exhausted"


def test_another_seed_chooses_another_style_where_the_brief_names_none(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, settings={"seeds_differ": False}, loop={"images": 9}, range=BUNDLED)
    _, attempts, _ = play(preset, ["three apples on white"])
    painted = [c.plan.prompt for a in attempts for c in a.candidates]
    reseeded = next(a.candidates[0].plan.prompt for a in attempts if a.change.action == "reseed")
    before = [
        prompt.chosen for prompt in painted if prompt.written == reseeded.written and prompt != reseeded
    ]
    assert {reseeded.chosen, *before} == {", flat style", ", cartoon style"}
    texts = [(c.plan.prompt.text, c.plan.steps) for a in attempts for c in a.candidates]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("brief", ["no text", "without text or a logo"])
def test_a_brief_that_only_rules_out_is_not_painted(tiny: Tiny, brief: str) -> None:
    _, attempts, outcomes = play(tiny(range=BUNDLED), [brief])
    assert not attempts
    assert outcomes[0].status == "failed"
    assert "says only what must not show" in outcomes[0].reason


def test_runs_with_neighbouring_seeds_share_no_picture(tiny: Tiny) -> None:
    preset, brief = tiny(judge=NEVER_PASS, loop={"images": 4}), "a cat on a blue background"
    made = [
        {c.plan.seed for attempt in play(preset, [brief], seed)[1] for c in attempt.candidates}
        for seed in (0, 1, 2)
    ]
    assert [len(seeds) for seeds in made] == [4, 4, 4]
    assert len(set.union(*made)) == 12


@pytest.mark.parametrize("choices", range(2, 14))
def test_the_pictures_of_a_run_choose_in_turn(choices: int) -> None:
    """A painter with a range chooses by the remainder of the seed."""
    made = seeds(Brief(text="a cat", seed=3), 0, choices)
    assert {seed % choices for seed in made} == set(range(choices))


def test_no_attempt_repeats_an_earlier_one(tiny: Tiny) -> None:
    _, attempts, _ = play(tiny(judge=NEVER_PASS, loop={"images": 9}), ["a cat on a blue background"])
    keys = [c.plan.key for a in attempts for c in a.candidates]
    assert len(keys) == len(set(keys)) == 9
    assert {a.change.action for a in attempts} >= {"start", "rephrase", "reseed", "guide"}


def test_budget_is_hard(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 5, "images_per_attempt": 3})
    _, attempts, outcomes = play(preset, ["a cat"])
    assert [len(a.candidates) for a in attempts] == [3, 2]
    assert outcomes[0].images == 5
    _, attempts, outcomes = play(tiny(judge=NEVER_PASS, loop={"images": 5, "seconds": 1e-6}), ["a cat"])
    assert attempts == []
    assert "seconds" in outcomes[0].reason


def test_the_best_candidate_is_returned_not_the_last(tiny: Tiny) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 6})
    _, attempts, outcomes = play(preset, ["two dogs on a red background"])
    scores = {v.candidate: v.score for a in attempts for v in a.verdicts}
    assert outcomes[0].best is not None
    assert scores[outcomes[0].best.id] == max(scores.values())


def test_an_unsure_candidate_goes_to_a_person_when_the_budget_is_spent(tiny: Tiny) -> None:
    _, attempts, outcomes = play(tiny(judge=ALWAYS_UNSURE, loop={"images": 2}), ["a cat"])
    assert len(attempts) == 2
    assert outcomes[0].status == "needs_review"


def test_a_requirement_that_cannot_be_checked_goes_to_a_person_at_once(tiny: Tiny) -> None:
    _, attempts, outcomes = play(tiny(judge=ALWAYS_PASS), ["a cat. It should feel premium."])
    assert len(attempts) == 1
    assert outcomes[0].status == "needs_review"
    assert "unchecked" in {c.outcome for c in attempts[0].verdicts[0].checks}


def test_a_contradiction_is_found_before_anything_is_painted(tiny: Tiny) -> None:
    started, attempts, outcomes = play(tiny(range=BUNDLED), ["a red apple, and the apple must be blue"])
    assert any(r.flag == "contradiction" for r in started[0].reading.requirements)
    assert attempts == []
    assert outcomes[0].status == "failed"
    assert "contradicts" in outcomes[0].reason


@pytest.mark.parametrize("image", ["sd_tiny_vae", "prx_pixel"])
def test_a_wave_of_four_paints_the_same_as_each_brief_alone(tiny: Tiny, image: str) -> None:
    texts = ["a cat", "two dogs on a red background", "a red apple", "a bus"]
    preset = tiny(image=image, judge=NEVER_PASS, loop={"images": 2})
    together = {(a.brief, c.id): np.asarray(c.image) for a in play(preset, texts)[1] for c in a.candidates}
    assert len(together) == 8
    for i, text in enumerate(texts):
        for attempt in play(preset, [text])[1]:
            for candidate in attempt.candidates:
                assert np.array_equal(together[i, candidate.id], np.asarray(candidate.image))


@pytest.mark.parametrize("scorer", ["clip", "siglip"])
@pytest.mark.parametrize("image", sorted(MAKERS))
def test_every_architecture_goes_through_the_same_loop(tiny: Tiny, image: str, scorer: str) -> None:
    guidance = 0.0 if image == "z_image" else 3.0
    preset = tiny(
        image=image, scorer=scorer, judge=NEVER_PASS, loop={"images": 2}, settings={"guidance": guidance}
    )
    _, attempts, outcomes = play(preset, ["two cats on a red background"])
    assert outcomes[0].status == "exhausted"
    assert [a.change.action for a in attempts] == ["start", "rephrase"]
    checks = attempts[0].verdicts[0].checks
    assert {c.judge for c in checks} == {"pixels", attempts[0].calls[1].model["name"]}
    assert all(0 <= c.probability <= 1 for c in checks if c.probability is not None)


def test_briefs_leave_the_wave_when_they_are_done(tiny: Tiny) -> None:
    texts = ["a cat. It should feel premium.", "a dog"]
    _, attempts, outcomes = play(tiny(judge=NEVER_PASS, loop={"images": 3}), texts)
    assert [o.brief for o in outcomes] == [0, 1] or {o.brief for o in outcomes} == {0, 1}
    assert all(o.images <= 3 for o in outcomes)
    assert sum(len(a.candidates) for a in attempts) == sum(o.images for o in outcomes)


def test_every_call_is_recorded_with_its_brief(tiny: Tiny) -> None:
    _, attempts, _ = play(tiny(judge=NEVER_PASS, loop={"images": 2}), ["a cat", "two dogs"])
    for attempt in attempts:
        stages = [call.stage for call in attempt.calls]
        assert stages == ["image", "scorer"]
        image = attempt.calls[0]
        assert image.inputs[0]["prompt"] == attempt.candidates[0].plan.prompt.text
        assert image.outputs[0]["steps"] >= 2
        assert image.seconds > 0
        assert image.model["revision"]
        assert image.batch == 2


def test_cancel_keeps_what_there_is(tiny: Tiny) -> None:
    preset, painted = tiny(judge=NEVER_PASS, loop={"images": 5}), 0

    def on_step(step: Step) -> None:
        nonlocal painted
        painted += step.index == step.total
        if painted == 2 and step.index == 1:
            raise Stopped

    events = list(run([Brief(text="a cat", seed=1)], preset, load(preset), on_step))
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert "stopped by the user" in outcome.reason
    assert outcome.images == 2
    assert outcome.best is not None


def test_a_broken_image_model_ends_as_failed(tiny: Tiny) -> None:
    preset = tiny(settings={"paint_size": 64})
    events = list(run([Brief(text="a cat", width=64, height=96)], preset, load(preset)))
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.status == "failed"
    assert "64 × 96" in outcome.reason


def test_a_prompt_that_is_cut_is_said_to_be_cut(tiny: Tiny) -> None:
    preset = tiny(loop={"images": 1})
    (attempt,) = (
        e for e in run([Brief(text="many words " * 90)], preset, load(preset)) if isinstance(e, Attempt)
    )
    note = attempt.candidates[0].plan.prompt.note
    assert note.startswith("the image model reads only the first ")
    assert note.endswith(" tokens")


def test_a_run_says_what_its_painter_ignored(tiny: Tiny) -> None:
    preset = tiny(loop={"images": 1}, settings={"guidance": 1.0}, range=BUNDLED)
    brief = Brief(text="a cat without a hat")
    (attempt,) = (e for e in run([brief], preset, load(preset)) if isinstance(e, Attempt))
    (candidate,) = attempt.candidates
    assert candidate.plan.prompt.negative
    assert candidate.plan.prompt.note.endswith("negative prompt ignored by this painter")
    assert candidate.settings["ignored"] == ["negative"]
    assert (candidate.settings["width"], candidate.settings["painted_size"]) == (64, [64, 64])
