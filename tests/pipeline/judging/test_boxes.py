"""What boxes say of requirements."""

from __future__ import annotations

import pytest

from models.protocols import Box, Detection
from pipeline.brief import Requirement
from pipeline.judging.boxes import Boxes, Finding, Instance, between, direction, exactly
from pipeline.judging.routes import combined

LEFT, RIGHT, TOP = (0.0, 0.3, 0.4, 0.7), (0.6, 0.3, 1.0, 0.7), (0.3, 0.0, 0.7, 0.4)


def one(label: str, box: Box = LEFT, score: float = 0.97, crop: float = 0.97, red: float = 0.02) -> Instance:
    """A box, with the probabilities of the detector, and of a judge of its crop."""
    there, clear = (combined("mean", both) or 0.0 for both in ((score, crop), (0.99, crop)))
    return Instance(Detection(label, score, box, unclear=0.01), there, clear, {"r": red})


def about(boxes: Boxes, kind: str, subject: str = "", value: str = "", other: str = "") -> Finding:
    r = Requirement(id="r", kind=kind, subject=subject, value=value, other=other, text="")  # type: ignore[arg-type]
    finding = boxes.about(r)
    assert finding is not None
    return finding


def test_a_thing_is_there_if_detector_and_scorer_agree() -> None:
    assert about(Boxes((one("cat"),)), "object", "cat").probability > 0.9
    assert 0.3 < about(Boxes((one("cat", crop=0.03),)), "object", "cat").probability < 0.7
    assert about(Boxes((one("dog"),)), "object", "cat") == Finding(0.0, "no cats seen")


def test_a_count_holds_for_no_more_and_no_fewer() -> None:
    two = Boxes((one("cat"), one("cat", RIGHT)))
    assert about(two, "count", "cat", "2").probability > 0.9
    for wrong in ("1", "3"):
        assert about(two, "count", "cat", wrong).probability < 0.1
    assert about(two, "count", "cat", "3").saw == "two cats seen"
    doubtful = Boxes((one("cat"), one("cat", RIGHT, score=0.5, crop=0.5)))
    for either in ("1", "2"):
        assert 0.3 < about(doubtful, "count", "cat", either).probability < 0.7


def test_the_chances_of_all_counts_sum_to_one() -> None:
    each = (0.9, 0.4, 0.7)
    chances = [exactly(n, each) for n in range(5)]
    assert sum(chances) == pytest.approx(1)
    assert chances[3] == pytest.approx(0.9 * 0.4 * 0.7)
    assert chances[4] == 0


def test_every_instance_must_have_the_colour() -> None:
    both = Boxes((one("cat", red=0.98), one("cat", RIGHT, red=0.98)))
    assert about(both, "attribute", "cat", "red").probability > 0.9
    half = Boxes((one("cat", red=0.98), one("cat", RIGHT)))
    finding = about(half, "attribute", "cat", "red")
    assert finding.probability < 0.1
    assert finding.saw == "1 of 2 red"


def test_places_follow_from_the_boxes() -> None:
    pair = Boxes((one("cat"), one("dog", RIGHT)))
    assert about(pair, "relation", "cat", "left", "dog").probability > 0.9
    assert about(pair, "relation", "dog", "right", "cat").probability > 0.9
    assert about(pair, "relation", "cat", "above", "dog").probability == 0
    assert "to the left of the dog" in about(pair, "relation", "cat", "above", "dog").saw
    assert direction(TOP, (0.3, 0.5, 0.7, 0.9)) == "above"


def test_what_nobody_asked_for_is_named() -> None:
    boxes = Boxes((one("cat"), one("dog", RIGHT)))
    assert boxes.nothing_else(frozenset(("cat", "dog"))).probability == 1
    finding = boxes.nothing_else(frozenset(("cat",)))
    assert finding.probability < 0.1
    assert finding.saw == "also dog"


def test_a_smear_is_no_whole_thing() -> None:
    clear = Boxes((one("cat"),))
    assert clear.whole().probability > 0.95
    smeared = Boxes((one("cat"), Instance(Detection("unclear", 0.9, RIGHT, unclear=0.9), 0.9, clear=0.1)))
    assert smeared.whole() == Finding(pytest.approx(0.1), "one unclear thing seen", box=RIGHT)
    assert smeared.nothing_else(frozenset(("cat",))).probability == 1


def test_a_fault_that_has_a_place_names_its_box() -> None:
    two = Boxes((one("cat", red=0.98), one("cat", RIGHT, score=0.9)))
    assert about(two, "attribute", "cat", "red").box == RIGHT
    assert about(two, "count", "cat", "1").box == RIGHT  # the less sure one is too many
    assert about(two, "count", "cat", "3").box is None
    assert about(two, "absence", "cat").box == LEFT
    assert about(two, "object", "cat").box is None  # there is nothing to take away
    assert about(two, "relation", "cat", "above", "cat").box is None
    assert Boxes((one("cat"), one("dog", RIGHT))).nothing_else(frozenset(("cat",))).box == RIGHT


@pytest.mark.parametrize("count", [1, 5, 12, 20])
@pytest.mark.parametrize("score", [0.4, 0.6, 0.9])
def test_scores_that_are_no_probabilities_do_not_multiply(count: int, score: float) -> None:
    right = [score] * count
    assert between(count, right) == pytest.approx(score)
    assert between(count, [*right, 0.15]) == pytest.approx(
        score - 0.15
    )  # something else that looks a little like it
    assert between(count + 1, right) == 0.0
    assert between(count - 1, right) == pytest.approx(1 - score if count == 1 else 0.0)
