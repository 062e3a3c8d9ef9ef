"""Numbers that are no plain count."""

from __future__ import annotations

import pytest

from pipeline.reading.numerals import numerals, ungrouped
from tests.pipeline.reading.passes.reading import line


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("two (2) lemons", "two lemons"),
        ("zero dogs", "no dogs"),
        ("2 x apple", "2 apple"),
        ("a bear, x3", "a bear, 3 of them"),
        ("balloons: 3", "3 balloons"),
        ("half red and half blue", "red and blue"),
        ("at least two owls", "2 owls"),
        ("more than two owls", "3 owls"),
        ("fewer than 4 owls", "3 owls"),
        ("no more than four owls", "4 owls"),
        ("between 2 and 4 owls", "2 owls"),
        ("2-4 owls", "2 owls"),
        ("three owls", "three owls"),
    ],
)
def test_as_a_plain_count(text: str, plain: str) -> None:
    assert numerals(text) == (plain, [])


@pytest.mark.parametrize(
    ("text", "rest", "want"),
    [
        ("a clock showing half past three", "a clock  ", "showing half past three"),
        ("a clock at ten past nine", "a clock  ", "at ten past nine"),
        ("a clock at 10:15 pm", "a clock  ", "at 10:15 pm"),
        ("two apples, one red and one green", "two apples,  ", "one red and one green"),
        ("two cats, one of them black", "two cats,  ", "one of them black"),
        ("1.5 apples on blue", " apples on blue", "1.5 apples"),
        ("½ apple", " apple", "½ apple"),
        ("two and a half lemons", " lemons", "two and a half lemons"),
    ],
)
def test_what_nothing_can_check(text: str, rest: str, want: str) -> None:
    left, (found,) = numerals(text)
    assert (left, line(found)) == (rest, f"other {want}")


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("1,000 cats", "1000 cats"),
        ("1.000 cats on white", "1000 cats on white"),
        ("1 000 000 cats", "1000000 cats"),
        ("1,000 or 2,500 owls", "1000 or 2500 owls"),
        ("three cats, 100 dogs", "three cats, 100 dogs"),
        ("2 512 px icons", "2 512 px icons"),
        ("1.5 cats", "1.5 cats"),
        ("512, 256 px", "512, 256 px"),
    ],
)
def test_the_digits_of_a_large_number_belong_together(text: str, together: str) -> None:
    assert ungrouped(text) == together
