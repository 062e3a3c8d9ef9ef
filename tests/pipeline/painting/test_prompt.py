from __future__ import annotations

import pytest

from pipeline.brief import Brief
from pipeline.painting.prompt import Ask, describe, mentions, own_words, template, write
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


def test_the_users_words_are_untouched_and_absence_goes_to_the_negative() -> None:
    wanted = ask("A cat, but no dog, if you please!")
    prompt = own_words(wanted.brief, wanted.requirements)
    assert prompt.text == "A cat, but no dog, if you please!"
    assert prompt.negative == "dog"
    assert template(wanted).text == "a cat"


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
