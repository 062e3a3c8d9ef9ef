"""Misspelt words are put right, and no others."""

from __future__ import annotations

import pytest

from pipeline.reading.requirements import to_line
from pipeline.reading.rules import found_in
from pipeline.reading.spelling import respelt
from tests.pipeline.reading.passes.reading import RANGE


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("teh kitten shoud be orange", "the kitten should be orange"),
        ("on a purple backgroud", "on a purple background"),
        ("white backgrnd", "white background"),
        ("an elefant", "an elephant"),
        ("two bicylces", "two bicycles"),
        ("yelow umbrela", "yellow umbrella"),
        ("on the rigth", "on the right"),
        ("icecream", "ice cream"),
        ("a brocoli", "a broccoli"),
        ("lemons on wite", "lemons on white"),  # "wite" is in the word list
    ],
)
def test_corrected(text: str, right: str) -> None:
    assert respelt(text, RANGE) == right


@pytest.mark.parametrize(
    "text",
    [
        "a harbour and a theatre",  # British
        "two sheeps",
        "a flibberwock",  # near nothing
        "our mascot is called Tigr",  # a name
        "dont draw dogs",
        "pls, thx, lol",
        "a car on a cart",
    ],
)
def test_left_alone(text: str) -> None:
    assert respelt(text, RANGE) == text


def test_a_brief_with_errors_is_read() -> None:
    found = {to_line(item) for item in found_in("logo aubergine purple backround flat", RANGE)}
    assert found == {"eggplant", "background purple", "style flat"}
