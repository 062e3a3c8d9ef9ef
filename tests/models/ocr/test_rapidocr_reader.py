"""The reader of text: pictures with text in Pillow's own open font."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from models.load import load_ocr, parse_spec, present
from models.locate import locate
from models.protocols import ModelError, TextReader, WeightsMissing

WHEEL = locate("package:rapidocr/models", Path())


def build(**settings: Any) -> TextReader:
    return load_ocr(parse_spec("ocr", {"kind": "rapidocr", **settings}), Path(), offline=True)


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return build()


def written(
    *texts: tuple[str, tuple[int, int]], size: int = 32, ground: str = "white", ink: str = "black"
) -> Image.Image:
    """A picture of 400 × 240 pixels with texts, given with their left upper corners."""
    picture = Image.new("RGB", (400, 240), ground)
    draw = ImageDraw.Draw(picture)
    for text, place in texts:
        draw.text(place, text, font=ImageFont.load_default(size), fill=ink)
    return picture


@pytest.mark.parametrize(
    ("text", "size", "ground", "ink"),
    [
        ("OPEN DAILY", 40, "white", "black"),
        ("Fresh bread", 18, "#ffcc66", "#202080"),
        ("Sale 50%", 72, "#204060", "white"),
        ("A small print", 14, "#88aa88", "black"),
    ],
)
def test_it_reads_text_of_any_size_on_any_ground(
    reader: TextReader, text: str, size: int, ground: str, ink: str
) -> None:
    (found,) = reader.read([written((text, (30, 80)), size=size, ground=ground, ink=ink)])
    assert [line.text for line in found] == [text]
    assert found[0].score > 0.9
    left, top, right, bottom = ImageFont.load_default(size).getbbox(text)
    seen = found[0].box
    centre = (seen[0] + seen[2]) / 2, (seen[1] + seen[3]) / 2
    assert centre == pytest.approx(
        ((30 + (left + right) / 2) / 400, (80 + (top + bottom) / 2) / 240), abs=0.04
    )
    assert seen[2] - seen[0] == pytest.approx((right - left) / 400, abs=0.1)


def test_lines_come_from_top_to_bottom(reader: TextReader) -> None:
    assert isinstance(reader, TextReader)
    (found,) = reader.read([written(("Grand opening", (40, 150)), ("Flower shop", (60, 40)))])
    assert [line.text for line in found] == ["Flower shop", "Grand opening"]
    assert found[0].box[3] < found[1].box[1]


def test_a_picture_without_text_has_no_lines(reader: TextReader, capfd: pytest.CaptureFixture[str]) -> None:
    plain = Image.new("RGB", (200, 160), "#88aacc")
    shapes = plain.copy()
    ImageDraw.Draw(shapes).ellipse((40, 30, 150, 140), fill="red")
    assert reader.read([plain, shapes, Image.new("L", (9, 9), 200)]) == [[], [], []]
    assert reader.read([]) == []
    assert capfd.readouterr() == ("", "")


def test_an_answer_does_not_depend_on_its_batch(reader: TextReader) -> None:
    pictures = [
        written(("One", (30, 30))),
        Image.new("RGB", (64, 64)),
        written(("Two words", (30, 100)), size=50),
    ]
    together = reader.read(pictures)
    assert together == [reader.read([picture])[0] for picture in pictures]
    assert [[line.text for line in lines] for lines in together] == [["One"], [], ["Two words"]]


def test_an_unsure_line_is_left_out(reader: TextReader) -> None:
    picture = written(("Sale", (30, 80)))
    ((line,),) = reader.read([picture])
    assert build(least=min(1.0, line.score + 1e-4)).read([picture]) == [[]]


def test_it_is_quiet_and_uses_no_network(tmp_path: Path) -> None:
    written(("Quiet", (30, 80))).save(tmp_path / "picture.png")
    program = f"""
import sys
reached = []
network = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
sys.addaudithook(lambda event, args: reached.append(args) if event in network else None)
from pathlib import Path
from PIL import Image
from models.load import load_ocr, parse_spec
reader = load_ocr(parse_spec("ocr", {{"kind": "rapidocr"}}), Path(), False)
lines = reader.read([Image.open({json.dumps(str(tmp_path / "picture.png"))}), Image.new("RGB", (64, 64))])
print([line.text for line in lines[0]], lines[1], reached)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("['Quiet'] [] []\n", "")


def test_it_says_who_it_is(reader: TextReader) -> None:
    assert reader.identity.name == "PP-OCRv6_rec_small"
    assert len(reader.identity.revision) == 12
    assert "MB in models" in present("ocr", parse_spec("ocr", {"kind": "rapidocr"}), Path())
    assert reader.bytes > 1e6  # type: ignore[attr-defined]


def test_a_broken_folder_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    shutil.copytree(WHEEL, folder)
    with pytest.raises(ModelError, match=r"write \./folder"):
        build(model="owner/name")
    (rec,) = folder.glob("*_rec_*.onnx")
    (det,) = folder.glob("*_det_*.onnx")
    content = rec.read_bytes()
    shutil.copy(det, rec)  # a model without an alphabet, for which RapidOCR would go online
    with pytest.raises(ModelError, match="does not hold its alphabet"):
        build(model=str(folder))
    rec.write_bytes(content[:1000])
    with pytest.raises(ModelError, match="restore the file"):
        build(model=str(folder))
    rec.unlink()
    with pytest.raises(WeightsMissing, match="holds none"):
        build(model=str(folder))
