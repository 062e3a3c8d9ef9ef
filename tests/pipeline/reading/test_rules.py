"""The rules alone: phrasings, one by one, and the briefs written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.brief import Reading, Requirement
from pipeline.range import Range, load_range
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import to_line
from pipeline.reading.rules import found_in, numbered

ROOT = Path(__file__).parents[3]
RANGE = load_range(ROOT / "models/mini/range.json")


def read(text: str, drawable: Range | None = RANGE) -> tuple[Requirement, ...]:
    return flagged(numbered(found_in(text, drawable)), drawable)


def lines(text: str, drawable: Range | None = RANGE) -> set[str]:
    """The whole reading: its lines, each of which it has once."""
    found = [to_line(want) for want in read(text, drawable)]
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three croissants", "3 croissant"),
        ("a pair of owls", "2 owl"),
        ("a quartet of owls", "4 owl"),
        ("neither more nor less than two owls", "2 owl"),
        ("a couple of stars", "2 star"),
        ("exactly one key", "1 key"),
        ("a single rose", "1 rose"),
        ("a cat", "cat"),
        ("two cacti", "2 cactus"),
        ("three mice", "3 mouse"),
        ("Bees! Four of them.", "4 bee"),
        ("a pair of scissors", "scissors"),
    ],
)
def test_objects_and_counts(text: str, expected: str) -> None:
    assert lines(text) == {expected}


@pytest.mark.parametrize(
    ("word", "object"),
    [
        ("puppy", "dog"),
        ("kittens", "cat"),
        ("bike", "bicycle"),
        ("automobile", "car"),
        ("a plane", "airplane"),
        ("donut", "doughnut"),
        ("pine tree", "evergreen tree"),
        ("hot dog", "hot dog"),
        ("firetruck", "fire engine"),
    ],
)
def test_near_words(word: str, object: str) -> None:
    assert lines(f"draw the {word.removeprefix('a ')}") == {object}


def test_what_a_mood_is_not_is_no_absence() -> None:
    assert lines("A cat. It should not be boring but elegant.") == {"cat", "other elegant"}


def test_a_word_that_no_entry_fits_stays_what_it_is() -> None:
    assert lines("a taxi") == {"taxi"}


@pytest.mark.parametrize(
    "text",
    [
        "a cat on a pink background",
        "a cat against pink",
        "a cat, pink backdrop",
        "a cat set on pink",
        "a cat. Background: pink.",
        "a cat. The background should be pink.",
        "a cat, the background colour is pink",
        "a cat with pink behind it",
        "on a plain pink background, a cat",
        "a cat with the background in pink",
        "pink background, a cat",
    ],
)
def test_backgrounds(text: str) -> None:
    assert lines(text) == {"cat", "background pink"}


def test_a_background_may_be_words() -> None:
    assert lines("a cat with a city skyline in the background") == {"cat", "background city skyline"}


@pytest.mark.parametrize("words", ["flat design", "flat style", "drawn flat", "in a flat look"])
def test_styles(words: str) -> None:
    assert lines(f"a cat, {words}") == {"cat", "style flat"}
    cartoon = words.replace("flat design", "cartoonish").replace("flat", "cartoon")
    assert lines(f"a cat, {cartoon}") == {"cat", "style cartoon"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a blue apple", "apple; apple is blue"),
        ("a crimson rose", "rose; rose is red"),
        ("a light blue apple", "apple; apple is blue"),
        ("an apple that is blue", "apple; apple is blue"),
        ("an apple. It should be blue.", "apple; apple is blue"),
        ("an apple painted blue", "apple; apple is blue"),
        ("make an apple; colour the apple blue", "apple; apple is blue"),
        ("a smiling dog", "dog; dog is smiling"),
        ("three apples. They must be green.", "3 apple; apple is green"),
        ("a teddy bear on red. The bear is brown.", "teddy bear; teddy bear is brown; background red"),
    ],
)
def test_attributes(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


def test_colours_go_to_the_right_object() -> None:
    found = lines("a red cat to the left of a blue dog on a green background")
    assert found == {"cat", "cat is red", "dog", "dog is blue", "cat left of dog", "background green"}
    assert lines("a bus and a car, both blue") == {"bus", "bus is blue", "car", "car is blue"}
    assert lines("an orange crab on orange") == {"crab", "crab is orange", "background orange"}


@pytest.mark.parametrize(
    "text",
    [
        "a cat left of a dog",
        "a cat to the left of a dog",
        "a cat on the left and a dog on the right",
        "with the cat on the left and the dog on the right",
        "on the left a cat, on the right a dog",
        "a dog with a cat on its left",
        "to the left of a dog, a cat",
        "a dog, and to the left of it a cat",
        "a cat next to a dog, on its left",
        "a cat beside a dog, to the left of it",
        "a cat and a dog. The cat must be left of the dog.",
        "cat left, dog right",
    ],
)
def test_left(text: str) -> None:
    assert lines(text) == {"cat", "dog", "cat left of dog"}


@pytest.mark.parametrize("words", ["above", "over", "on top of", "atop", "sitting on top of"])
def test_above(words: str) -> None:
    assert lines(f"a cat {words} a dog") == {"cat", "dog", "cat above dog"}


@pytest.mark.parametrize("words", ["below", "under", "beneath", "underneath"])
def test_below(words: str) -> None:
    assert lines(f"a cat {words} a dog") == {"cat", "dog", "cat below dog"}


@pytest.mark.parametrize("words", ["next to", "beside", "and", "alongside"])
def test_beside_is_no_relation(words: str) -> None:
    assert lines(f"a cat {words} a dog") == {"cat", "dog"}


@pytest.mark.parametrize(
    "words",
    [
        "no text",
        "without text",
        "Don't show any text.",
        "please keep text out of it",
        "there should be no text",
    ],
)
def test_absence(words: str) -> None:
    assert lines(f"a cat. {words}") == {"cat", "no text"}


def test_absence_of_several() -> None:
    assert lines("a cat without dogs or people") == {"cat", "no dog", "no people"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("256x256", "size 256x256"),
        ("640 by 480 pixels", "size 640x480"),
        ("512 pixels wide", "size 512 wide"),
        ("256 px", "size 256x256"),
        ("high contrast", "contrast high"),
        ("mostly blue", "palette blue"),
    ],
)
def test_technical(words: str, line: str) -> None:
    assert lines(f"a cat, {words}") == {"cat", line}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a cat, ideally on an orange background", "maybe background orange"),
        ("a cat on orange, if possible", "maybe background orange"),
        ("a cat. An orange background would be nice.", "maybe background orange"),
        ("a cat. If possible, make the background orange.", "maybe background orange"),
    ],
)
def test_nice_to_have(text: str, line: str) -> None:
    assert lines(text) == {"cat", line}


@pytest.mark.parametrize(
    "noise",
    [
        "We are a bakery in Leeds.",
        "We sell bicycles.",
        "It's for our spring campaign.",
        "Our customers love dogs.",
        "For the pizza night.",
        "Hello! Thanks a lot.",
        "Our shop is called The Lion.",
        "There is no rush.",
    ],
)
def test_talk_about_the_business_is_no_want(noise: str) -> None:
    assert lines(f"{noise} Draw a cat.") == {"cat"}
    assert lines(f"Draw a cat. {noise}") == {"cat"}


def test_what_the_range_lacks_is_kept_and_flagged() -> None:
    wants = read("a robot next to a cat")
    assert [(to_line(w), w.flag) for w in wants] == [("robot", "outside"), ("cat", None)]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("it should feel premium", "feel premium"),
        ("give it a premium feel", "premium feel"),
        ("a sense of calm", "sense of calm"),
    ],
)
def test_what_nothing_can_check_is_kept_and_flagged(text: str, want: str) -> None:
    wants = read(f"A cat. {text}.")
    assert [(to_line(w), w.flag) for w in wants] == [("cat", None), (f"other {want}", "uncheckable")]


def test_words_and_ids() -> None:
    wants = read("No text, cartoon style, on a pink background two red apples")
    assert [(w.id, w.text) for w in wants] == [
        ("r1", "two apples"),
        ("r2", "the apples are red"),
        ("r3", "the background is pink"),
        ("r4", "cartoon style"),
        ("r5", "no text"),
    ]


def test_without_a_range_any_noun_is_an_object() -> None:
    found = lines("Two puppies left of a castle, watercolour, on a teal background", None)
    assert found == {"2 puppy", "castle", "puppy left of castle", "style watercolour", "background teal"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not an apple but a pear", "pear; no apple"),
        ("anything but a banana: an apple", "apple; no banana"),
        ("I said car, not bus. Yellow background.", "car; background yellow; no bus"),
        ("it can't be a bear, must be a panda", "panda; no bear"),
        ("never ever a mouse! draw some cheese", "cheese; no mouse"),
        ("a hot drink but hold the biscuit", "hot drink; no cookie"),
        ("Scrap the apples. Two pears.", "2 pear; no apple"),
        ("Neither a cloud nor a tree should appear, just an owl", "owl; no cloud; no tree"),
        ("a hamburger is out of the question, an avocado please", "avocado; no hamburger"),
        ("no dogs no cats, a tractor", "tractor; no dog; no cat"),
        ("a chair, nobody and no cat on it", "chair; no people; no cat"),
        ("I'd prefer a candle over a light bulb", "candle; no light bulb"),
        ("I'd rather have an umbrella than a crown", "umbrella; no crown"),
        ("swap the dog for a cat", "cat; no dog"),
        ("a car-free picture, just a bicycle", "bicycle; no car"),
        ("a fox, minus the moon", "fox; no crescent moon"),
        ("The background is not blue but yellow. A snake.", "snake; background yellow"),
        ("The background shouldn't be white, it should be yellow. A key.", "key; background yellow"),
        ("A frog, but it's not to be green! Blue please.", "frog; frog is blue"),
        ("the heart shall be purple and not red", "heart; heart is purple"),
        ("not the cartoon look again, flat. A camera.", "camera; style flat"),
        ("One bee, not two", "1 bee"),
        ("The clock to the left of the laptop, not to the right", "clock; laptop; clock left of laptop"),
        ("A car that is not red, on white", "car; background white; other not red"),
    ],
)
def test_what_is_ruled_out_or_corrected(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one lemon and one pear", "1 lemon; 1 pear"),
        ("one dozen eggs", "12 egg"),
        ("three dozen eggs", "36 egg"),
        ("stars x4", "4 star"),
        ("balloons (3) and a cake", "3 balloon; birthday cake"),
        ("two slices of pizza", "2 pizza"),
        ("a croissant / a cookie / an egg", "croissant; cookie; egg"),
        ("2 carrots (orange), 1 tomato (red)", "2 carrot; carrot is orange; 1 tomato; tomato is red"),
        ("two fish were in the pond", "2 fish; other in the pond"),
    ],
)
def test_counts_and_lists(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("text", "object"),
    [
        ("a red fire hydrant", "fire hydrant"),
        ("a polar bear", "polar bear"),
        ("three fridge magnets", "fridge magnet"),
        ("a blue mouse mat", "mouse mat"),
        ("a fire station on red", "fire station"),
        ("two wine glasses", "wine glass"),
        ("a red orange", "orange"),
        ("a glass of water", "glass of water"),
    ],
)
def test_compound_nouns_are_read_by_their_head(text: str, object: str) -> None:
    shown = [want for want in read(text) if want.kind in ("object", "count")]
    assert [(want.subject, want.flag) for want in shown] == [(object, "outside")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Umbrella. Colour: black. Background: pink.", "umbrella; umbrella is black; background pink"),
        ("a fox. Orange, obviously.", "fox; fox is orange"),
        ("a house, a red one", "house; house is red"),
        ("a snowflake. White on blue.", "snowflake; snowflake is white; background blue"),
        ("a lion, and behind it all yellow", "lion; background yellow"),
        ("a tree on a white ground", "tree; background white"),
        ("I need a star. The background? Black, please.", "star; background black"),
        ("hot-pink owl on sky-blue", "owl; owl is pink; background blue"),
        ("Two gems. They are for us. Blue ones, on mint green.", "2 gem; gem is blue; background green"),
    ],
)
def test_colours_that_stand_apart(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


def test_odd_texts_do_not_break_it() -> None:
    for text in ("?", "1234567890", "and or with", "🙂 🙂", "no", "left of", "ñandú, ökö", "a", "x" * 4000):
        read(text)
        read(text, None)


BRIEFS = [json.loads(row) for row in (ROOT / "tests/data/briefs.jsonl").read_text().splitlines()]


def test_there_are_briefs_written_by_hand() -> None:
    assert len({brief["text"] for brief in BRIEFS}) == 60


@pytest.mark.parametrize("brief", BRIEFS, ids=lambda brief: brief["text"][:40])
def test_briefs_written_by_hand(brief: dict[str, Any]) -> None:
    """The whole reading with its flags, as a person wrote it down."""
    assert lines(brief["text"]) == set(brief["lines"])
    flags = {to_line(want): want.flag for want in read(brief["text"]) if want.flag}
    assert flags == brief["flags"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cat. Background: a coral reef.", "cat; background coral reef"),
        ("A cat and a dog, and left of the cat, a bee", "cat; dog; bee; bee left of cat"),
        (
            "A turtle on the left. Ideally a snail on the right.",
            "turtle; maybe snail; maybe snail right of turtle",
        ),
        ("Two walruses", "2 walrus"),
        ("A cat. Height: 300 px.", "cat; size 300 tall"),
        ("Two lenses", "2 lens"),
        ("Our best seller since May: pears. A cat on white.", "cat; background white"),
        ("A woman wearing a red hat", "woman; hat; hat is red; other woman wearing hat"),
    ],
)
@pytest.mark.xfail(
    strict=True, reason="known fault of the rules; once it is read right, move it to the tests above"
)
def test_known_faults(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Three stars. Blue. Pink background.", "3 star; star is blue; background pink"),
        (
            "There's a turtle on the left. There's a snail on the right.",
            "turtle; snail; snail right of turtle",
        ),
        ("Rabbit above, carrot below", "rabbit; carrot; rabbit above carrot"),
        ("an owl that is not brown", "owl; other not brown"),
        ("a rocket on a beach", "rocket; background beach"),
        ("rocket + moon on black", "rocket; crescent moon; background black"),
        ("a blue cat left of a red cat", "blue cat; red cat; blue cat left of red cat"),
        ("My request is a fox", "fox"),
        ("Three of these apples", "3 apple"),
        ("A cat and a dog. Both are red.", "cat; dog; cat is red; dog is red"),
        (
            "A jazzy walrus playing banjo on green",
            "walrus; walrus is jazzy; background green; other playing banjo",
        ),
        ("We will show it at the cat show. A fox.", "fox"),
        ("People must not appear. A fox.", "fox; no people"),
    ],
)
def test_briefs_as_people_write_them(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an apple, half red and half blue", "apple; apple is red and blue"),
        ("half red and half blue", "other half red and half blue"),
        ("a black and white cat on red", "cat; cat is black and white; background red"),
        ("three balloons: red, green and blue", "3 balloon; balloon is red and green and blue"),
        ("a cat on red or orange", "cat; background red or orange"),
        ("a clock showing three", "clock; other showing three"),
        ("a clock at ten past nine", "clock; other at ten past nine"),
        ("a sign showing three cats", "sign; 3 cat"),
        ("a 3-legged cat", "cat; cat is 3-legged"),
        ("a first-class train", "train"),
        ("two (2) lemons", "2 lemon"),
        ("a teddy bear, x3", "3 teddy bear"),
        ("2 x apple", "2 apple"),
        ("balloons: 3, white background", "3 balloon; background white"),
        ("zero dogs, one cat", "1 cat; no dog"),
        ("twenty-one pilots", "21 pilot"),
        ("a hundred stars", "100 star"),
        ("no more than four lemons", "4 lemon"),
        ("at least two owls", "2 owl"),
        ("more than two keys", "3 key"),
        ("between 2 and 4 owls", "2 owl"),
        ("a bridge over two rivers", "bridge; 2 river; bridge above river"),
        ("either a cat or a dog on blue", "background blue; other a cat or a dog"),
        ("a cat instead of a dog", "cat; no dog"),
        ("two apples, one red and one green", "2 apple; other one red and one green"),
        ("a rose, but please don't make it yellow", "rose; other not yellow"),
        ("a cat, transparent background", "cat; other transparent background"),
        ("our logo with a lion", "lion"),
        ("a wide banner with a train, 16:9", "train; size landscape"),
        ("a hero image with a puppy next to a bike", "dog; bicycle"),
        ("a lion, 1:1", "lion; size square"),
    ],
)
def test_what_is_easily_misread(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


@pytest.mark.parametrize(
    "text",
    [
        "Ein roter Apfel auf blauem Hintergrund",
        "un gato negro sobre fondo blanco",
        "trois croissants sur fond rose, sans texte",
        "drie tulpen met een gele achtergrond",
        "赤いりんご",
        "красное яблоко на белом фоне",
    ],
)
def test_another_language_is_not_turned_into_something(text: str) -> None:
    wants = read(text)
    assert [(w.kind, w.value, w.flag) for w in wants] == [("other", text, "outside")]
    assert "English only" in wants[0].note
    blocked = Reading(requirements=wants, reader="rules").blocked
    assert blocked
    assert "not understood" in blocked


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("make it pop", []),
        ("🐱 on a blue background", [("background blue", None)]),
        ("a five-star hotel", []),
        ("half green", []),
    ],
)
def test_what_the_rules_do_not_see_goes_to_a_person(text: str, rest: list[tuple[str, None]]) -> None:
    assert [(to_line(w), w.flag) for w in read(text)] == [*rest, (f"other {text}", "uncheckable")]


def test_a_background_alone_is_a_brief() -> None:
    assert lines("a plain blue background, flat style") == {"background blue", "style flat"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Could you sketch a fox for us?", "fox"),
        ("A sketch of a fox", "fox"),
        ("Please sketch one fox", "1 fox"),
        ("A fox in sketch style", "fox; style sketch"),
    ],
)
def test_a_word_for_asking_is_no_style(text: str, expected: str) -> None:
    assert lines(text) == set(expected.split("; "))


def test_a_definite_number_counts() -> None:
    assert lines("A cat above the two red dogs") == {"cat", "2 dog", "dog is red", "cat above dog"}
