"""Answers held to the words of a brief: what the grammar of briefs asks for can be said, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from models.mini.dataset.language import Split, write
from pipeline.reading.copying import copying, lines
from pipeline.reading.requirements import SCHEMA, answer_of, schemas


def can_say(text: str, line: str) -> bool:
    return re.fullmatch(lines(text), line) is not None


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_nearly_every_line_of_the_grammar_can_be_said(split: Split) -> None:
    rng = np.random.default_rng(2)
    pairs = [write(rng, split) for _ in range(300)]
    said = [can_say(pair.text, line) for pair in pairs for line in pair.lines]
    assert np.mean(said) > 0.99


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("necklace", True),
        ("necklace is blue", True),
        ("necklace left of fox", True),
        ("maybe style low poly", True),
        ("2 fox", True),
        ("size 64x128", True),
        ("other feel of calm", True),
        ("narcene", False),
        ("necklace is red", False),
        ("style low fashion", False),
        ("2 foxes", False),
        ("3 fox", False),
        ("size 64x64", True),
        ("size 512x512", False),
        ("fox on the left", False),
    ],
)
def test_the_words_of_a_line_are_those_of_the_brief(line: str, fits: bool) -> None:
    text = "A blue necklace, two foxes, low poly fashion, 64 by 128. With a feel of calm."
    assert can_say(text, line) is fits


def test_each_brief_has_its_schema_where_the_model_learnt_to_copy() -> None:
    one, other = schemas(["a cat", "a dog"], "bare")
    assert one != other
    assert schemas(["un chat", "a dog"], "instructed") is SCHEMA
    assert copying("", SCHEMA)["properties"]["wants"]["items"]["pattern"] == "^maybe$"


def test_the_schema_guides_a_model(tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    from transformers import AutoTokenizer

    from models.text.grammar import Grammars
    from tests.models.text.tiny_text import save_tokenizer

    size = save_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    grammars = Grammars(tokenizer, size, [tokenizer.eos_token_id])
    brief = 'Zwei "Füchse" (rot) \\ {x} [y] a|b ^$, two foxes'
    for wanted, fits in ((["2 fox", "füchse is rot"], True), (["2 fox", "füchse is red"], False)):
        constraint = grammars.start(copying(brief, SCHEMA))
        tokens = tokenizer(answer_of(wanted), add_special_tokens=False)["input_ids"]
        assert (constraint._matcher.validate_tokens(tokens) == len(tokens)) is fits
