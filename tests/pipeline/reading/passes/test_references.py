"""Names by which objects are told apart, and short names for objects named before."""

from __future__ import annotations

import pytest

from pipeline.reading.lexicon import Token, tokens
from pipeline.reading.passes.references import resolved, told_apart
from pipeline.reading.tags import Tag
from tests.pipeline.reading.passes.reading import RANGE


def objects(line: list[Token]) -> list[str]:
    return [token.value for token in line if token.tag is Tag.OBJECT]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a blue cat left of a red cat", ["blue cat", "red cat"]),
        ("two nice red cats and a big blue cat", ["red cat", "blue cat"]),
        ("a blue cat left of a blue cat", ["cat", "cat"]),
        ("a blue cat left of a red dog", ["cat", "dog"]),
        ("a blue cat and the red cat", ["cat", "cat"]),
    ],
)
def test_objects_of_two_colours_are_told_apart(text: str, names: list[str]) -> None:
    assert objects(told_apart(tokens(text, RANGE))) == names


@pytest.mark.parametrize(
    ("text", "before", "names"),
    [
        ("the ball is red", ["soccer ball"], ["soccer ball"]),
        ("a ball is red", ["soccer ball"], []),
        ("the robots are red", ["robot"], ["robot"]),
        ("the bear is brown", ["bear", "teddy bear"], ["bear"]),
        ("the bear is brown", ["teddy bear"], ["teddy bear"]),
        ("the ball is red", [], []),
    ],
)
def test_a_short_name_stands_for_an_object_named_before(
    text: str, before: list[str], names: list[str]
) -> None:
    assert objects(resolved(tokens(text, RANGE), before)) == names
