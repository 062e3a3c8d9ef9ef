"""The account of words: what nobody understood is said, and talk is not mistaken for it."""

from __future__ import annotations

import pytest

from pipeline.brief import Requirement
from pipeline.reading.finding import NOT_UNDERSTOOD
from pipeline.reading.flags import flagged
from pipeline.reading.rules import found_in, numbered
from tests.pipeline.reading.passes.reading import RANGE


def read(text: str) -> tuple[Requirement, ...]:
    return flagged(numbered(found_in(text, RANGE)), RANGE)


def not_understood(text: str) -> list[str]:
    return [want.value for want in read(text) if want.subject == NOT_UNDERSTOOD]


def needs_a_person(text: str) -> list[str]:
    return [want.text for want in read(text) if want.must and want.flag]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a cat wearing a top hat", ["wearing a top hat"]),
        ("A dog riding a bicycle on blue", ["riding a bicycle"]),
        ("five ducks in a row on blue", ["in a row"]),
        ("two owls seen from behind", ["from behind"]),
        ("a bear made of glass", ["made of glass"]),
        ("a mouse in a top hat", ["in a top hat"]),
        ("a cat between two trees", ["between two trees"]),
        ("a dog in front of a house", ["in front of a house"]),
        ("a monkey hanging from a palm tree", ["from a palm tree"]),
        ("polka dot umbrella on pink", ["polka dot"]),
        ("the letter A next to an apple", ["the letter A next to"]),
        ("a bus on red and the number 46 on it", ["the number 46"]),
        ("A cat on a red background ZZZT", ["ZZZT"]),
        ("Can you make the pig fly?", ["fly"]),
    ],
)
def test_what_nobody_understood_is_kept_in_the_words_of_the_brief(text: str, words: list[str]) -> None:
    assert not_understood(text) == words


def test_it_is_flagged_and_said() -> None:
    (want,) = (want for want in read("a cat wearing a top hat") if want.subject == NOT_UNDERSTOOD)
    assert (want.must, want.flag, want.note) == (True, "uncheckable", "not understood; a person decides")
    assert want.text == "not understood: “wearing a top hat”"


@pytest.mark.parametrize(
    "text",
    [
        "a cat with blue eyes",
        "a bus with big wheels",
        "several cats on pink",
        "lots of balloons",
        "a few ducks on a green background",
        "a big dog and a small cat",
        "a cat in the park",
        "a house on a hill",
        "a banana on a background with pink and white stripes",
        "a heart, and the background running from pink into orange",
        "a heart shaped balloon",
        "a knitted teddy bear",
        'a gift, "SALE" above it in big letters',
        "a chair. Empty.",
        "a cat that is not red",
    ],
)
def test_no_want_is_dropped_in_silence(text: str) -> None:
    assert needs_a_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "Halloween is coming! I'd love a black cat on an orange background.",
        "it's for my son's room: a rocket, colour blue, and a star next to it",
        "a pineapple, plain yellow bg, nothing fancy",
        "I run a small coffee shop and want a cute sticker for our loyalty cards. A croissant would be perfect.",
        "A cheerful classroom poster with four pencils",
        "A lion, not too big, in the middle of an orange background",
        "Kindly supply artwork depicting a grey elephant.",
        "Could you knock up a wee picture of a rabbit?",
        "An airplane flying above a cloud",
        "An owl sitting beneath the moon",
        "Two candles side by side, no rush at all. Best regards, Ann Miller",
        "We need a heart, red obviously, to hang over the till. Cheers!",
        "butterfly, lilac, nice and delicate, on plain white",
        "So, the deadline is Friday and my boss hates waiting. A key, please, on white.",
    ],
)
def test_talk_and_soft_words_need_no_person(text: str) -> None:
    assert needs_a_person(text) == []
