"""What must not show."""

from __future__ import annotations

import pytest

from pipeline.reading.passes.absences import absences
from pipeline.reading.sentence import Context
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import lines, sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat and no text", "no text"),
        ("a cat without any red dogs", "no dog"),
        ("no palm tree", "no palm tree"),
        ("no two dogs", "no dog"),
        ("no dogs or people", "no dog; no people"),
        ("no dogs and people", "no dog; no people"),
        ("no dogs, cats or people", "no dog; no cat; no people"),
        ("without text, dogs or people", "no text; no dog; no people"),
        ("people must not appear", "no people"),
        ("keep text out of it", "no text"),
        ("my boss never wants to see the crown again", "no crown"),
        ("motorcycles have no place here", "no motorcycle"),
        ("I do not want it in cartoon style", "other no cartoon"),
        ("leave dogs and text out", "no dog; no text"),
        ("no cartoon look", "other no cartoon"),
        ("no red", "other no red"),
        ("an owl that is not brown", "other not brown"),
    ],
)
def test_what_must_not_show(text: str, found: str) -> None:
    assert lines(absences, text) == found


@pytest.mark.parametrize(
    "text",
    ["a cat", "no background", "no rush", "no problem", "it should not be boring but calm"],
)
def test_what_forbids_nothing(text: str) -> None:
    assert lines(absences, text) == ""


@pytest.mark.parametrize("text", ["no dogs and a cat", "no dogs and text background", "no dogs, a cat"])
def test_a_list_ends_where_something_is_wanted(text: str) -> None:
    assert lines(absences, text) == "no dog"


def test_what_is_read_is_used() -> None:
    words = sentence("a cat without dogs or people on red")
    absences(words, Context())
    assert words.tags == [
        Tag.DETERMINER, Tag.OBJECT, *[Tag.USED] * 4, Tag.ON, Tag.COLOUR,
    ]  # fmt: skip
