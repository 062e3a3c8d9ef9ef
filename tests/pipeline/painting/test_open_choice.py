"""What the seed chooses of what a brief leaves open."""

from __future__ import annotations

from pathlib import Path

from pipeline.brief import Requirement
from pipeline.painting.open_choice import with_choice
from pipeline.painting.prompt import Prompt
from pipeline.range import load_range

RANGE = load_range(Path(__file__).parents[3] / "models/mini/range.json")
CAT = Requirement(id="r1", kind="object", subject="cat", text="a cat")


def chosen(text: str, *wants: Requirement, seeds: int = 12) -> list[str]:
    prompt = Prompt(text=text, origin="user")
    return [with_choice(prompt, wants, RANGE, seed).chosen for seed in range(seeds)]


def test_background_and_style_follow_the_seed() -> None:
    made = chosen("a fox", Requirement(id="r1", kind="object", subject="fox", text="a fox"))
    assert made[0] == ", white background, flat style"
    assert len(set(made)) == len(made)


def test_what_the_brief_names_is_not_chosen() -> None:
    blue = Requirement(id="r2", kind="background", value="blue", text="blue background")
    flat = Requirement(id="r3", kind="style", value="flat", text="flat style")
    assert all("background" not in words for words in chosen("a cat on a blue background", CAT, blue))
    assert all("style" not in words for words in chosen("a cat, flat style", CAT, flat))
    assert set(chosen("a cat on a blue background, flat style", CAT, blue, flat)) == {""}


def test_what_the_prompt_names_is_not_chosen() -> None:
    assert set(chosen("a cat, pink background, cartoon style", CAT)) == {""}


def test_things_stand_out_from_the_background() -> None:
    banana = Requirement(id="r1", kind="object", subject="banana", text="a banana")
    white = Requirement(id="r2", kind="attribute", subject="cat", value="white", text="the cat is white")
    assert not any("yellow background" in words for words in chosen("a banana", banana))
    assert not any("white background" in words for words in chosen("a white cat", CAT, white))


def test_the_words_of_the_brief_are_kept_apart() -> None:
    prompt = with_choice(Prompt(text="a cat", origin="user"), [CAT], RANGE, 3)
    assert prompt.text == f"a cat{prompt.chosen}"
    assert prompt.written == Prompt(text="a cat", origin="user")


def test_a_painter_of_anything_gets_the_prompt_as_it_is() -> None:
    prompt = Prompt(text="a cat", origin="user")
    assert with_choice(prompt, [CAT], None, 1) is prompt
    assert with_choice(prompt, [CAT], RANGE.model_copy(update={"grounds": {}}), 1) is prompt
