"""Figures, tables and contact sheets of the evaluation."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from models.mini.dataset.scene import Fact
from pipeline.events import Status
from scripts.evaluation.cases import Case
from scripts.evaluation.sheets import save_sheets, sheet
from scripts.evaluation.tables import Result, markdown, share, summaries

CAT = Case("prose", "a cat, please, for the door of my shop", (Fact("object", "cat"),))
PERSON = Case("outside", "a cat in the park", (Fact("object", "cat"),), person=("in the park",))
UNKNOWN = Case("loose", "two roses", (), closed=False)


def result(case: Case, status: Status, *objections: str) -> Result:
    return Result(
        case, {"first": (), "loop": objections}, Image.new("RGB", (64, 64), "pink"), status, images=2
    )


def test_shares_have_wilson_intervals() -> None:
    assert share(0, 0) == "-"
    assert share(0, 100) == "0 (0–4)"
    assert share(48, 100) == "48 (38–58)"


def test_what_is_counted() -> None:
    results = [
        result(CAT, "accepted"),
        result(CAT, "accepted", "also shows a dog"),
        result(CAT, "exhausted"),
        result(CAT, "needs_review", "something unclear at the left"),
        result(PERSON, "accepted"),
        result(PERSON, "needs_review"),
        result(UNKNOWN, "accepted"),
    ]
    prose, outside, loose = summaries(results, {})
    assert prose.counts == {
        "accepted": (2, 4), "accepted but wrong": (1, 2), "met and accepted": (1, 4),
        "right but rejected": (1, 4), "needs a person": (1, 4), "first met": (4, 4),
    }  # fmt: skip
    assert prose.means["images"] == 2
    assert outside.counts["accepted but wrong"] == (1, 1)
    assert outside.counts["met and accepted"] == (0, 0)
    assert outside.counts["right but rejected"] == (0, 0)
    assert loose.counts["met and accepted"] == (0, 0)


def test_a_brief_that_ended_without_a_picture_is_not_met() -> None:
    (row,) = summaries([Result(CAT, status="failed")], {})
    assert row.counts["met and accepted"] == (0, 1)
    assert row.counts["right but rejected"] == (0, 1)


def test_a_group_follows_its_last_kind() -> None:
    other = Case("position", "a cat above a dog", ())
    rows = summaries([result(c, "accepted") for c in (CAT, other, PERSON)], {"tidy": ("prose", "position")})
    assert [(row.kind, row.briefs) for row in rows] == [
        ("prose", 1), ("position", 1), ("tidy", 2), ("outside", 1),
    ]  # fmt: skip
    lines = markdown(rows).splitlines()
    assert len(lines) == 6
    assert len({line.count("|") for line in lines}) == 1
    assert "| 0 of 1: 0 (0–79) |" in lines[2]


def test_of_the_image_model_alone_only_first_pictures_count() -> None:
    (row,) = summaries([Result(CAT, {"first": ("shows no cat",)})], {})
    assert row.counts == {"first met": (0, 1)}


def test_all_accepted_pictures_are_on_sheets(tmp_path: Path) -> None:
    results = [result(CAT, "accepted") for _ in range(61)] + [result(CAT, "exhausted")]
    files = save_sheets(results, tmp_path)
    assert [file.name for file in files] == [
        "prose-accepted-1.png", "prose-accepted-2.png", "prose-not-accepted-1.png",
    ]  # fmt: skip
    with Image.open(files[0]) as first, Image.open(files[1]) as second:
        assert first.width > 9 * second.width


def test_the_frame_is_red_where_the_examiner_objects() -> None:
    right, wrong = sheet([result(CAT, "accepted")]), sheet([result(CAT, "accepted", "also shows a dog")])
    at = (12, 12)
    assert right.getpixel(at) != wrong.getpixel(at)
    red, green, _ = wrong.getpixel(at)  # type: ignore[misc]
    assert red > 2 * green
    assert wrong.height > right.height  # the objection is written below
    person = sheet([result(PERSON, "accepted")])
    assert person.getpixel(at) == wrong.getpixel(at)
