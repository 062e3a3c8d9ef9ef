"""Words as tagged tokens, and their singulars and plurals."""

from __future__ import annotations

import pytest

from models.english import plural, singular
from pipeline.reading.lexicon import Token, tokens
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import RANGE


def test_the_longest_phrase_holds() -> None:
    assert tokens("Two light blue hot dogs on the left of a taxi!", RANGE) == [
        Token(Tag.NUMBER, "2", "two"),
        Token(Tag.COLOUR, "blue", "light blue"),
        Token(Tag.OBJECT, "hot dog", "hot dogs", plural=True),
        Token(Tag.RELATION, "left", "on the left of"),
        Token(Tag.DETERMINER, "the", "a"),
        Token(Tag.UNKNOWN, "taxi", "taxi"),
        Token(Tag.STOP, "!", "!"),
    ]


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("twenty-one", Tag.NUMBER, "21"),
        ("007", Tag.NUMBER, "7"),
        ("3-legged", Tag.LOOK, "3-legged"),
        ("cat's", Tag.OBJECT, "cat"),
        ("walrus's", Tag.UNKNOWN, "walrus"),
        ("cartoonish look", Tag.STYLE, "cartoon"),
        ("(", Tag.COMMA, "("),
    ],
)
def test_one_token(text: str, tag: Tag, value: str) -> None:
    assert [(token.tag, token.value) for token in tokens(text, RANGE)] == [(tag, value)]


def test_without_a_range_colours_keep_their_shade() -> None:
    assert [token.value for token in tokens("pale grey", None)] == ["pale gray"]
    assert [token.value for token in tokens("pale grey", RANGE)] == ["gray"]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("tropical fish", "tropical fish"),
        ("bunch of grapes", "bunches of grapes"),
        ("cup with straw", "cups with straws"),
        ("cherry tree", "cherry trees"),
        ("fox", "foxes"),
        ("city", "cities"),
        ("toy", "toys"),
        ("potato", "potatoes"),
        ("bus", "buses"),
        ("people", "people"),
    ],
)
def test_singular_and_plural(one: str, many: str) -> None:
    assert plural(one) == many
    if " with " not in one:
        assert singular(many) == one


@pytest.mark.parametrize("word", ["bus", "lens", "glass", "tennis", "octopus", "gas"])
def test_a_singular_stays(word: str) -> None:
    assert singular(word) == word
