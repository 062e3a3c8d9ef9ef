"""Names, headings and askers are not drawn."""

from __future__ import annotations

import pytest

from pipeline.reading.lexicon import tokens
from pipeline.reading.names import marked_names, plainly_written
from pipeline.reading.requirements import to_line
from pipeline.reading.rules import found_in
from tests.pipeline.reading.passes.reading import RANGE


def named(text: str) -> str:
    line = tokens(text, RANGE)
    marks = marked_names(line, plainly_written(line))
    return " ".join(token.written for token, is_name in zip(line, marks, strict=True) if is_name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from The Red Lion in Leeds, a cat", "The Red Lion in Leeds"),
        ("Fox & Crown Primary, a cat", "Fox & Crown Primary"),
        ("my mate Duck wants a ring", "my mate Duck"),
        ("a frog for Mr. Fox", "Mr Fox"),
        ("two cats, kind regards, Emma Bell", "Emma Bell"),
        ("for year 3, three pencils", "year 3"),
        ("Rainbow nursery: a teddy bear", "Rainbow nursery"),
        ("The horse riding school needs a trophy", "The horse riding school"),
        ("Background: red, a cat", ""),
        ("three balloons: red, green and blue", ""),
        ("Draw: a cat", ""),
        ("The cat needs a crown", ""),
        ("A Cat Left Of A Dog", ""),
        ("a Polar bear and a cat", ""),
    ],
)
def test_names(text: str, names: str) -> None:
    assert named(text) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Crab Shack: a whale on white", "whale; background white"),
        ("Mr. Fox's birthday: a birthday cake, green background", "birthday cake; background green"),
        ("Blue Whale swimming school: a duck on white", "duck; background white"),
        ("Church of the Holy Heart: a candle on black", "candle; background black"),
        ("My dog loves his ball, but the picture should only show a bear on blue", "bear; background blue"),
        ("Taco Tuesday! Show a cup with a straw on orange.", "cup with straw; background orange"),
        ("Three years ago you did a bear for us. This time a tractor.", "tractor"),
        ("A vets' practice that mostly sees dogs wants a heart", "heart"),
        ("It's raining cats and dogs, so we need an umbrella", "umbrella"),
        ("The Tulips choir would like one bell", "1 bell"),
    ],
)
def test_what_they_name_is_not_wanted(text: str, expected: str) -> None:
    assert {to_line(item) for item in found_in(text, RANGE)} == set(expected.split("; "))


def test_a_name_that_is_all_there_is_is_wanted() -> None:
    found = {to_line(item) for item in found_in("Mickey Mouse on red", RANGE)}
    assert found == {"mickey mouse", "background red"}
