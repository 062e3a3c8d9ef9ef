from __future__ import annotations

import json

import pytest

from pipeline.brief import KINDS, Brief
from pipeline.painting.prompt import (
    Ask,
    Prompt,
    accepted,
    describe,
    is_prompt,
    mentions,
    own_words,
    template,
    write,
    writer_turns,
)
from pipeline.range import load_range
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import from_line, read
from pipeline.reading.rules import numbered

RANGE = load_range("models/mini/range.json")


def ask(text: str, **more: object) -> Ask:
    brief = Brief(text=text)
    return Ask(brief=brief, requirements=read([brief], None, RANGE).each[0].requirements, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("brief", "prompt"),
    [
        (
            "We need three croissants on pink, as a cartoon",
            "three croissants on a pink background, cartoon style",
        ),
        ("a puppy left of a bike", "a dog to the left of a bicycle"),
        ("the apple should be blue, flat design", "a blue apple, flat style"),
        ("a cat and a dog", "a cat and a dog"),
        ("An owl. It must feel premium. 256x256 please", "an owl"),
        ("two crimson foxes against a white backdrop", "two red foxes on a white background"),
    ],
)
def test_the_template_names_every_requirement(brief: str, prompt: str) -> None:
    assert describe(ask(brief).requirements) == prompt
    assert all(mentions(prompt, r) for r in ask(brief).requirements)


def test_the_users_words_are_untouched() -> None:
    wanted = ask("A cat, if you please!")
    prompt = own_words(wanted.brief, wanted.requirements)
    assert prompt is not None
    assert prompt.text == "A cat, if you please!"


def test_words_that_name_what_must_not_show_are_no_prompt() -> None:
    wanted = ask("A cat, but no dog, if you please!")
    assert own_words(wanted.brief, wanted.requirements) is None
    assert template(wanted).text == "a cat"
    assert template(wanted).negative == "dog"


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a cat on a red background", True),
        ("three blue cats", True),
        ("a cat to the left of a dog, flat style", True),
        ("we need a cat on a red background", False),  # who asks
        ("a kitten", False),  # not the range's word
        ("a cat, no dogs", False),
        ("a lovely cat that feels premium", False),
        ("a walrus", False),
    ],
)
def test_words_are_a_prompt_if_all_of_them_are_wants(text: str, prompt: bool) -> None:
    wanted = ask(text)
    assert is_prompt(wanted.brief, wanted.requirements) is prompt


@pytest.mark.parametrize(
    ("answer", "origin"),
    [
        ("three cats on a plain red background", "model"),
        ("three cats on a red background with a dog", "template"),
        ("three green cats on a red background", "template"),
        ("three cats", "template"),
        ("a red background", "template"),
    ],
)
def test_a_written_prompt_names_every_want_and_nothing_else(answer: str, origin: str) -> None:
    wanted = ask("three cats on a red background")
    assert accepted(wanted, json.dumps({"prompt": answer}), RANGE).origin == origin


def test_without_a_text_model_the_template_writes() -> None:
    assert [p.origin for p in write([ask("a cat"), ask("a dog")], None).each] == ["template", "template"]
    assert write([], None).each == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [("a cat on a red background", "three"), ("three cats", "red"), ("three dogs on red", "cat")],
)
def test_a_prompt_that_leaves_out_a_requirement_is_noticed(text: str, missing: str) -> None:
    wants = ask("three cats on a red background").requirements
    assert not all(mentions(text, r) for r in wants), missing


def open_ask(text: str, *lines: str, **more: object) -> Ask:
    """What the writer gets where the image model may be asked for anything."""
    wants = flagged(numbered([item for line in lines if (item := from_line(line))]), None, CHECKED)
    return Ask(brief=Brief(text=text), requirements=wants, anything=True, **more)  # type: ignore[arg-type]


CHECKED = frozenset(KINDS) - {"action", "setting", "text", "statement", "other"}
FOOTBALL = "Three children playing football in the rain, watercolour"
FOOTBALL_LINES = ("3 child", "child: playing football", "setting: in the rain", "style watercolour")


def test_in_an_open_range_the_brief_is_the_fallback() -> None:
    wanted = open_ask(FOOTBALL, *FOOTBALL_LINES)
    assert template(wanted) == Prompt(text=FOOTBALL, origin="user")
    assert accepted(wanted, '{"prompt": "three pupils"}', None).text == FOOTBALL


def test_the_fallback_does_not_name_what_must_not_show() -> None:
    wanted = open_ask("Perfume on marble, soft shadows, no people", "perfume", "no people")
    assert template(wanted) == Prompt(
        text="Perfume on marble, soft shadows", negative="people", origin="template"
    )
    shop = open_ask(
        "a shop front without any cars and no dog please, at dusk", "shop front", "no car", "no dog"
    )
    assert template(shop).text == "a shop front, at dusk"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a beach, no people or cars, at dusk", "a beach, at dusk"),
        ("a beach without any people, cars or a dog", "a beach"),
        ("a beach with no people and no cars at dusk", "a beach at dusk"),
        ("a beach with no people or umbrellas at dusk", "a beach at dusk"),
        ("no people, just a beach", "just a beach"),
        ("no people", "no people"),
        ("a beach for people who like cars", "a beach for people who like cars"),
    ],
)
def test_a_list_of_what_must_not_show_leaves_no_rest(text: str, left: str) -> None:
    assert template(open_ask(text, "beach", "no people", "no car", "no dog")).text == left


def test_in_an_open_range_the_writer_sees_the_whole_brief_with_what_failed() -> None:
    failed = ("three children (does not show three children)",)
    said = writer_turns(open_ask(FOOTBALL, *FOOTBALL_LINES, failed=failed, prompt_tokens=77))[-1].content
    assert f"Brief: {FOOTBALL}" in said
    assert "Wishes: three children; the children are playing football; in the rain; watercolour style" in said
    assert "Went wrong: three children (does not show three children)" in said
    assert "At most 51 words." in said


@pytest.mark.parametrize(
    ("limit", "characters", "tokens"), [(77, 308, 113), (512, 1024, 292), (None, 240, 96)]
)
def test_a_written_prompt_is_as_long_as_the_encoder_reads(
    limit: int | None, characters: int, tokens: int
) -> None:
    wanted = open_ask(FOOTBALL, *FOOTBALL_LINES, prompt_tokens=limit)
    assert wanted.form["properties"]["prompt"]["maxLength"] == characters
    assert wanted.answer_tokens == tokens


def test_a_list_that_the_brief_does_not_say_is_painted_whole() -> None:
    lines = (
        "2 owl",
        "owl: reading a book",
        "crown is red",
        "crown is gold",
        "setting: at night",
        "text: HOOT",
    )
    listed = open_ask("something with birds", *lines)
    brief = listed.brief.model_copy(update={"requirements": listed.requirements})
    prompt = template(listed.model_copy(update={"brief": brief})).text
    assert prompt == 'two owls and a red and gold crown, the owl reading a book, at night, the text "HOOT"'
    assert all(mentions(prompt, r) for r in listed.requirements)


@pytest.mark.parametrize(
    ("answer", "origin"),
    [
        ("three children in red shirts playing football", "user"),
        ("three children playing football in the rain, watercolour", "model"),
        ("three children playing football in heavy rain, watercolour painting", "model"),
    ],
)
def test_in_an_open_range_a_written_prompt_adds_no_colour_and_no_number(answer: str, origin: str) -> None:
    wanted = open_ask(FOOTBALL, *FOOTBALL_LINES)
    assert accepted(wanted, json.dumps({"prompt": answer}), None).origin == origin
