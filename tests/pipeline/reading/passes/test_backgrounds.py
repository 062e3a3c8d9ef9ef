"""Backgrounds: each form that the rules know, alone."""

from __future__ import annotations

import pytest

from pipeline.reading.finding import Found
from pipeline.reading.passes.backgrounds import backgrounds
from pipeline.reading.sentence import Context
from tests.pipeline.reading.passes.reading import lines, sentence


@pytest.mark.parametrize(
    "text",
    [
        "a cat on a plain pink background",
        "a pink colour backdrop",
        "the background should be pink",
        "background colour: pink",
        "colour of the background, pink",
        "a cat with a soft pink behind it",
        "pink behind them",
        "pink as the background",
        "behind it, a pale pink",
        "pink for the background",
        "on a sheet of pink",
        "background: paint pink",
        "a cat on plain pink",
        "a cat is on a pink card",
    ],
)
def test_a_colour(text: str) -> None:
    assert lines(backgrounds, text) == "background pink"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on black and white", "background black and white"),
        ("on a red or orange background", "background red or orange"),
        ("a red, green and blue backdrop", "background red and green and blue"),
    ],
)
def test_several_colours_are_one_background(text: str, found: str) -> None:
    assert lines(backgrounds, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("with a city skyline in the background", "city skyline"),
        ("a cat on a gradient background", "gradient"),
        ("gradient background, a cat", "gradient"),
        ("background: a city skyline", "city skyline"),
        ("a cat on a sunny beach", "sunny beach"),
        ("behind, a forest", "forest"),
    ],
)
def test_words_are_guesses(text: str, found: str) -> None:
    assert lines(backgrounds, text) == f"? background {found}"


@pytest.mark.parametrize("text", ["a pink cat", "on a pink chair", "a cat in pink"])
def test_a_colour_of_something_else(text: str) -> None:
    assert lines(backgrounds, text) == ""


def test_in_no_known_form_it_is_the_nearest_free_colour() -> None:
    text = "the red cat, pink goes well in the backdrop"
    assert lines(backgrounds, text) == "background pink"
    known = Context(found=[Found("background", value="blue")])
    assert lines(backgrounds, text, known) == ""


def test_the_colour_is_used() -> None:
    words = sentence("an orange crab on orange")
    backgrounds(words, Context())
    assert [token.text for token, tag in zip(words.tokens, words.tags, strict=True) if tag is token.tag] == [
        "an", "orange", "crab",
    ]  # fmt: skip
