"""Editing requirements in words, and what the page makes of records."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from pipeline.brief import Requirement
from pipeline.config import load_preset
from ui.desk import limits
from ui.parts import wants_list
from ui.wants import Draft, Edit, anew, edited, quick

TEXT = "a panda on a purple background, cartoon style"


def texts(draft: Draft) -> list[str]:
    return [want.text for want in draft.reading.requirements]


def test_a_brief_is_read_at_once() -> None:
    draft = quick(TEXT, "mini")
    assert texts(draft) == ["a panda", "the background is purple", "cartoon style"]
    assert not draft.settled
    assert quick("  ", "mini").reading.requirements == ()


@pytest.mark.parametrize(
    ("op", "id", "said", "result"),
    [
        ("drop", "r1", "", ["the background is purple", "cartoon style"]),
        ("edit", "r2", "blue background", ["a panda", "the background is blue", "cartoon style"]),
        ("edit", "r1", "two cats", ["two cats", "the background is purple", "cartoon style"]),
        ("edit", "r1", "", ["the background is purple", "cartoon style"]),
        ("add", "", "no text", ["a panda", "the background is purple", "cartoon style", "no text"]),
        (
            "add",
            "",
            "feels premium",
            ["a panda", "the background is purple", "cartoon style", "feels premium"],
        ),
        ("add", "", "cartoon style", ["a panda", "the background is purple", "cartoon style"]),
    ],
)
def test_edits(op: str, id: str, said: str, result: list[str]) -> None:
    draft = edited(quick(TEXT, "mini"), Edit(op=op, id=id, text=said))
    assert texts(draft) == result
    assert draft.settled
    assert [want.id for want in draft.reading.requirements] == [f"r{i}" for i in range(1, len(result) + 1)]


@pytest.mark.parametrize(
    ("said", "kind", "text", "flag"),
    [
        ("no dogs", "absence", "no dog", None),
        ("not a cat", "absence", "no cat", None),
        ("512x512", "technical", "512 × 512 pixels", None),
        ("no text", "absence", "no text", None),
        ("without a wick", "absence", "no wick", "uncheckable"),
        ("not cartoon", "other", "not cartoon", "uncheckable"),
        ("a photo, not cartoon", "other", "not cartoon", "uncheckable"),
        ("not in a cartoon style", "other", "not cartoon", "uncheckable"),
    ],
)
def test_one_want_is_one_requirement(said: str, kind: str, text: str, flag: str | None) -> None:
    (want,) = edited(Draft(), Edit(op="add", text=said)).reading.requirements
    assert (want.kind, want.text, want.flag) == (kind, text, flag)


def test_what_is_suggested_can_be_checked() -> None:
    suggested = re.findall("Add one: (.+?)…", wants_list((), "", None, None))[0]
    draft = edited(quick("a panda", "mini"), *(Edit(op="add", text=one) for one in suggested.split(",")))
    assert [want.flag for want in draft.reading.requirements] == [None] * 4


def test_must_have_and_nice_to_have() -> None:
    draft = edited(quick(TEXT, "mini"), Edit(op="must", id="r3"))
    assert [want.must for want in draft.reading.requirements] == [True, True, False]
    kept = edited(draft, Edit(op="edit", id="r3", text="flat style"))
    assert not kept.reading.requirements[2].must


def test_several_edits_mean_the_list_that_was_seen() -> None:
    draft = edited(
        quick(TEXT, "mini"), Edit(op="drop", id="r1"), Edit(op="edit", id="r3", text="flat style"),
        Edit(op="add", text="no text"), Edit(op="must", id="r3"), Edit(op="edit", id="r2", text="blue background"),
    )  # fmt: skip
    assert texts(draft) == ["the background is blue", "flat style", "no text"]
    assert [want.must for want in draft.reading.requirements] == [True, False, True]


def test_an_edited_list_comes_back_after_the_brief_changed() -> None:
    mine = edited(quick(TEXT, "mini"), Edit(op="drop", id="r2"), Edit(op="add", text="no dogs"))
    changed = anew(anew(mine, "a cow", "mini"), "a cow on a red background", "mini")
    assert texts(changed) == ["a cow", "the background is red"]
    back = edited(changed, Edit(op="back"))
    assert (texts(back), back.text) == (texts(mine), "a cow on a red background")
    assert back.settled
    assert not edited(changed, Edit(op="drop", id="r1")).before


def test_an_added_contradiction_is_pointed_out() -> None:
    draft = edited(quick(TEXT, "mini"), Edit(op="add", text="red background"))
    assert {want.flag for want in draft.reading.requirements if want.kind == "background"} == {
        "contradiction"
    }
    assert draft.reading.blocked is not None


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_a_budget_changes_the_preset() -> None:
    most = {
        "images": 24,
        "seconds": 1.5,
        "tokens": 2_000_000,
        "image_steps": 60,
        "joules": 1e7,
        "money": 0.25,
    }
    preset = load_preset("mini", limits(0.4, **most))
    assert {name: getattr(preset.loop, name) for name in most} == most
    assert preset.machine.price == 0.4
    assert limits(None, images=None, seconds=0) == ()


def test_foreign_words_stay_words() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    want = Requirement(id='r1"onfocus="x', kind="other", text=evil, flag="uncheckable", note=evil)
    reader = Tags()
    reader.feed(wants_list([want], evil, evil, evil))
    assert "script" not in reader.seen
    assert "img" not in reader.seen
