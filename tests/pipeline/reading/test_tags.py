"""Patterns that are written with the names of tags."""

from __future__ import annotations

import pytest

from pipeline.reading.lexicon import ENGLISH, tokens
from pipeline.reading.tags import Tag, any_of, pattern


def tags(text: str) -> str:
    return "".join(token.tag for token in tokens(text, None))


def test_a_pattern_is_searched_by_words() -> None:
    counted = pattern("""
        NUMBER (?P<between> [ADJECTIVE COLOUR]*)
        UNKNOWN (?! BACKGROUND)
    """)
    match = counted.search(tags("we want three big red balls"))
    assert match is not None
    assert (match.span(), match.span("between")) == ((2, 6), (3, 5))
    assert counted.search(tags("three balls background")) is None


def test_a_name_that_is_no_tag_is_refused() -> None:
    with pytest.raises(KeyError, match="NOUN"):
        pattern("DETERMINER NOUN")
    with pytest.raises(KeyError, match="NOUN"):
        any_of("DETERMINER NOUN")


def test_each_tag_is_one_character_that_no_text_has() -> None:
    assert len({*Tag}) == len(Tag)
    assert all(len(tag) == 1 and 0xE000 <= ord(tag) < 0xF900 for tag in Tag)


def test_the_phrases_of_the_language_have_known_tags() -> None:
    assert set(ENGLISH["phrases"]) <= set(Tag.__members__)
