"""The grammar of briefs: what it asks for is in the text, and testing keeps its words to itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.mini.dataset.language import Pair, Split, wordings, write
from pipeline.reading.requirements import from_line, to_line


def pairs(split: Split, count: int = 400, seed: int = 0) -> list[Pair]:
    rng = np.random.default_rng(seed)
    return [write(rng, split) for _ in range(count)]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_line_has_a_form_the_stage_reads(split: Split) -> None:
    for pair in pairs(split):
        assert pair.lines
        for line in pair.lines:
            found = from_line(line)
            assert found is not None, line
            assert to_line(found) == line


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_what_is_asked_is_said(split: Split) -> None:
    """Each word of a line stands in the brief, in the singular or the plural."""
    own = {
        "background",
        "style",
        "size",
        "contrast",
        "palette",
        "other",
        "maybe",
        "no",
        "is",
        "left",
        "right",
    }
    irregular = {"mouse", "man", "woman", "foot"}
    own |= {"high", "low", "of", "above", "below", "wide", "tall", "square"}
    for pair in pairs(split):
        text = pair.text.lower()
        for line in pair.lines:
            for word in re.findall(r"[a-z]{3,}", line.lower()):
                stem = word[:-2] if word in ("knife", "wolf", "leaf", "mouse", "cactus") else word[:-1]
                assert word in own or stem[: max(3, len(stem))] in text or word in irregular, (pair, word)


def test_no_brief_holds_an_unfilled_slot() -> None:
    for split in ("train", "dev", "test"):
        for pair in pairs(split):
            assert not set("{}|") & set(pair.text), pair.text


def test_the_same_seed_gives_the_same_briefs() -> None:
    assert pairs("train", 50, 3) == pairs("train", 50, 3)
    assert pairs("train", 50, 3) != pairs("train", 50, 4)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_training_never_sees_other_splits_nouns(split: Split) -> None:
    nouns = set(wordings()["nouns"][split])
    assert not nouns & set(wordings()["nouns"]["train"])
    seen = {line for pair in pairs("train", 1500) for line in pair.lines}
    assert not nouns & seen
    asked = {line for pair in pairs(split, 500) for line in pair.lines}
    assert nouns & asked


def test_no_wording_is_in_two_splits() -> None:
    def check(node: object, path: str) -> None:
        if isinstance(node, dict) and set(node) == {"train", "dev", "test"}:
            if isinstance(node["train"], list):
                for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
                    shared = set(node[one]) & set(node[other]) - {"{x}"}  # the bare request
                    assert not shared, (path, shared)
        elif isinstance(node, dict):
            for key, inner in node.items():
                check(inner, key)

    check(wordings(), "")


def test_it_writes_of_everything() -> None:
    kinds = {from_line(line).kind for pair in pairs("train") for line in pair.lines}  # type: ignore[union-attr]
    assert kinds == {
        "object", "count", "attribute", "relation", "background", "style", "absence", "technical", "other",
    }  # fmt: skip
    assert any(line.startswith("maybe ") for pair in pairs("train") for line in pair.lines)
