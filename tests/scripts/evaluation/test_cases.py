"""Sets of briefs: what a line says, what is refused, and that the sets of the repository can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.mini.dataset.scene import Fact
from scripts.evaluation.cases import BRIEFS, Case, SetError, fact_of, read_set, read_sets


def read(folder: Path, line: str, **more: bool) -> Case:
    file = folder / "prose.tsv"
    file.write_text(line + "\n", encoding="utf-8")
    (case,) = read_set(file, **more)
    return case


@pytest.mark.parametrize(
    ("want", "fact"),
    [
        ("cup with straw", Fact("object", "cup with straw")),
        ("3 hot dog", Fact("count", "hot dog", "3")),
        ("cat is red", Fact("attribute", "cat", "red")),
        ("cat left of dog", Fact("relation", "cat", "left", "dog")),
        ("fire engine below top hat", Fact("relation", "fire engine", "below", "top hat")),
        ("background pink", Fact("background", value="pink")),
        ("style cartoon", Fact("style", value="cartoon")),
        ("no dog", Fact("absence", "dog")),
        ("no text", Fact("absence", "text")),
        ("~dog", Fact("absence", "dog")),
    ],
)
def test_a_want_is_a_fact(want: str, fact: Fact) -> None:
    assert fact_of(want) == fact


def test_a_line_says_what_must_what_may_and_what_only_a_person_can_judge(tmp_path: Path) -> None:
    case = read(
        tmp_path,
        "Bear ad: a cat, perhaps with a dog, in the park\tcat; ?dog; ?other ad; ~bear; PERSON: in the park",
    )
    assert case.kind == "prose"
    assert case.facts == (Fact("object", "cat"), Fact("absence", "bear"))
    assert case.optional == {"dog"}
    assert case.person == ("in the park",)
    assert case.closed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a wolf\twolf", "'wolf' is no object"),
        ("a cat", "expected one tab, found 0"),
        ("a cat\tcat\tdog", "expected one tab, found 2"),
        ("a cat\t", "at least one want"),
        ("a teal cat\tcat; cat is teal", "'teal' is no colour"),
        ("a red cat\tcat is red", "'cat'"),
        ("a cat\tcat; no cat", "must show and must not show"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SetError, match=r"prose\.tsv, line 1: .*" + words):
        read(tmp_path, line)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetError, match="holds no sets"):
        read_sets(tmp_path)


def test_loose_sets_may_lack_wants_or_have_others(tmp_path: Path) -> None:
    unknown = read(tmp_path, "two roses", loose=True)
    assert unknown.facts == ()
    assert not unknown.closed
    other = read(tmp_path, "ein Hund auf rot\tLANG; background red", loose=True)
    assert other.person == ("LANG",)
    assert other.facts == (Fact("background", value="red"),)
    ruled_out = read(tmp_path, "a cat, not a dog\tdog", loose=True, ruled_out=True)
    assert ruled_out.facts == (Fact("absence", "dog"),)
    assert not ruled_out.closed


def test_the_sets_of_the_repository_can_be_read() -> None:
    cases = read_sets(BRIEFS)
    count = {kind: sum(c.kind == kind for c in cases) for kind in {c.kind for c in cases}}
    assert count == {
        "negation": 40, "outside": 40, "preamble": 40, "prose": 100, "same_colour": 30, "several": 30,
    }  # fmt: skip
    assert len({case.text for case in cases}) == len(cases)
    assert all(case.person for case in cases if case.kind == "several")
    assert sum(bool(case.person) for case in cases if case.kind == "outside") >= 34
    assert any(fact.kind == "absence" for case in cases if case.kind == "negation" for fact in case.facts)
