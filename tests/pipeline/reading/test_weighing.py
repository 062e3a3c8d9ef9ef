"""Marks against findings: what is left to a person, what is left out."""

from __future__ import annotations

import re
from typing import cast

import pytest

from models.protocols import ROLES, Mark, Marks, Role
from pipeline.brief import Requirement
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.flags import flagged
from pipeline.reading.rules import found_in, numbered
from pipeline.reading.weighing import weighed
from tests.pipeline.reading.passes.reading import RANGE


def marks(text: str, **roles: str) -> Marks:
    """Every word is talk, or has the role that names it: `beyond="moon flag"`."""
    words = []
    for word in re.finditer(r"[\w']+", text):
        named = [role for role, of in roles.items() if word[0].lower() in of.split()] or ["talk"]
        words.append(Mark(*word.span(), {r: 0.96 if r == named[0] else 0.01 for r in ROLES}))
    return Marks(tuple(words))


def read(text: str, **roles: str) -> tuple[Requirement, ...]:
    found = weighed(text, found_in(text, RANGE), marks(text, **roles), RANGE)
    return flagged(numbered(found), RANGE)


def needs_a_person(text: str, **roles: str) -> list[str]:
    return [want.value for want in read(text, **roles) if want.must and want.flag]


def test_what_rules_and_model_take_for_talk_and_unclear_is_left_out() -> None:
    text = "Our scout group has two red tractors to give rides at the fair"
    assert needs_a_person(text, want="two red tractors") == []


def test_what_the_model_takes_for_a_want_stays_with_a_person() -> None:
    text = "a cat wearing a top hat"
    assert needs_a_person(text, want="cat", beyond="wearing top hat") == ["wearing a top hat"]


@pytest.mark.parametrize(
    "text", ["a cat, a dog and a bird", "a cat and a dog and a polar bird", "a dog, one koala"]
)
def test_a_thing_in_a_list_of_wanted_ones_is_no_talk(text: str) -> None:
    thing = text.split()[-1]
    wants = read(text, want="cat dog")
    assert [want.flag for want in wants if want.subject.endswith(thing)] == ["outside"]


def test_words_that_only_the_model_notices_go_to_a_person() -> None:
    text = "One candle, white. The rest of the picture lies in gloomy half light."
    assert "gloomy half light" in needs_a_person(text, want="one candle white", beyond="gloomy half light")


def test_a_soft_word_is_nice_to_have() -> None:
    wants = read("a lighthearted penguin on blue", want="penguin blue", soft="lighthearted")
    (soft,) = [want for want in wants if want.value == "lighthearted"]
    assert not soft.must


def test_an_object_that_the_model_takes_for_talk_goes_to_a_person() -> None:
    text = "The church has a big clock. Two candles, please."
    assert needs_a_person(text, want="two candles") == ["clock"]


def test_an_object_that_the_model_takes_for_ruled_out_is_ruled_out() -> None:
    text = "Could you take the bees off? I only need the sunflower."
    wants = read(text, want="sunflower", absent="bees")
    assert [want.text for want in wants if want.kind == "absence"] == ["no bee"]
    assert [want.subject for want in wants if want.kind == "object"] == ["sunflower"]
    assert not any(want.flag for want in wants)


@pytest.mark.parametrize("role", ["talk", "absent", "soft"])
def test_where_nothing_else_is_wanted_nothing_is_left_out(role: str) -> None:
    assert [want.subject for want in read("a cat", **{cast("Role", role): "cat"})] == ["cat"]


def test_a_want_that_the_rules_overlooked_goes_to_a_person() -> None:
    text = "Could I trouble you for a loaf of bread and, to the left of it, an egg?"
    marked = marks(text, want="bread egg")
    assert weighed(text, [Found("object", "egg")], marked, RANGE)[1:] == [
        Found("other", NOT_UNDERSTOOD, "bread", sure=False)
    ]


def test_of_two_colours_of_one_thing_the_unwanted_one_is_left_out() -> None:
    wants = read("We never use black, so a white candle", want="white candle")
    assert [want.value for want in wants if want.kind == "attribute"] == ["white"]


def test_two_looks_of_one_thing_may_both_be_wanted() -> None:
    assert "striped" in needs_a_person("a striped cat, orange", want="cat orange", beyond="striped")


@pytest.mark.parametrize("place", ["right of", "above", "next to"])
def test_things_in_a_relation_are_no_talk(place: str) -> None:
    wants = read(f"a zebra {place} a parking meter")
    assert {want.subject for want in wants if want.kind == "object"} == {"zebra", "parking meter"}


@pytest.mark.parametrize("words", ["photo", "picture", "drawing"])
def test_a_word_for_the_picture_itself_is_no_want(words: str) -> None:
    assert needs_a_person(f"a {words} of a cat", want=f"cat {words}", beyond=words) == []
    assert needs_a_person(f"a cat beside a {words}", want="cat", beyond=words) != []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a cat, 16:9", "cat 16 9"),
        ("a #ff0000 apple on white", "ff0000 apple white"),
        ("a 2.5 m tall tree", "2 5 m tall tree"),
        ("an 8k photo of a cat", "8k cat"),
    ],
)
def test_a_number_that_was_read_is_not_asked_about_again(text: str, want: str) -> None:
    assert not any("not understood" in one.text for one in read(text, want=want))
