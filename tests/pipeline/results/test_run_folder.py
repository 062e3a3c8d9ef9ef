from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.protocols import Paint
from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import OutputError
from pipeline.files import slug
from pipeline.loop import run
from pipeline.results.run_folder import RunFolder, read_metadata
from tests.pipeline.test_loop import BUNDLED, NEVER_PASS

Tiny = Callable[..., Preset]


@pytest.fixture
def finished(tiny: Tiny, tmp_path: Path) -> tuple[Path, Preset]:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3}, range=BUNDLED)
    brief = Brief(text="Two dogs on a red background!", seed=11)
    folder = RunFolder(tmp_path / "out" / slug(brief.text), brief, preset)
    for event in run([brief], preset, load(preset)):
        folder.take(event)
    return folder.path, preset


def test_a_run_leaves_pictures_sheet_and_record(finished: tuple[Path, Preset]) -> None:
    path, _ = finished
    assert path.name == "two-dogs-on-a-red-background"
    names = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}
    assert names == {
        "best.png",
        "sheet.png",
        "run.json",
        "attempts/1-1.png",
        "attempts/2-1.png",
        "attempts/3-1.png",
    }
    record = json.loads((path / "run.json").read_text())
    assert record["brief"]["seed"] == 11
    assert record["outcome"]["status"] == "exhausted"
    assert [a["change"]["action"] for a in record["attempts"]] == ["start", "own words", "rephrase"]
    assert record["attempts"][0]["next"] == record["attempts"][1]["change"]
    assert record["attempts"][0]["calls"][0]["seconds"] > 0
    with Image.open(path / "sheet.png") as sheet:
        assert sheet.width > 3 * 300


def test_a_picture_can_be_painted_again_from_its_metadata(finished: tuple[Path, Preset]) -> None:
    path, preset = finished
    painter = load(preset).image
    for file in (path / "attempts").glob("*.png"):
        record = read_metadata(file)
        candidate = record["candidate"]
        assert candidate["id"] == file.stem == record["verdict"]["candidate"]
        assert {c["requirement"] for c in record["verdict"]["checks"]} >= {
            r["id"] for r in record["requirements"]
        }
        plan, used = candidate["plan"], candidate["settings"]
        request = Paint(
            prompt=plan["prompt"]["text"], negative=plan["prompt"]["negative"], seed=plan["seed"],
            width=used["width"], height=used["height"], steps=used["steps"], guidance=used["guidance"],
        )  # fmt: skip
        (answer,) = painter.ask([request]).answers
        assert answer.value is not None
        again = answer.value.image
        with Image.open(file) as kept:
            assert np.array_equal(np.asarray(kept), np.asarray(again))
            assert f"Seed: {plan['seed']}" in kept.text["parameters"]  # type: ignore[attr-defined]


def test_names_are_safe() -> None:
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("…") == "brief"
    assert slug("Three crème brûlées, Ærø!") == "three-creme-brulees-ærø"
    assert slug("三只红色的猫，卡通风格") == "三只红色的猫-卡通风格"
    assert slug("Три рыжих кота") == "три-рыжих-кота"
    assert slug("قطة حمراء") == "قطة-حمراء"
    assert slug("लाल बिल्ली") == "लाल-बिल्ली"
    assert slug("🐼 🎨") == "panda-face-artist-palette"
    assert slug("\u202e../\x00/etc") == "etc"
    assert len(slug("猫" * 100).encode()) <= 180
    assert len(slug("word " * 100)) <= 60


def test_a_folder_that_cannot_be_written_is_one_sentence(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/nowhere")):
        with pytest.raises(OutputError, match="--out"):
            RunFolder(bad, Brief(text="a cat"), tiny())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX directory permissions")
def test_a_write_that_fails_leaves_no_half_file(
    finished: tuple[Path, Preset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.files import write

    path, _ = finished
    before = (path / "run.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write(path / "run.json", b"new")
    assert (path / "run.json").read_bytes() == before
    assert not list(path.glob(".run.json*"))


def test_pictures_without_our_metadata_are_refused_with_one_message(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(OutputError, match="no Easel record"):
        read_metadata(tmp_path / "plain.png")
    with pytest.raises(OutputError, match="not a picture"):
        read_metadata(tmp_path / "text.png")
