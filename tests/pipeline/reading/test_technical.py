"""What is read from the text itself: each kind, and what is left of the text."""

from __future__ import annotations

import pytest

from pipeline.reading.technical import technical
from tests.pipeline.reading.passes.reading import RANGE, line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("256x256", "size 256x256"),
        ("640 by 480 pixels", "size 640x480"),
        ("width of 512 px", "size 512 wide"),
        ("height should be 300", "size 300 tall"),
        ("512 pixels across", "size 512 wide"),
        ("512 px high", "size 512 tall"),
        ("256 px", "size 256x256"),
        ("16:9", "size landscape"),
        ("2:3", "size portrait"),
        ("1:1", "size square"),
        ("in square format", "size square"),
        ("Strong contrast", "contrast high"),
        ("contrast should be low", "contrast low"),
        ("contrast: high", "contrast high"),
        ("mostly crimson", "palette red"),
        ("in shades of blue", "palette blue"),
        ("a blue palette", "palette blue"),
        ("colour scheme: blue", "palette blue"),
        ("with the text 'Sale'", "other the text “Sale”"),
        ("don't make it yellow", "other not yellow"),
        ("with a transparent background", "other with a transparent background"),
        ("at night", "other at night"),
        ("in the style of van gogh", "? style van gogh"),
        ("with the text 'Sale' if possible", "maybe other the text “Sale”"),
        ("256x256, if possible", "maybe size 256x256"),
        ("contrast: high if you can", "maybe contrast high"),
    ],
)
def test_one_want(text: str, found: str) -> None:
    rest, wants = technical(text, RANGE)
    assert [line(want) for want in wants] == [found]
    assert rest.replace("if possible", "").replace("if you can", "").strip(" ,") == ""


@pytest.mark.parametrize("text", ["a cat", "mostly harmless", "don't make it fancy", "no background noise"])
def test_what_is_none_stays(text: str) -> None:
    assert technical(text, RANGE) == (text, [])


def test_several_in_the_order_of_their_kinds() -> None:
    rest, wants = technical("A cat in high contrast, 256x256 and MOSTLY blue", RANGE)
    assert [line(want) for want in wants] == ["size 256x256", "contrast high", "palette blue"]
    assert rest == "A cat in  , ,  ,  and  , "


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("a sign saying 'NO' and 'YES'", ["NO", "YES"]),
        ('a card with the words "hi", "bye" and "yo"', ["hi", "bye", "yo"]),
        ('a cake with "Happy Birthday" on it', ["Happy Birthday"]),
        ("a wall with 'Hello, world.' written on it", ["Hello, world."]),
        ("a book with the words 'Don't Panic!'", ["Don't Panic!"]),
        ('a book called "Dune"', ["Dune"]),
        ("write 'Welcome' under a sunflower", ["Welcome"]),
        ('our band is called "Dune", a cat', []),
        ("the kids' cat and the dogs' bed", []),
        ("a 'brown' cat", []),
    ],
)
def test_lettering(text: str, letters: list[str]) -> None:
    _, wants = technical(text, RANGE)
    assert [line(want) for want in wants] == [f"other the text “{one}”" for one in letters]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a star. HELLO", ["HELLO"]),
        ("a star, GO TEAM!", ["GO TEAM"]),
        ("a star, please. THANKS", []),
        ("a star. BLUE", []),
        ("A STAR. HELLO", []),
    ],
)
def test_a_last_word_in_capitals_may_be_lettering(text: str, words: list[str]) -> None:
    _, wants = technical(text, RANGE)
    assert [want.value for want in wants] == words


def test_words_in_quotes_ask_for_nothing() -> None:
    assert technical('a cat "and a dog"', RANGE) == ("a cat  ", [])
