"""From briefs to requirements: lines, the two readings as one, and what happens when the model is no use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from models.protocols import Identity, JsonSchema, Message, ModelError, Text
from pipeline.brief import Brief
from pipeline.range import load_range
from pipeline.requirements import (
    EXAMPLES,
    SCHEMA,
    answer_of,
    combined,
    conversation,
    from_line,
    parsed,
    read,
    to_line,
)
from pipeline.rules import found_in
from tests.pipeline.test_range import FILE

RANGE = load_range(FILE)


class Babbler:
    """A real, tiny, randomly initialised language model that knows no schema."""

    identity = Identity("transformers", "some/babbler", "0", "cpu", "float32")

    def __init__(self) -> None:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=128, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
        )
        self.model = LlamaForCausalLM(config).eval()
        self.calls: list[int] = []

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: JsonSchema | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        import torch

        self.calls.append(len(conversations))
        texts = []
        for turns in conversations:
            codes = [ord(c) % 128 for c in turns[-1].content[:20]]
            out: Any = self.model.generate(
                torch.tensor([codes]), max_new_tokens=12, do_sample=False, pad_token_id=0
            )
            text = "".join(chr(32 + int(t) % 90) for t in out[0, len(codes) :])
            texts.append(Text(text, len(codes), 12, "length"))
        return texts


class Absent(Babbler):
    """A model whose server went away."""

    def generate(self, *args: Any, **kwargs: Any) -> list[Text]:
        raise ModelError("no server answers; start it")


def lines(text: str, said: Sequence[str]) -> set[str]:
    """What comes of a brief when the model wrote these lines."""
    answer = parsed(answer_of(said))
    assert isinstance(answer, list)
    return {to_line(found) for found in combined(text, found_in(text, RANGE), answer, RANGE)}


@pytest.mark.parametrize(
    "line",
    [
        "cat",
        "3 croissant",
        "apple is light blue",
        "cat left of dog",
        "cup with straw above hot dog",
        "background city skyline",
        "style flat",
        "no text",
        "size 256x256",
        "size 512 wide",
        "contrast high",
        "palette blue",
        "other feel premium",
        "maybe background red",
    ],
)
def test_a_line_is_read_back_as_it_was(line: str) -> None:
    found = from_line(line)
    assert found is not None
    assert to_line(found) == line


@pytest.mark.parametrize("line", ["", "3", "size big", "contrast medium", "background ", "  "])
def test_a_line_without_form_is_left_out(line: str) -> None:
    assert from_line(line) is None


def test_the_examples_fit_the_form() -> None:
    for text, said in EXAMPLES:
        assert parsed(answer_of(said)) == [from_line(line) for line in said]
        assert lines(text, said) >= set(said)
    assert SCHEMA["properties"]["wants"]["maxItems"] >= max(len(said) for _, said in EXAMPLES)


def test_prompts() -> None:
    bare, instructed = conversation("a cat", "bare"), conversation("a cat", "instructed")
    assert bare[-1] == instructed[-1] == Message("user", "a cat")
    assert sum(len(m.content) for m in bare) < 60 < sum(len(m.content) for m in instructed)


@pytest.mark.parametrize(
    "text", ["", "no", "{", '{"wants": 3}', '{"wants": [1]}', '["cat"]', '{"wants":["cat"']
)
def test_what_is_no_answer_says_so(text: str) -> None:
    assert isinstance(parsed(text), str)


def test_words_around_the_json_do_no_harm() -> None:
    assert parsed('Sure!\n```json\n{"wants": ["cat"]}\n```') == [from_line("cat")]


def test_what_the_model_invents_is_dropped() -> None:
    said = [
        "cat",
        "dog",
        "cat is red",
        "background green",
        "style flat",
        "2 cat",
        "no text",
        "other feel warm",
    ]
    assert lines("A cat, please.", [*said, "cat left of dog", "size 64x64"]) == {"cat"}


def test_what_the_model_misses_is_kept_where_the_rules_are_sure() -> None:
    assert lines("Two red cats on white", ["2 cat"]) == {"2 cat", "cat is red", "background white"}


def test_a_guess_of_the_rules_stands_only_with_the_model() -> None:
    text = "Draw a cat and a thingamajig."
    assert lines(text, ["cat", "thingamajig"]) == {"cat", "thingamajig"}
    assert lines(text, ["cat"]) == {"cat"}


def test_the_model_finds_what_the_rules_do_not_know() -> None:
    text = "Jazzy walrus playing banjo on green"
    assert "walrus" not in {to_line(f) for f in found_in(text, RANGE)}
    assert "walrus" in lines(text, ["walrus", "background green"])


def test_the_model_may_use_the_words_of_the_brief() -> None:
    assert lines("Two puppies", ["2 puppy"]) == {"2 dog"}
    assert lines("A crimson bike", ["bike", "bike is crimson"]) == {"bicycle", "bicycle is red"}


def test_a_colour_is_given_out_once() -> None:
    text = "A red cat and a blue dog on a white background"
    wrong = ["cat", "cat is blue", "dog", "dog is red", "background red"]
    assert lines(text, wrong) == lines(text, ["cat", "dog"])


def test_a_turned_relation_is_not_said_twice() -> None:
    text = "A cat to the left of a dog"
    assert lines(text, ["cat", "dog", "dog right of cat"]) == {"cat", "dog", "cat left of dog"}
    assert lines(text, ["cat", "dog", "dog left of cat"]) == {"cat", "dog", "cat left of dog"}


def test_without_a_model_the_rules_read() -> None:
    (reading,) = read([Brief(text="three croissants on pink")], None, RANGE)
    assert reading.reader == "rules"
    assert reading.degraded is None
    assert {r.text for r in reading.requirements} == {"three croissants", "the background is pink"}


def test_a_model_that_babbles_is_asked_twice_and_then_done_without() -> None:
    model = Babbler()
    readings = read([Brief(text="a cat"), Brief(text="a dog")], model, RANGE)
    assert model.calls == [2, 2]
    for reading, name in zip(readings, ("cat", "dog"), strict=True):
        assert reading.reader == "rules"
        assert reading.degraded is not None
        assert "JSON" in reading.degraded
        assert [r.subject for r in reading.requirements] == [name]


def test_a_model_that_fails_is_said_to_have_failed() -> None:
    (reading,) = read([Brief(text="a cat")], Absent(), RANGE)
    assert reading.reader == "rules"
    assert reading.degraded == "the text model failed: no server answers; start it"


def test_no_briefs_no_calls() -> None:
    model = Babbler()
    assert read([], model, RANGE) == []
    assert model.calls == []


def test_flags_are_set() -> None:
    (reading,) = read([Brief(text="A red apple, all blue, and it must feel premium.")], None, RANGE)
    assert reading.blocked
    assert {r.flag for r in reading.requirements} == {"contradiction", "uncheckable", None}
