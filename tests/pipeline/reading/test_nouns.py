"""Guesses at unknown words."""

from __future__ import annotations

import pytest

from pipeline.reading.lexicon import Token, tokens
from pipeline.reading.nouns import guess_objects
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import RANGE


def guesses(line: list[Token]) -> list[tuple[str, str]]:
    return [(token.tag.name, token.text) for token in line if not token.known]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a walrus", [("OBJECT", "walrus")]),
        ("two polar bears", [("OBJECT", "polar bears")]),
        ("a jazzy walrus", [("LOOK", "jazzy"), ("OBJECT", "walrus")]),
        ("a jazzy cat", [("LOOK", "jazzy")]),
        ("a rocking chair", [("LOOK", "rocking")]),
        ("an office tower", [("OBJECT", "office tower")]),
        ("a cherry tree", [("OBJECT", "cherry tree")]),
        ("an orange on a plate", [("OBJECT", "orange"), ("OBJECT", "plate")]),
        ("an orange cat", []),
        ("two women drinking tea", [("OBJECT", "women")]),
        ("a cat and walruses", [("OBJECT", "walruses")]),
        ("the walrus", []),
        ("the walrus is red", [("OBJECT", "walrus")]),
        ("a picture of walruses", [("OBJECT", "walruses")]),
        ("walrus club", []),
        ("walrus on a cat", [("OBJECT", "walrus")]),
        ("quickly", []),
    ],
)
def test_guesses(text: str, expected: list[tuple[str, str]]) -> None:
    assert guesses(guess_objects(tokens(text, RANGE), any_object=False)) == expected


def test_a_word_alone_is_an_object_where_it_is_the_whole_brief() -> None:
    line = tokens("walrus", RANGE)
    assert guesses(guess_objects(line, any_object=False)) == []
    assert guesses(guess_objects(line, any_object=False, alone=True)) == [("OBJECT", "walrus")]


def test_without_a_range_words_in_a_list_are_objects() -> None:
    line = tokens("walrus, harpsichord", None)
    assert guesses(guess_objects(line, any_object=True)) == [("OBJECT", "walrus"), ("OBJECT", "harpsichord")]
    assert guesses(guess_objects(line, any_object=False)) == []


def test_an_unknown_adjective_stays_in_the_name_where_the_range_names_no_objects() -> None:
    (guess,) = guesses(guess_objects(tokens("a jazzy walrus", None), any_object=True, alone=True))
    assert guess == ("OBJECT", "jazzy walrus")


def test_a_guess_is_in_the_singular() -> None:
    (token,) = [
        t for t in guess_objects(tokens("two robots", RANGE), any_object=False) if t.tag is Tag.OBJECT
    ]
    assert token == Token(Tag.OBJECT, "robot", "robots", known=False, plural=True)
