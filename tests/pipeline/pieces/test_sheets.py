"""Sticker sheets and icons: by pixels, and end to end with the bundled models. They need no browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.brief import Reading, Requirement
from pipeline.config import load_preset
from pipeline.errors import ConfigError
from pipeline.pieces.folder import PieceFolder
from pipeline.pieces.icon_step import icon, traced
from pipeline.pieces.image_step import without_spares
from pipeline.pieces.make import make
from pipeline.pieces.record import PartCheck, Picture, PieceOutcome
from pipeline.pieces.stickers import Layout, sheet
from pipeline.pieces.subjects import briefs_of_things, left_out
from pipeline.pieces.workflow import FOLDER, ImageStep, load_workflow
from pipeline.range import Range
from pipeline.store import Store

RED = (220, 40, 40)


def disc(width: int = 200, height: int = 200) -> Image.Image:
    image = Image.new("RGBA", (width, height))
    ImageDraw.Draw(image).ellipse((0, 0, width - 1, height - 1), (*RED, 255))
    return image


@pytest.mark.parametrize("shape", [(200, 200), (400, 60), (60, 400)])
def test_stickers_keep_apart_and_have_a_white_border(shape: tuple[int, int]) -> None:
    layout = Layout(105, 148, 2, 3, 6, 2.5, 100, "#cccccc")
    image, masks = sheet([disc(*shape)], layout)
    assert image.size == layout.size == (413, 583)
    assert len(masks) == 6
    assert np.sum(masks, axis=0).max() == 1
    for mask, (left, top, right, bottom) in zip(masks, layout.cells, strict=True):
        assert mask.any()
        rows, columns = np.nonzero(mask)
        assert left < columns.min()
        assert columns.max() < right - 1
        assert top < rows.min()
        assert rows.max() < bottom - 1
    pixels = np.asarray(image)[masks[0]]
    assert (pixels > 250).all(1).sum() > 500  # the white border
    assert (np.abs(pixels.astype(int) - RED).max(1) < 10).sum() > 500


def test_an_icon_is_centred_on_transparent_ground() -> None:
    pixels = np.asarray(icon(disc(300, 150), 64))
    assert pixels.shape == (64, 64, 4)
    assert pixels[0, 0, 3] == 0
    assert pixels[32, 32].tolist() == [*RED, 255]
    rows = np.nonzero(pixels[..., 3].max(1))[0]
    assert abs(rows.min() - (63 - rows.max())) <= 1
    assert traced(icon(disc(), 64)).count("<path") >= 1


def test_each_thing_has_a_brief_of_its_own() -> None:
    wants = (
        Requirement(id="r1", kind="count", subject="apple", value="2", text="two apples"),
        Requirement(id="r2", kind="attribute", subject="apple", value="red", text="the apples are red"),
        Requirement(id="r3", kind="object", subject="whale", text="a whale"),
        Requirement(id="r4", kind="background", value="pink", text="the background is pink"),
    )
    drawable = Range(styles={"flat": (), "cartoon": ()}, grounds={"blue": ("whale",), "green": ()})
    step = ImageStep.model_validate({"kind": "image", "each": "thing", "most": 3})
    briefs = briefs_of_things(Reading(requirements=wants, reader="rules"), step, drawable, 3)
    assert [brief.text for brief in briefs] == [
        "two red apples on a blue background, flat style",
        "a whale on a green background, flat style",
        "two red apples on a blue background, cartoon style",
    ]
    few = ImageStep.model_validate({"kind": "image", "each": "thing", "most": 1})
    assert left_out(Reading(requirements=wants, reader="rules"), few) == [
        "whale (`most` is 1)",
        "the background is pink",
    ]
    styled = (*wants, Requirement(id="r5", kind="style", value="cartoon", text="cartoon style"))
    briefs = briefs_of_things(Reading(requirements=styled, reader="rules"), step, None, 3)
    assert [brief.text for brief in briefs] == [
        "two red apples on a white background, cartoon style",
        "a whale on a white background, cartoon style",
    ]


def test_a_sheet_without_room_is_refused(tmp_path: Path) -> None:
    text = (FOLDER / "sticker-sheet.yaml").read_text(encoding="utf-8").replace("columns: 2", "columns: 8")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="a sticker has 12 mm; give it 15"):
        load_workflow(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize(
    ("workflow", "files"),
    [
        ("sticker-sheet", {"stickers.png", "stickers.pdf"}),
        ("icon-set", {"icon-16.png", "icon-512.png", "favicon.ico", "icon.svg", "icons.html"}),
    ],
)
def test_sheets_are_made_of_a_brief(
    tmp_path: Path, loaded_once: None, workflow: str, files: set[str]
) -> None:
    store, folder = Store(tmp_path), PieceFolder(tmp_path, "piece")
    *_, outcome = make(
        load_workflow(workflow), "an owl, cartoon style", load_preset("mini"), store, folder, seed=7
    )
    assert isinstance(outcome, PieceOutcome)
    assert outcome.status == "accepted", outcome.reason
    assert files <= set(outcome.files)
    assert outcome.paid.images >= 1


def test_a_ring_of_things_has_one_cut_line() -> None:
    ring = Image.new("RGBA", (300, 300))
    pen = ImageDraw.Draw(ring)
    for x, y in ((0, 0), (200, 0), (0, 200), (200, 200)):
        pen.ellipse((x, y, x + 99, y + 99), (*RED, 255))
    pen.rectangle((40, 45, 260, 55), (*RED, 255))
    pen.rectangle((40, 245, 260, 255), (*RED, 255))
    pen.rectangle((45, 40, 55, 260), (*RED, 255))
    pen.rectangle((245, 40, 255, 260), (*RED, 255))
    layout = Layout(105, 148, 1, 1, 6, 1.5, 100, "#cccccc")
    image, (mask,) = sheet([ring], layout)
    middle = image.getpixel((layout.size[0] // 2, layout.size[1] // 2))
    assert mask[layout.size[1] // 2, layout.size[0] // 2]
    assert middle == (255, 255, 255)


def picture(number: int, status: str, style: str) -> Picture:
    wants = (
        Requirement(id="r1", kind="object", subject="owl", text="an owl"),
        Requirement(id=style, kind="style", value="flat", text="flat style"),
    )
    return Picture.model_validate(
        {"file": f"s-{number}.png", "run": "run", "status": status, "reason": "a smear", "seed": 0, "prompt": "an owl",
         "requirements": [r.model_dump() for r in wants], "width": 9, "height": 9}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("statuses", "style", "used"),
    [
        (("accepted", "exhausted"), "style", ["s-0.png"]),
        (("accepted", "exhausted"), "r2", ["s-0.png", "s-1.png"]),
        (("exhausted", "exhausted"), "style", ["s-0.png", "s-1.png"]),
    ],
)
def test_a_picture_that_failed_is_left_out_only_where_its_style_is_our_own(
    statuses: tuple[str, str], style: str, used: list[str]
) -> None:
    pictures = [picture(n, status, style) for n, status in enumerate(statuses)]
    checks = [
        PartCheck(
            step="s", name=one.file, outcome="pass" if one.status == "accepted" else "fail", reason=one.reason
        )
        for one in pictures
    ]
    kept, said = without_spares(pictures, checks)
    assert [one.file for one in kept] == used
    assert ("fail" in [check.outcome for check in said]) == (used == ["s-0.png", "s-1.png"])


def test_what_a_sticker_cannot_show_goes_to_a_person(tmp_path: Path, loaded_once: None) -> None:
    store, folder = Store(tmp_path), PieceFolder(tmp_path, "piece")
    brief = "an owl, cartoon style, it should feel calm"
    *_, outcome = make(load_workflow("sticker-sheet"), brief, load_preset("mini"), store, folder, seed=7)
    assert isinstance(outcome, PieceOutcome)
    assert outcome.status == "needs_review"
    assert "left out" in outcome.reason
    assert "calm" in outcome.reason
    assert outcome.paid.tokens


def test_a_brief_without_a_thing_says_what_to_do(tmp_path: Path, loaded_once: None) -> None:
    store, folder = Store(tmp_path), PieceFolder(tmp_path, "piece")
    *_, outcome = make(
        load_workflow("sticker-sheet"), "flat style on a blue background", load_preset("mini"), store, folder
    )
    assert isinstance(outcome, PieceOutcome)
    assert outcome.status == "failed"
    assert "say what is to be shown" in outcome.reason
