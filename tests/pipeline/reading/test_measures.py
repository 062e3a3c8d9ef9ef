"""Numbers that are neither counts nor pixels."""

from __future__ import annotations

import pytest

from pipeline.reading.measures import measures
from pipeline.reading.rules import found_in
from tests.pipeline.reading.passes.reading import RANGE, line


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a cat in 8k", "in 8k"),
        ("an 8k photo of a cat", "8k"),
        ("4k wallpaper of a cat", "4k"),
        ("a cat, uhd 8k resolution", "uhd 8k resolution"),
        ("a cat in 1080p", "in 1080p"),
        ("a cat, 300 dpi", "300 dpi"),
        ("-2 cats", "-2"),
        ("a photo with −1.5 cats", "−1.5"),
        ("a cat at 300dpi", "at 300dpi"),
        ("a cat, 35mm lens", "35mm lens"),
        ("35 mm photo of a cat", "35 mm"),
        ("a cat, f/1.8", "f/1.8"),
        ("a cat, ISO 400", "iso 400"),
        ("a cat 1.5 meters tall", "1.5 meters tall"),
        ("a cat, 10 cm tall", "10 cm tall"),
        ("a 5 kg cat", "5 kg"),
        ("a 3-inch cat", "3-inch"),
        ('a 3" cat', '3"'),
        ("a cat, 45°", "45°"),
        ("a cat, 24fps", "24fps"),
        ("a 2-year-old cat", "2-year-old"),
        ("a cat from 1990", "from 1990"),
        ("the 2nd cat", "2nd"),
        ("a cat, version 2", "version 2"),
        ("3/4 view of a cat", "3/4 view"),
        ("a 2d cat", "2d"),
    ],
)
def test_a_number_with_a_unit_is_no_count(text: str, want: str) -> None:
    assert [line(found) for found in measures(text)[1]] == [f"other {want}"]
    read = [line(found) for found in found_in(text, RANGE)]
    assert [one for one in read if one.startswith(("count", "technical"))] in ([], ["count cat 1"])
    assert any("cat" in one for one in read)


@pytest.mark.parametrize(
    "text",
    ["3 cats", "2 x apple", "256 x 256", "512 px", "3 millions", "- 2 cats", "2-3 cats",
     "two owls, 4 bees", "5 kites", "4 pears", "no cats",
     "“3” on a sign", "10:15 pm", "3 feet", "cats: 3", "2 days of rain"],
)  # fmt: skip
def test_other_numbers_stay(text: str) -> None:
    assert measures(text) == (text, [])


@pytest.mark.parametrize(
    ("code", "colour"),
    [("#ff0000", "red"), ("#FF0000", "red"), ("#fff", "white"), ("#00a000", "green"), ("#123", "black")],
)
def test_a_colour_code_is_the_nearest_word_and_a_want_of_its_own(code: str, colour: str) -> None:
    text, (exactly,) = measures(f"a cat on a {code} background")
    assert text == f"a cat on a {colour} background"
    assert line(exactly) == f"other exactly {code.lower()}"


def test_weights_and_shares_of_prompts() -> None:
    assert measures("(a cat:1.3), 100% red") == ("(a cat), red", [])
