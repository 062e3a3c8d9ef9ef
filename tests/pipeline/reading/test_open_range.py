"""Reading where the image model may be asked for anything."""

from __future__ import annotations

import pytest

from pipeline.brief import KINDS, Brief
from pipeline.range import load_range
from pipeline.reading.consensus import combined
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import from_line, in_words, read, to_line
from pipeline.reading.rules import found_in, numbered
from tests.pipeline.test_range import FILE, want

WITHOUT_EYES = frozenset(KINDS) - {"action", "setting", "text", "statement", "other"}
WITH_EYES = frozenset(KINDS) - {"other"}


def both(text: str, *lines: str) -> list[str]:
    """The reading of a brief where the text model wrote these lines."""
    said = [item for line in lines if (item := from_line(line))]
    return [to_line(item) for item in combined(text, found_in(text), said, None)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "Kids building a sandcastle before sunset",
            ("3 child", "child: building a sandcastle", "setting: dusk"),
        ),
        ("a bowl of ripe plums, macro", ("bowl", "plum", "plum is ripe", "statement: close-up")),
        ("an owl in flight over a moor, 50mm lens", ("owl", "owl: flying", "moor", "statement: 50mm lens")),
    ],
)
def test_rules_take_nothing_back_from_the_text_model(text: str, lines: tuple[str, ...]) -> None:
    """Not even what the words of the brief do not support."""
    assert set(lines) <= set(both(text, *lines))


def test_words_that_nobody_understood_still_go_to_a_person() -> None:
    assert both("a lighthouse, glowering", "lighthouse") == ["lighthouse", "other glowering"]
    assert both("a lighthouse, glowering", "lighthouse", "lighthouse is glowering") == [
        "lighthouse",
        "lighthouse is glowering",
    ]


def test_what_rules_are_sure_of_completes_the_model() -> None:
    assert both("a heron, no boats, 512x512", "heron") == ["heron", "no boat", "size 512x512"]
    assert "5 heron" not in both("five herons", "4 heron")


@pytest.mark.parametrize("lines", [("orchard",), ("orchard", "apple"), ("apple", "no apple")])
def test_the_model_hides_no_absence_of_which_the_rules_are_sure(lines: tuple[str, ...]) -> None:
    found = both("an apple, but no apples", *lines)
    assert {*lines, "no apple"} <= set(found)
    assert len(found) == len(set(found))


def test_two_sizes_still_contradict_each_other() -> None:
    found = both("a cat, 64x64 pixels, 128x64 pixels", "cat")
    assert found == ["cat", "size 64x64", "size 128x64"]


def test_colours_of_one_palette_are_one_want() -> None:
    """Each of them cannot cover most of a picture; together they can."""
    text = "a robot, blue and orange palette"
    assert both(text, "robot", "palette blue", "palette orange") == ["robot", "palette blue and orange"]
    assert both("a robot, blue palette", "robot", "palette blue") == ["robot", "palette blue"]


def test_lettering_is_a_want_of_its_own() -> None:
    text = "a market stall with the text 'Fresh Figs'"
    assert [to_line(item) for item in found_in(text) if item.kind == "text"] == ["text: Fresh Figs"]
    assert "other the text “Fresh Figs”" in [to_line(item) for item in found_in(text, load_range(FILE))]


def test_what_no_judge_of_the_preset_checks_is_known_before_painting() -> None:
    wants = [
        want("a", "object", "heron"), want("b", "action", "heron", "fishing"), want("c", "setting", value="at dawn"),
        want("d", "text", value="EXIT"), want("e", "statement", value="fog"), want("f", "other", value="feels calm"),
    ]  # fmt: skip
    flags = {w.id: w.flag for w in flagged(wants, None, WITHOUT_EYES)}
    assert flags == {"a": None, **dict.fromkeys("bcdef", "uncheckable")}
    notes = {w.note for w in flagged(wants, None, WITHOUT_EYES) if w.id in "bcde"}
    assert notes == {"no judge of this preset can check this; a person decides"}
    assert {w.id: w.flag for w in flagged(wants, None, WITH_EYES)} == {
        **dict.fromkeys("abcde"),
        "f": "uncheckable",
    }
    bundled = {w.id: w.flag for w in flagged(wants, load_range(FILE), WITH_EYES)}
    assert bundled == {**dict.fromkeys("abcde", "outside"), "f": "uncheckable"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("child: playing football", "child: playing football"), ("setting: at night", "setting: at night"),
        ("text: OPEN", "text: OPEN"), ("glossy and wet", "statement: glossy and wet"), ("no text", "no text"),
    ],
)  # fmt: skip
def test_a_listed_want_says_its_kind(text: str, line: str) -> None:
    assert [to_line(item) for item in in_words(text, None, WITH_EYES)] == [line]
    brief = Brief(text="a market", must=(text,))
    (reading,) = read([brief], None, None, checked=WITH_EYES).each
    assert line in [to_line(r) for r in reading.requirements if r.must and not r.flag]


def test_without_a_judge_for_statements_a_person_decides() -> None:
    assert [item.kind for item in in_words("wet and glossy", load_range(FILE))] == ["other"]
    (wanted,) = numbered(in_words("child: playing football", None, WITHOUT_EYES))
    assert flagged([wanted], None, WITHOUT_EYES)[0].flag == "uncheckable"
    assert wanted.text == "the child is playing football"
