"""Editing requirements in words, and what the page makes of records."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.brief import Requirement
from pipeline.config import load_preset
from pipeline.errors import OutputError
from ui.desk import limits, settings_in
from ui.parts import wants_list
from ui.wants import Draft, Edit, edited, quick

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


def png(path: Path, text: str | None, size: tuple[int, int] = (8, 8)) -> Path:
    info = PngInfo()
    if text is not None:
        info.add_itxt("easel", text)
    Image.new("RGB", size).save(path, pnginfo=info)
    return path


def test_settings_come_out_of_a_png(tmp_path: Path) -> None:
    record = {
        "brief": {"text": TEXT, "seed": 3}, "preset": "mini", "candidate": {"plan": {"seed": 5}},
        "requirements": [{"id": "r1", "kind": "object", "subject": "panda", "text": "a panda"}],
    }  # fmt: skip
    task = settings_in(png(tmp_path / "a.png", json.dumps(record)))
    assert (task.brief.text, task.brief.seed, task.preset) == (TEXT, 5, "mini")
    assert [want.text for want in task.brief.requirements or ()] == ["a panda"]


@pytest.mark.parametrize(
    "text", [None, "not json", "[]", '{"brief": {"text": ""}}', '{"brief": 3, "preset": 1}']
)
def test_other_pictures_are_refused_in_a_sentence(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(OutputError, match="record"):
        settings_in(png(tmp_path / "a.png", text))


def test_no_picture_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"GIF89a" + b"\0" * 40)
    with pytest.raises(OutputError, match="not a PNG"):
        settings_in(path)
    with pytest.raises(OutputError, match="wider or taller"):
        settings_in(png(path, None, (9_000, 1)))
