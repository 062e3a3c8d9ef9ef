"""The measures of reading: sets of people's briefs, and the prompts of public benchmarks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.range import load_range
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.rules import found_in
from scripts.evaluation.reader import RANGE
from scripts.evaluation.reader_public import geneval, numeracy, silent
from scripts.evaluation.reader_sets import Wanted, briefs_of, measured

MINI = load_range(RANGE)


def test_a_set_is_read_with_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "prose.tsv"
    path.write_text("Lion pub: a red cat\tcat; cat is red; ?other cute; PERSON: riding; ~lion\n")
    assert briefs_of(path) == [
        Wanted("Lion pub: a red cat", ("cat", "cat is red"), ("other cute",), ("riding",), ("lion",))
    ]
    path.write_text("a cat\tcat\na dog\n")
    with pytest.raises(ValueError, match=r"prose.tsv:2: a row has two columns"):
        briefs_of(path)


def result(brief: Wanted, *found: Found) -> tuple[int, int, int, int, int, int]:
    def read(text: str) -> Sequence[Found]:
        return found

    r = measured([brief], read, MINI)
    return r.matched, r.read - r.matched, r.exact, r.silent, r.misled, r.cautious


def test_what_is_counted() -> None:
    cat, dog, two = Found("object", "cat"), Found("object", "dog"), Found("count", "cat", "2")
    unread = Found("other", NOT_UNDERSTOOD, "riding")
    brief = Wanted("a cat", ("cat",))
    assert result(brief, cat) == (1, 0, 1, 0, 0, 0)
    assert result(brief, cat, dog) == (1, 1, 0, 0, 0, 0)
    assert result(brief) == (0, 0, 0, 0, 0, 0)
    assert result(brief, Found("count", "cat", "1")) == (1, 0, 1, 0, 0, 0)
    assert result(Wanted("two cats", ("2 cat",)), cat) == (0, 0, 0, 0, 0, 0)
    assert result(Wanted("two cats", ("2 cat",)), two) == (1, 0, 1, 0, 0, 0)
    assert result(brief, cat, unread) == (1, 0, 0, 0, 0, 1)
    person = Wanted("a cat riding", ("cat",), person=("riding",))
    assert result(person, cat) == (1, 0, 0, 1, 0, 0)
    assert result(person, cat, unread) == (1, 0, 1, 0, 0, 0)
    pub = Wanted("Dog pub: a cat", ("cat",), context=("dog",))
    assert result(pub, cat, dog) == (1, 1, 0, 0, 1, 0)


def test_the_truth_of_public_prompts(tmp_path: Path) -> None:
    row = {
        "tag": "position",
        "include": [
            {"class": "cow", "count": 1, "color": "red"},
            {"class": "bus", "count": 1, "position": ["left of", 0]},
        ],
        "prompt": "a photo of a bus left of a red cow",
    }
    path = tmp_path / "geneval.jsonl"
    path.write_text(json.dumps(row))
    assert geneval(path)[0].lines == ("cow", "cow is red", "bus", "bus left of cow")
    path.write_text("three bears, two mice and one fish were in the pond\n")
    assert numeracy(path)[0].lines == ("3 bear", "2 mouse", "1 fish")


def test_a_prompt_is_silent_where_an_unknown_thing_leaves_no_trace() -> None:
    text = "a cat and a zorp"
    assert silent(text, [Found("object", "cat")], MINI)
    assert not silent(text, found_in(text, MINI), MINI)
    assert not silent("a cat and a red dog", [Found("object", "cat")], MINI)  # no unknown word
