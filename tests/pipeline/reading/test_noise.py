"""Talk that asks for nothing, and what is left of a sentence without it."""

from __future__ import annotations

import pytest

from pipeline.reading.lexicon import tokens
from pipeline.reading.noise import without_noise
from pipeline.reading.requirements import to_line
from pipeline.reading.rules import found_in
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import RANGE


def left(text: str) -> str:
    """The words that still may be wanted, marks apart."""
    before = tokens(text, RANGE)
    after = without_noise(before)
    assert [token.text for token in after] == [token.text for token in before]
    marks = (Tag.COMMA, Tag.SEMICOLON, Tag.COLON)
    return " ".join(
        token.text for token in after if token.tag is not Tag.NOT_DRAWN and token.tag not in marks
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # for whom it is
        ("a cat for our pet shop", "a cat"),
        ("a cat for the website of our music school", "a cat"),
        ("looking for a cat", "looking for a cat"),
        ("a cat for a flat look", "a cat for a flat look"),
        # what for
        ("a cat to celebrate our bee festival", "a cat"),
        ("we would like to see our cat", "we would like to see our cat"),
        # statements
        ("We sell bicycles", ""),
        ("We are a bakery, draw a croissant", "draw a croissant"),
        ("our customers love dogs; a cat", "a cat"),
        ("we will open a cat cafe", ""),
        ("we need a cat", "we need a cat"),
        ("our logo with a lion", "our with a lion"),
        # what the business is about
        ("pizza night, a cat", "a cat"),
        ("a cat poster", "a cat"),
        ("the cat left, the dog right", "the cat the dog"),
        ("see it at the cat show", "see it at the"),
        # names
        ("called The Lion", ""),
        # asking for a sketch
        ("sketch a fox", "a fox"),
        ("a sketch of a fox", "a of a fox"),
        ("a fox in sketch style", "a fox in sketch"),
    ],
)
def test_what_is_left(text: str, wanted: str) -> None:
    assert left(text) == wanted


def lines(text: str) -> set[str]:
    return {to_line(item) for item in found_in(text, RANGE)}


@pytest.mark.parametrize(
    "text", ["Four hearts. They are all pink.", "Four hearts. They should be pink, thanks"]
)
def test_what_things_look_like_is_no_talk_about_people(text: str) -> None:
    assert "heart is pink" in lines(text)


def test_what_people_are_is_talk() -> None:
    assert lines("Our kids love cats. They are five years old. A dog on red.") == {"dog", "background red"}
