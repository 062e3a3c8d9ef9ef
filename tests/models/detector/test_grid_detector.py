"""The bundled detector: what it sees in renders, and what a broken folder says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from models.load import load_detector, parse_spec
from models.mini.dataset.scene import Item, Scene, render
from models.protocols import Detection, Detector, ModelError, WeightsMissing

BUNDLED = Path("models/mini/detector").resolve()


def build(folder: Path = BUNDLED, **settings: object) -> Detector:
    spec = parse_spec("detector", {"kind": "grid", "model": str(folder), "device": "cpu", **settings})
    return load_detector(spec, Path(), offline=True)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return build()


def picture(*items: Item, ground: str = "white", style: str = "flat") -> Image.Image:
    return Image.fromarray(render(Scene("group", items, ground, style), 256))


def sure(found: list[Detection]) -> list[Detection]:
    return [one for one in found if one.score >= 0.5]


CAT, DOG = Item("cat", None, 0, 1, 2), Item("dog", "blue", 2, 1, 2)


def test_it_names_and_places_what_is_there(detector: Detector) -> None:
    (found,) = detector.detect([picture(CAT, DOG)])
    assert sorted(one.label for one in sure(found)) == ["cat", "dog"]
    cat = next(one for one in sure(found) if one.label == "cat")
    assert cat.box == pytest.approx((0.0, 0.25, 0.5, 0.75), abs=0.06)


def test_it_tells_colours_and_styles(detector: Detector) -> None:
    (found,) = detector.detect([picture(CAT, DOG)])
    dog = next(one for one in sure(found) if one.label == "dog")
    assert max(dog.colours, key=lambda name: dog.colours[name]) == "blue"
    assert dog.styles["flat"] > 0.5
    (cartoon,) = detector.detect([picture(CAT, DOG, style="cartoon")])
    assert sure(cartoon)[0].styles["cartoon"] > 0.5


def test_two_of_a_thing_in_two_colours_are_two_boxes(detector: Detector) -> None:
    pair = Item("umbrella", "red", 0, 1, 2), Item("umbrella", "blue", 2, 1, 2)
    (found,) = detector.detect([picture(*pair)])
    left, right = sorted(sure(found), key=lambda one: one.box)
    assert left.colours["red"] > 0.5 > left.colours["blue"]
    assert right.colours["blue"] > 0.5 > right.colours["red"]


def test_a_blend_of_two_things_is_unclear(detector: Detector) -> None:
    one, two = (np.asarray(picture(Item(n, None, 0, 0, 4)), np.float32) for n in ("guitar", "owl"))
    (found,) = detector.detect([Image.fromarray(((one + two) / 2).astype(np.uint8))])
    assert found[0].label == "unclear"
    smeared = picture(Item("penguin", None, 0, 0, 4)).filter(ImageFilter.GaussianBlur(28))
    (found,) = detector.detect([smeared])
    assert not [seen for seen in sure(found) if seen.label == "penguin" and seen.unclear < 0.5]


def test_an_image_is_seen_alike_alone_and_in_a_batch(detector: Detector) -> None:
    images = [picture(CAT), picture(DOG, ground="yellow"), Image.new("L", (40, 90), 200)]
    assert detector.detect(images) == [detector.detect([image])[0] for image in images]
    assert detector.detect([]) == []


def test_a_broken_folder_says_what_to_do(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        folder = tmp_path / name
        shutil.copytree(BUNDLED, folder)
        (folder / name).unlink()
        with pytest.raises(WeightsMissing, match="restore the folder"):
            build(folder)
    shutil.copytree(BUNDLED, tmp_path / "labels")
    config = tmp_path / "labels/config.json"
    config.write_text(config.read_text().replace('"airplane",', ""))
    with pytest.raises(ModelError, match="no detector of this form"):
        build(tmp_path / "labels")
    with pytest.raises(ModelError, match=r"write \./folder"):
        load_detector(parse_spec("detector", {"kind": "grid", "model": "owner/name"}), tmp_path, offline=True)
