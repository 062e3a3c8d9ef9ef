"""English for requirements: the bundled range word for word as the scorer was trained on it, and other words right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from models.english import RELATIONS, STYLES, article, is_plural, phrase, plural, singular, statement

RANGE = json.loads((Path(__file__).parents[2] / "models/mini/range.json").read_text())
# Of all statements of the bundled range, as its scorer was trained on them.
TRAINED = "f82d1f91957c5672130675c1a743c6e7a61c548591d3a803141f62bf07e2bb99"


def trained() -> Iterator[str | None]:
    names, colours = sorted(RANGE["objects"]), sorted(RANGE["colours"])
    for name in names:
        yield statement("object", name)
        yield from (statement("count", name, str(count)) for count in range(1, 5))
        yield from (statement("attribute", name, colour) for colour in colours)
    for one, other in pairwise(names):
        yield from (statement("relation", one, where, other) for where in RELATIONS)
    yield from (statement("background", value=colour) for colour in colours)
    yield from (statement("style", value=style) for style in STYLES)


def test_statements_of_the_bundled_range_are_those_that_its_scorer_was_trained_on() -> None:
    said = list(trained())
    assert {
        "a picture of four cups with straws",
        "a picture of scissors",
        "a picture of an orange owl",
    } <= set(said)
    digest = hashlib.sha256("\n".join(map(str, said)).encode()).hexdigest()
    assert digest == TRAINED


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("child", "children"), ("man", "men"), ("lifeguard", "lifeguards"), ("policewoman", "policewomen"),
        ("snowman", "snowmen"), ("human", "humans"), ("leaf", "leaves"), ("roof", "roofs"), ("wolf", "wolves"),
        ("goose", "geese"), ("piano", "pianos"), ("deer", "deer"), ("box", "boxes"),
        ("glass of water", "glasses of water"), ("man in a hat", "men in a hat"), ("tea leaf", "tea leaves"),
        ("cup with straw", "cups with straws"), ("jeans", "jeans"), ("people", "people"), ("person", "people"),
        ("berry", "berries"),
    ],
)  # fmt: skip
def test_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many


@pytest.mark.parametrize("noun", ["child", "policeman", "goose", "leaf", "wolf", "berry", "box"])
def test_singulars_are_of_these_plurals(noun: str) -> None:
    assert singular(plural(noun)) == noun


@pytest.mark.parametrize(
    "words",
    [
        "a cat", "an apple", "an hourglass", "an honest man", "a house", "a unicorn", "a university", "an umbrella",
        "an uninvited guest", "a European robin", "a one-way sign", "an onion", "a used car", "an usher", "an LED lamp",
        "a USB stick", "an 8-sided die", "an SUV", "a NASA rocket", "an X-ray",
    ],
)  # fmt: skip
def test_articles(words: str) -> None:
    assert article(words.partition(" ")[2]) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (phrase("child", 3), "three children"), (phrase("man", 2, "tall"), "two tall men"),
        (phrase("hat", look="red"), "a red hat"), (phrase("man", look="on a bench"), "a man on a bench"),
        (phrase("woman", look="wearing a red hat"), "a woman wearing a red hat"),
        (phrase("child", 2, "playing football"), "two children playing football"),
        (phrase("cat", look="smiling"), "a smiling cat"), (phrase("pot", look="full of tea"), "a pot full of tea"),
        (phrase("umbrella", look="wooden"), "a wooden umbrella"), (phrase("car", look="orange"), "an orange car"),
        (phrase("jeans", look="blue"), "a pair of blue jeans"), (phrase("jeans", 2), "two pairs of jeans"),
        (phrase("headphones", counted=True), "one pair of headphones"), (phrase("scissors"), "scissors"),
        (phrase("people"), "people"), (phrase("snow", look="fresh"), "fresh snow"),
        (phrase("hourglass"), "an hourglass"),
    ],
)  # fmt: skip
def test_phrases(said: str, words: str) -> None:
    assert said == words


@pytest.mark.parametrize(
    ("noun", "many"), [("scissors", True), ("people", True), ("cat", False), ("bus", False)]
)
def test_nouns_that_are_plural(noun: str, many: bool) -> None:
    assert is_plural(noun) is many
