"""Objects, their counts and looks, and choices between objects."""

from __future__ import annotations

import pytest

from pipeline.reading.passes.objects import alternatives, objects
from pipeline.reading.sentence import Context
from tests.pipeline.reading.passes.reading import lines, sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat", "cat"),
        ("bees", "bee"),
        ("a pair of owls", "2 owl"),
        ("three more big red apples", "3 apple"),
        ("of these four owls", "4 owl"),
        ("two for the three dogs", "3 dog"),
        ("the owls should be three", "owl; 3 owl"),
        ("bees, four of them", "bee; 4 bee"),
        ("a pair of scissors", "scissors"),
        ("two scissors", "2 scissors"),
        ("a smiling striped dog", "dog; dog is striped; dog is smiling"),
        ("a walrus", ""),
        ("a rabbit and another white rabbit", "rabbit; rabbit; other another rabbit"),
        ("a rabbit and another dog", "rabbit; dog"),
        ("a cat and also a dog", "cat; dog"),
    ],
)
def test_objects(text: str, found: str) -> None:
    assert lines(objects, text) == found


@pytest.mark.parametrize("text", ["four of them", "should be four", "exactly four", "four"])
def test_a_count_alone_is_of_the_last_object(text: str) -> None:
    assert lines(objects, text) == ""
    assert lines(objects, text, Context(objects=["cat", "bee"])) == "4 bee"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat or a small dog", "other a cat or a small dog"),
        ("a cat, a dog or a bee", "other a dog or a bee"),
        ("a cat and a dog", ""),
    ],
)
def test_alternatives(text: str, found: str) -> None:
    assert lines(alternatives, text) == found


def test_alternatives_are_no_objects() -> None:
    words = sentence("a bee and no cat or dog, a cat or a dog")
    alternatives(words, Context())
    assert [words.tokens[i].value for i in words.objects()] == ["bee"]
