"""The range file and the flags that follow from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.mini.dataset.synonyms import drawable
from pipeline.brief import Requirement
from pipeline.errors import ConfigError
from pipeline.range import Range, load_range
from pipeline.reading.flags import flagged

FILE = Path(__file__).parents[2] / "models/mini/range.json"
RANGE = load_range(FILE)


def want(id: str, kind: str, subject: str = "", value: str = "", other: str = "") -> Requirement:
    return Requirement.model_validate(
        {"id": id, "kind": kind, "subject": subject, "value": value, "other": other, "text": id}
    )


def flags(*wants: Requirement, limits: Range | None = RANGE) -> dict[str, str | None]:
    return {r.id: r.flag for r in flagged(wants, limits)}


def test_the_file_is_what_the_bundled_vocabulary_says() -> None:
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(drawable()))


def test_no_word_means_two_things() -> None:
    for words in (RANGE.objects, RANGE.colours, RANGE.styles):
        assert words is not None
        entries = [word for name, others in words.items() for word in {name, *others}]
        assert len(entries) == len(set(entries))


def test_a_missing_or_malformed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="correct it in the preset"):
        load_range(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"objects": 3}')
    with pytest.raises(ConfigError, match=r"bad\.json"):
        load_range(tmp_path / "bad.json")


ALWAYS, IN_RANGE, NEVER = (True, True), (True, False), (False, False)


@pytest.mark.parametrize(
    ("wants", "clash"),
    [
        ([want("a", "attribute", "apple", "red"), want("b", "attribute", "apple", "blue")], IN_RANGE),
        ([want("a", "attribute", "apple", "red"), want("b", "attribute", "cat", "blue")], NEVER),
        ([want("a", "attribute", "cat", "red"), want("b", "attribute", "cat", "smiling")], NEVER),
        ([want("a", "attribute", "crown", "red"), want("b", "attribute", "crown", "golden")], NEVER),
        ([want("a", "count", "cat", "2"), want("b", "count", "cat", "3")], ALWAYS),
        ([want("a", "background", value="red"), want("b", "background", value="blue")], IN_RANGE),
        ([want("a", "background", value="red"), want("b", "background", value="a harbour")], NEVER),
        ([want("a", "style", value="flat"), want("b", "style", value="cartoon")], IN_RANGE),
        ([want("a", "style", value="minimalist"), want("b", "style", value="vector")], NEVER),
        ([want("a", "style", value="cinematic"), want("b", "style", value="photorealistic")], NEVER),
        ([want("a", "technical", "palette", "blue"), want("b", "technical", "palette", "orange")], IN_RANGE),
        ([want("a", "technical", "contrast", "high"), want("b", "technical", "contrast", "low")], ALWAYS),
        ([want("a", "object", "cat"), want("b", "absence", "cat")], ALWAYS),
        ([want("a", "count", "cat", "2"), want("b", "absence", "cat")], ALWAYS),
        ([want("a", "action", "cat", "sleeping"), want("b", "absence", "cat")], ALWAYS),
        ([want("a", "object", "dog"), want("b", "absence", "cat")], NEVER),
        ([want("a", "relation", "cat", "left", "dog"), want("b", "relation", "cat", "right", "dog")], ALWAYS),
        ([want("a", "relation", "cat", "left", "dog"), want("b", "relation", "dog", "left", "cat")], ALWAYS),
        (
            [want("a", "relation", "cat", "left", "dog"), want("b", "relation", "cat", "above", "dog")],
            IN_RANGE,
        ),
        ([want("a", "relation", "cat", "left", "dog"), want("b", "relation", "dog", "right", "cat")], NEVER),
        ([want("a", "technical", "size", "64x64"), want("b", "technical", "size", "128x128")], ALWAYS),
        ([want("a", "technical", "size", "64x64"), want("b", "technical", "contrast", "high")], NEVER),
    ],
)
def test_contradictions(wants: list[Requirement], clash: tuple[bool, bool]) -> None:
    """Within the bundled range, and where the range is open."""
    in_range, open_ = clash
    assert [flag == "contradiction" for flag in flags(*wants).values()] == [in_range] * 2
    assert [flag == "contradiction" for flag in flags(*wants, limits=None).values()] == [open_] * 2


def test_a_contradiction_names_what_it_contradicts() -> None:
    wants = flagged([want("a", "count", "cat", "2"), want("b", "count", "cat", "3")], RANGE)
    assert "“b”" in wants[0].note
    assert "“a”" in wants[1].note


def test_other_wants_are_uncheckable_whatever_the_range() -> None:
    assert flags(want("a", "other", value="feels premium"), limits=None) == {"a": "uncheckable"}


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        (want("a", "object", "wolf"), "dog"),
        (want("a", "object", "polar bear"), "bear"),
        (want("a", "object", "croissnat"), "croissant"),
        (want("a", "attribute", "cat", "teal"), "blue"),
        (want("a", "background", value="turquoise"), "blue"),
        (want("a", "style", value="watercolour"), "cartoon"),
        (want("a", "relation", "wolf", "left", "cat"), "dog"),
    ],
)
def test_outside_names_the_nearest(wanted: Requirement, near: str) -> None:
    (marked,) = flagged([wanted], RANGE)
    assert marked.flag == "outside"
    assert f"“{near}”" in marked.note
    assert flagged([wanted], None)[0].flag is None


def test_where_nothing_is_near_nothing_is_named() -> None:
    (marked,) = flagged([want("a", "object", "parliament")], RANGE)
    assert marked.flag == "outside"
    assert "nearest" not in marked.note


def test_counts_and_combinations_beyond_the_range() -> None:
    assert flags(want("a", "count", "cat", "5")) == {"a": "outside"}
    assert flags(want("a", "count", "cat", "4")) == {"a": None}
    assert flags(want("a", "count", "cat", "2"), want("b", "object", "dog")) == {"a": "outside", "b": None}
    assert flags(want("a", "count", "cat", "1"), want("b", "object", "dog")) == {"a": None, "b": None}
    three = [want(id, "object", name) for id, name in (("a", "cat"), ("b", "dog"), ("c", "bee"))]
    assert flags(*three) == {"a": None, "b": None, "c": "outside"}


def test_what_must_not_show_need_not_be_drawable() -> None:
    assert flags(want("a", "absence", "people")) == {"a": None}


def test_flags_are_set_anew() -> None:
    marked = flagged([want("a", "count", "cat", "2"), want("b", "count", "cat", "3")], RANGE)
    assert flags(marked[0]) == {"a": None}


def test_a_part_that_the_art_always_shows_cannot_be_left_out() -> None:
    cake, candle = want("cake", "object", "birthday cake"), want("bare", "absence", "candle")
    assert flags(cake, candle) == {"cake": None, "bare": "outside"}
    assert flags(want("cat", "object", "cat"), candle) == {"cat": None, "bare": None}
