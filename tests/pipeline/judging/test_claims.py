"""The words in which a vision-language model is asked."""

from __future__ import annotations

import pytest

from pipeline.brief import KINDS, Requirement
from pipeline.judging.claims import claims, nothing_else


def said(kind: str, subject: str = "", value: str = "", other: str = "", many: bool = False) -> list[str]:
    r = Requirement(id="r", kind=kind, subject=subject, value=value, other=other, text="")  # type: ignore[arg-type]
    asked = claims(r, many)
    assert asked is not None
    return [question.partition("“")[2].removesuffix("”") for question in asked]


@pytest.mark.parametrize(
    ("asked", "statement", "negation"),
    [
        (said("object", "hourglass"), "There is an hourglass.", "There is no hourglass."),
        (said("object", "scissors"), "There is a pair of scissors.", "There are no scissors."),
        (said("absence", "people"), "There are people.", "There are no people."),
        (said("count", "man", "2"), "There are exactly two men.", "The number of men is not two."),
        (said("count", "scissors", "1"), "There is exactly one pair of scissors.",
         "The number of scissors is not one."),
        (said("attribute", "hat", "red"), "The hat is red.", "The hat is not red."),
        (said("attribute", "goose", "white", many=True), "The geese are white.", "The geese are not white."),
        (said("action", "woman", "wearing a red hat"), "The woman is wearing a red hat.",
         "The woman is not wearing a red hat."),
        (said("action", "child", "playing football", many=True), "The children are playing football.",
         "The children are not playing football."),
        (said("relation", "cat", "left", "dog"), "The cat is to the left of the dog.",
         "The cat is not to the left of the dog."),
        (said("text", value="OPEN"), "“OPEN” is written in it.", "“OPEN” is not written in it."),
        (said("style", value="cyberpunk"), "The picture is in cyberpunk style.",
         "The picture is not in cyberpunk style."),
    ],
)  # fmt: skip
def test_statement_and_negation(asked: list[str], statement: str, negation: str) -> None:
    assert asked == [statement, negation]


def test_every_kind_is_asked_or_left_to_others() -> None:
    unasked = {
        kind for kind in KINDS
        if claims(Requirement(id="r", kind=kind, subject="cat", value="2", other="dog", text="")) is None
    }  # fmt: skip
    assert unasked == {"technical", "other"}
    five = Requirement(id="r", kind="count", subject="cat", value="5", text="")
    assert claims(five) is None


def test_what_else_is_there_is_asked_with_the_whole_list() -> None:
    wants = [
        Requirement(id="a", kind="object", subject="cat", text="a cat"),
        Requirement(id="b", kind="technical", subject="size", value="64x64", text="64 × 64 pixels"),
        Requirement(id="c", kind="setting", value="at night", text="at night"),
    ]
    for question in nothing_else(wants):
        assert "a cat; at night." in question
        assert "pixels" not in question
