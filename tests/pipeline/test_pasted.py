"""Generation parameters that were pasted as a brief."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.brief import Brief
from pipeline.painting.prompt import Ask, template
from pipeline.pasted import Pasted, parted
from pipeline.range import load_range
from pipeline.reading.requirements import read

RANGE = load_range("models/mini/range.json")
PASTED = (
    "a cat on blue. Negative prompt: dog, (text:1.2), people, blurry "
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 17, Size: 512x512"
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (PASTED, Pasted("a cat on blue", ("dog", "text", "people", "blurry"))),
        ("a cat, negative prompt: dog", Pasted("a cat", ("dog",))),
        ("a cat Steps: 30, CFG scale: 7", Pasted("a cat")),
        ("steps: 3, all of stone", Pasted("steps: 3, all of stone")),
        ("a cat, negative prompt - dog", Pasted("a cat", ("dog",))),
        (
            'a mug with the text "Negative prompt: dogs"',
            Pasted('a mug with the text "Negative prompt: dogs"'),
        ),
        ("a cat", Pasted("a cat")),
    ],
)
def test_the_parts(text: str, parts: Pasted) -> None:
    assert parted(text) == parts


def test_each_line_of_a_negative_prompt_is_an_item() -> None:
    brief = Brief(
        text="a cat\non a blue sofa\n\nNegative prompt:\ndogs,\npeople\nSteps: 20, Sampler: Euler a"
    )
    assert (brief.wanted, brief.unwanted) == ("a cat on a blue sofa", ("dogs", "people"))


def test_what_must_not_show_alone_is_no_brief() -> None:
    with pytest.raises(ValidationError, match="says only what must not show"):
        Brief(text="Negative prompt: cat, dog")


def test_it_is_read_without_the_parameters() -> None:
    (reading,) = read([Brief(text=PASTED)], None, RANGE).each
    said = {(want.kind, want.text, want.must) for want in reading.requirements}
    assert said == {
        ("object", "a cat", True),
        ("background", "the background is blue", True),
        ("absence", "no dog", True),
        ("absence", "no text", True),
        ("absence", "no people", True),
        ("other", "no blurry", False),
    }


def test_a_model_without_a_range_is_asked_for_what_is_wanted_alone() -> None:
    brief = Brief(text=PASTED)
    (reading,) = read([brief], None, None).each
    prompt = template(Ask(brief=brief, requirements=reading.requirements, anything=True))
    assert prompt.text == "a cat on blue"
    assert "dog" in prompt.negative
