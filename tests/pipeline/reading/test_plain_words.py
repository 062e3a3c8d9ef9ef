"""Roundabout words, put plainly."""

from __future__ import annotations

import pytest

from pipeline.range import load_range
from pipeline.reading.plain_words import plain, unquoted
from pipeline.reading.word_kinds import tells_nothing

RANGE = load_range("models/mini/range.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two owls, make the back white", "two owls, make background white"),
        ("canvas fill: white", "background white"),
        ("the ground being a plain blue", "background plain blue"),
        ("at the back there should be only green", "background green"),
        ("an owl, the wall behind it must be plain green", "an owl, background plain green"),
        ("the sky around them should just be pink", "background pink"),
        ("a cat with yellow at the back", "a cat with yellow background"),
        ("a trophy, yellow fill", "a trophy, yellow"),
        ("I used to want a fox but now I want a lion", "now I want a lion"),
        ("we once wanted a dog, now we prefer a cat", "now we prefer a cat"),
        ("first I thought of a fox, but a bear is better", "a bear is better"),
        ("make them black no sorry make them white", "white"),
        ("a red, I mean blue, car", "a blue, car"),
        ("one basketball... no wait, soccer ball", "one soccer ball"),
        ("Pizza, hmm, actually scrap that: a taco", "a taco"),
        ("the two pears were meant to be two lemons", "two lemons"),
        ("4 red cherries?? no, apples", "4 red apples"),
        ("two cats, on second thought, a green bus", "a green bus"),
        ("four green fish, each one the same shade", "four green fish"),
        ("a police car in the style of a comic book", "a police car in cartoon style"),
        ("the frog from last time must not show up", "the frog must not show up"),
        ("I want them yellow, since red would send the wrong message", "I want them yellow"),
        ("a sun over plain pink", "a sun on plain pink"),
        ("Left: avocado. Right: tomato.", "avocado left, tomato right."),
        ("a mustard coloured background", "a mustard yellow background"),
        ("the picture should be purple too, with a rabbit", "background purple too, with a rabbit"),
        ("two mushrooms would round off the soup label", "two mushrooms for the soup label"),
        ("eggs, exactly 4 pieces", "eggs, 4 of them"),
        ("tulips: qty 4", "tulips, 4 of them"),
        ("two nos. umbrellas", "two umbrellas"),
    ],
)
def test_the_plain_words_say_the_same(text: str, words: str) -> None:
    assert plain(text, RANGE) == words


@pytest.mark.parametrize(
    "text",
    [
        "a cat on the ground",
        "the back of the bear is brown",
        "the rest of the team loves green apples",
        "the number 46",
        "a page with a blue car",
        "I want a cat, a dog and a bear",
        "a cat on the wall behind the house",
        "a dog. Sorry for the late reply, red bus coming",
        "I can't wait, three cats please",
        "a cat, because we would like a pet",
        "a cat over plain text",
        "fish of the same shade",
        "a dog would be nice",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert plain(text, RANGE) == text


def test_without_a_range_nothing_is_joined_that_was_apart() -> None:
    said = "three tacos I mean, on pink; a pair of cherries no wait, make that a pear"
    assert plain(said, None) == said


def test_only_verbs_and_adverbs_tell_nothing() -> None:
    assert all(tells_nothing(word) for word in ("had", "agreed", "executed", "sits"))
    assert not any(tells_nothing(word) for word in ("walrus", "howling", "pick", "letter", "xyzzy", "empty"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a "red" balloon', "a red balloon"),
        ("a 'red' balloon", "a red balloon"),
        ("a “red cat” on “white”", "a red cat on white"),
        ('a sign that says "red"', 'a sign that says "red"'),
        ('the caption "cat"', 'the caption "cat"'),
        ('a mug with "Best Dad"', 'a mug with "Best Dad"'),
        ('the "Golden Lion" inn', 'the "Golden Lion" inn'),
    ],
)
def test_quotes_that_only_stress_a_word_are_dropped(text: str, words: str) -> None:
    assert unquoted(text, RANGE) == words
