"""Styles and moods."""

from __future__ import annotations

import pytest

from pipeline.reading.passes.looks import moods, styles
from pipeline.reading.sentence import Context
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import lines, sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat, flat design", "style flat"),
        ("a cartoonish cat", "style cartoon"),
        ("flat cartoon", "style flat; style cartoon"),
        ("in a brutalist style", "? style brutalist"),
        ("in a brutalist poster", ""),
    ],
)
def test_styles(text: str, found: str) -> None:
    assert lines(styles, text) == found


def test_a_style_stays_as_an_adjective() -> None:
    words = sentence("a cartoon cat")
    styles(words, Context())
    assert words.tags == [Tag.DETERMINER, Tag.ADJECTIVE, Tag.OBJECT]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a playful cat", "maybe other playful"),
        ("an elegant and calm feel", "other elegant and calm feel"),
        ("a feel that is elegant", "other feel that is elegant"),
        ("a sense of wonder", "? other sense of wonder"),
        ("conveys trust", "? other conveys trust"),
        ("a rustic vibe", "? other rustic vibe"),
        ("it feels airy", "? other feels airy"),
        ("rustic vibe", ""),
        ("a red cat", ""),
    ],
)
def test_moods(text: str, found: str) -> None:
    assert lines(moods, text) == found
