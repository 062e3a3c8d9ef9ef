"""The colours of objects."""

from __future__ import annotations

import pytest

from pipeline.reading.finding import Found
from pipeline.reading.passes.colours import colours
from pipeline.reading.sentence import Context
from tests.pipeline.reading.passes.reading import lines


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a red cat", "cat is red"),
        ("a black and white paper cat", "cat is black and white"),
        ("the cat should be red", "cat is red"),
        ("cats, all red", "cat is red"),
        ("the cat in red", "cat is red"),
        ("three balloons: red, green and blue", "balloon is red and green and blue"),
        ("a cat, and it is red", "cat is red"),
        ("a cat that is red with a blue dog", "dog is blue; cat is red"),
        ("a bus and a car, both of them blue", "bus is blue; car is blue"),
        ("a bus and a car, blue both", "bus is blue; car is blue"),
        ("a cat, a bus and a car, both blue", "bus is blue; car is blue"),
        ("a cat, a bus and a car, they are blue", "cat is blue; bus is blue; car is blue"),
        ("a cat, a bus and a car, it is blue", "car is blue"),
        ("a cat on red", ""),
    ],
)
def test_of_objects_in_the_sentence(text: str, found: str) -> None:
    assert lines(colours, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("all red", "dog is red"),
        ("make it red", "dog is red"),
        ("colour it red", "dog is red"),
        ("they should all be red", "cat is red; dog is red"),
    ],
)
def test_of_objects_in_the_sentence_before(text: str, found: str) -> None:
    assert lines(colours, text) == ""
    assert lines(colours, text, Context(group=["cat", "dog"])) == found


def test_all_of_several() -> None:
    counted = Context(found=[Found("count", "cat", "3")])
    assert lines(colours, "a dog and three cats, all red", counted) == "cat is red"


@pytest.mark.parametrize(
    ("group", "found"),
    [(["cat"], "cat is black"), (["cat", "dog"], "? other black")],
)
def test_a_colour_alone_after_two_things_is_left_to_a_person(group: list[str], found: str) -> None:
    context = Context(objects=list(group), group=list(group))
    assert lines(colours, "black", context) == found
