"""What is nice to have."""

from __future__ import annotations

import pytest

from pipeline.reading.passes.backgrounds import backgrounds
from pipeline.reading.passes.colours import colours
from pipeline.reading.passes.looks import styles
from pipeline.reading.passes.objects import objects
from pipeline.reading.passes.optional import with_optional
from pipeline.reading.sentence import Context
from tests.pipeline.reading.passes.reading import line, sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat, ideally on pink", "cat; maybe background pink"),
        ("a cat on pink, if possible", "cat; maybe background pink"),
        ("a cat, if possible on pink", "cat; maybe background pink"),
        ("if possible, a red cat", "maybe cat; maybe cat is red"),
        ("ideally a red cat, flat style", "maybe cat; maybe cat is red; style flat"),
        ("a cat, flat style if possible, on pink", "cat; background pink; maybe style flat"),
        ("a red cat on pink", "cat; cat is red; background pink"),
        ("ideally", ""),
    ],
)
def test_it_is_said_of_one_want(text: str, found: str) -> None:
    words, context = sentence(text), Context()
    ground, look = backgrounds(words, context), styles(words, context)
    wants = [*objects(words, context), *colours(words, context), *ground, *look]
    assert "; ".join(map(line, with_optional(words, wants))) == found
