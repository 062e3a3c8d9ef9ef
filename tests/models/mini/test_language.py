"""The grammar of briefs: what it asks for is in the text, and testing keeps its words to itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.english import plural
from models.mini.dataset.language import Pair, Split, wordings, write
from pipeline.reading.requirements import from_line, to_line


def pairs(split: Split, count: int = 400, seed: int = 0) -> list[Pair]:
    rng = np.random.default_rng(seed)
    return [write(rng, split) for _ in range(count)]


def subjects(written: list[Pair]) -> set[str]:
    """The objects that the lines name."""
    found = [from_line(line) for pair in written for line in pair.lines]
    return {name for item in found if item is not None for name in (item.subject, item.other)}


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_line_has_a_form_the_stage_reads(split: Split) -> None:
    for pair in pairs(split):
        assert pair.lines
        for line in pair.lines:
            found = from_line(line)
            assert found is not None, line
            assert to_line(found) == line


# Words of the form of a line, which a brief may put differently ("beneath" for "below").
FORM = frozenset(
    ("maybe", "no", "is", "of", "left", "right", "above", "below", "background", "style", "other", "size", "contrast",
     "palette", "high", "low", "wide", "tall", "square", "x")  # x: 256x64
)  # fmt: skip
IRREGULAR = {"child": "children", "foot": "feet", "man": "men", "woman": "women"}


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_what_is_asked_is_said(split: Split) -> None:
    """Each word of a line stands in the brief, in the singular or the plural."""
    for pair in pairs(split):
        said = set(re.findall(r"[a-z]+", pair.text.lower()))
        for line in pair.lines:
            for word in set(re.findall(r"[a-z]+", line.lower())) - FORM:
                assert {word, plural(word), IRREGULAR.get(word, word)} & said, (pair, word)


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
    assert not nouns & subjects(pairs("train", 1500))
    assert nouns & subjects(pairs(split, 500))


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
