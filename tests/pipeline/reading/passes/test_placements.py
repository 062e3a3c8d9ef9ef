"""Relations between objects."""

from __future__ import annotations

import pytest

from pipeline.reading.finding import Found
from pipeline.reading.passes.placements import placements
from pipeline.reading.sentence import Context
from tests.pipeline.reading.passes.reading import lines, sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat left of two red dogs", "cat left of dog"),
        ("left of the dog is a cat", "cat left of dog"),
        ("to the left of a dog, a cat", "cat left of dog"),
        ("a dog, and to the left of it a cat", "cat left of dog"),
        ("a cat next to a dog, to the left of it", "cat left of dog"),
        ("a cat next to a dog, on its left", "cat left of dog"),
        ("a dog with a cat on its left", "cat left of dog"),
        ("on the left a cat, on the right a dog", "cat left of dog"),
        ("a cat left, a dog right", "cat left of dog"),
        ("a dog below, a cat above", "dog below cat"),
        ("a cat, a dog in the middle and a bee on the right", "other bee on the right"),
        ("a cat on the left, a dog in the middle and a bee on the right", "cat left of bee"),
        ("a cat, on the left I want it to be a dog", "dog left of cat"),
        ("a dog above the picture", "other dog above"),
        ("a cat next to a dog, on the left a bee", "other bee on the left"),
        ("a cat on a car", "cat above car"),
        ("a cat, on a car", ""),
        ("a cat on a hill", ""),
        ("a cat beside a dog", ""),
        ("a cat left of a cat", ""),
    ],
)
def test_in_one_sentence(text: str, found: str) -> None:
    assert lines(placements, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it is on the left of the dog", "cat left of dog"),
        ("it is on the left", "dog left of cat"),
        ("under this, a bee", "bee below dog"),
        ("a bee to the left of it", "bee left of dog"),
    ],
)
def test_of_objects_named_before(text: str, found: str) -> None:
    assert lines(placements, text, Context(objects=["cat", "dog"])) == found


def test_a_side_waits_for_the_other_object() -> None:
    context = Context()
    context.found += placements(sentence("a turtle on the left"), context)
    waiting = Found("other", value="turtle on the left", at=2)
    assert (context.found, context.unplaced) == ([waiting], {"turtle": waiting})
    context.mention(["turtle"])
    found = placements(sentence("a snail on the right"), context)
    assert (found, context.found, context.unplaced) == (
        [Found("relation", "snail", "right", "turtle", 2)],
        [],
        {},
    )
