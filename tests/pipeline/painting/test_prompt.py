from __future__ import annotations

import json

import pytest

from pipeline.brief import Brief
from pipeline.painting.prompt import Ask, accepted, describe, is_prompt, mentions, own_words, template, write
from pipeline.range import load_range
from pipeline.reading.requirements import read

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
