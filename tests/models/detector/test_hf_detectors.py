"""Detectors of transformers, on tiny checkpoints: names, scores, boxes as shares, one detection for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from models.detector.hf_detector import Found, distinct
from models.load import load_detector, parse_spec, present
from models.protocols import Detection, Detector, ModelError, WeightsMissing
from tests.models.detector.tiny_detector import make_d_fine, make_grounding, make_owlv2, make_rt_detr

NAMES = ["polar bear", "Red Umbrella", "cat"]
ZERO_SHOT, CLOSED = "zero_shot_object_detection", "object_detection"
KIND = {"grounding": ZERO_SHOT, "owlv2": ZERO_SHOT, "rt_detr": CLOSED, "d_fine": CLOSED}
MAKERS = {"grounding": make_grounding, "owlv2": make_owlv2, "rt_detr": make_rt_detr, "d_fine": make_d_fine}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("detectors")
    return {name: make(root / name) for name, make in MAKERS.items()}


def build(folder: Path, **settings: Any) -> Any:
    spec = {"kind": KIND[folder.name], "model": str(folder), "device": "cpu", "least": 0.0, "overlap": 1.0}
    return load_detector(parse_spec("detector", {**spec, **settings}), Path(), offline=True)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def outputs(folder: Path, image: Image.Image, text: Any = None, **options: Any) -> tuple[Any, Any]:
    """What the network itself answers, and its inputs."""
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor(images=[image], text=text, return_tensors="pt", **options)
    with torch.inference_mode():
        return AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()(**inputs), inputs


def shares(boxes: torch.Tensor, width: float = 1.0, height: float = 1.0) -> list[list[float]]:
    x, y, w, h = boxes.unbind(1)
    sides = torch.stack(
        [(x - w / 2) / width, (y - h / 2) / height, (x + w / 2) / width, (y + h / 2) / height], 1
    )
    return sides.clamp(0, 1).tolist()  # type: ignore[no-any-return]


def same(found: Sequence[Detection], expected: Sequence[tuple[str, float, Sequence[float]]]) -> None:
    """Where boxes of no area are left out of `expected`."""
    whole = sorted(
        (one for one in expected if one[2][0] < one[2][2] and one[2][1] < one[2][3]), key=lambda one: -one[1]
    )
    assert len(found) == len(whole) > 2
    for one, (name, score, box) in zip(found, whole, strict=True):
        assert one.label == name
        assert one.score == pytest.approx(score, abs=1e-5)
        assert one.box == pytest.approx(box, abs=1e-5)


def test_grounding_scores_a_name_by_the_mean_of_its_tokens(folders: dict[str, Path]) -> None:
    from transformers.models.mm_grounding_dino.modeling_mm_grounding_dino import build_label_maps

    image = noise(120, 80)
    (found,) = build(folders["grounding"]).detect([image], [NAMES])
    said, inputs = outputs(folders["grounding"], image, ["polar bear. red umbrella. cat."])
    (maps,) = build_label_maps(said.logits, inputs["input_ids"])
    by_name = (said.logits[0].sigmoid() @ maps.float().T) / maps.sum(1)
    assert by_name.shape[1] == len(NAMES)
    scores, best = by_name.max(1)
    boxes = shares(said.pred_boxes[0])
    expected = [(NAMES[i], p, box) for i, p, box in zip(best.tolist(), scores.tolist(), boxes, strict=True)]
    same(found, expected)
    assert {one.label for one in found} > {"polar bear"}


def test_owlv2_answers_for_the_image_without_its_padding(folders: dict[str, Path]) -> None:
    image = noise(120, 80)
    found = [build(folders["owlv2"]).detect([noise(120, 80, seed)], [NAMES])[0] for seed in range(4)]
    options = {"padding": "max_length"}
    expected = []
    for seed in range(4):
        said, _ = outputs(
            folders["owlv2"], noise(120, 80, seed), [[f"a photo of a {n}" for n in NAMES]], **options
        )
        scores, best = said.logits[0].max(1)
        boxes = shares(said.pred_boxes[0], image.width / 120, image.height / 120)  # it pads to a square
        expected.append(
            [
                (NAMES[i], p, b)
                for i, p, b in zip(best.tolist(), scores.sigmoid().tolist(), boxes, strict=True)
            ]
        )
    for one, other in zip(found, expected, strict=True):
        same(one, [item for item in other if item[1] > 0])


@pytest.mark.parametrize("name", ["rt_detr", "d_fine"])
def test_a_closed_vocabulary_is_singular_and_in_lower_case(folders: dict[str, Path], name: str) -> None:
    detector = build(folders[name])
    assert isinstance(detector, Detector)
    found = [one for seed in range(6) for one in detector.detect([noise(90, 60, seed)], [["zebra"]])[0]]
    assert {one.label for one in found} <= {
        "person",
        "wine glasses",
        "bus",
        "skis",
        "scissors",
        "sheep",
        "teddy bear",
    }
    assert all(0 <= side <= 1 for one in found for side in one.box)
    assert len({one.box for one in found}) > 6
    assert detector.detect([noise(90, 60)], [["bus"]]) == detector.detect([noise(90, 60)], [[]])


@pytest.mark.parametrize("name", MAKERS)
def test_an_answer_does_not_depend_on_its_batch(folders: dict[str, Path], name: str) -> None:
    detector = build(folders[name])
    images = [noise(96, 64), noise(64, 96, 1), noise(96, 64, 2), noise(96, 64, 3)]
    names = [["cat"], ["polar bear", "cat"], ["cat"], ["dog"]]
    together = detector.detect(images, names)
    assert together == [detector.detect([i], [n])[0] for i, n in zip(images, names, strict=True)]
    assert detector.detect([], []) == []
    assert detector.identity.name == name
    assert detector.bytes > 100_000


@pytest.mark.parametrize("name", ["grounding", "owlv2"])
def test_a_zero_shot_detector_finds_only_what_is_named(folders: dict[str, Path], name: str) -> None:
    detector = build(folders[name])
    found, nothing = detector.detect([noise(64, 64)] * 2, [["traffic light", "traffic light"], []])
    assert {one.label for one in found} == {"traffic light"}
    assert nothing == []


def test_names_that_do_not_fit_one_text_are_read_in_several(folders: dict[str, Path]) -> None:
    names = [
        "polar bear",
        "red umbrella",
        "traffic light",
        "st. bernard",
        "cat",
        "dog",
        "a photo",
        "what?",
        ".",
    ]
    (found,) = build(folders["grounding"]).detect([noise(64, 64)], [names])
    (first,) = build(folders["grounding"]).detect([noise(64, 64)], [names[:3]])
    labels = {one.label for one in found}
    assert labels <= set(names) - {"."}
    assert labels & {"cat", "dog", "a photo", "what?"}
    assert len(found) > len(first)


def test_what_is_unsure_is_left_out(folders: dict[str, Path]) -> None:
    for name in MAKERS:
        (every,) = build(folders[name]).detect([noise(64, 64)], [NAMES])
        least = sorted(one.score for one in every)[len(every) // 2]
        (sure,) = build(folders[name], least=least).detect([noise(64, 64)], [NAMES])
        assert sure == [one for one in every if one.score > least]


def test_of_overlapping_boxes_with_one_name_the_surest_stays() -> None:
    boxes = torch.tensor(
        [[0.1, 0.1, 0.5, 0.5], [0.12, 0.1, 0.5, 0.5], [0.6, 0.6, 1.2, 0.9], [1.1, 0.1, 1.3, 0.4]]
    )
    scores = torch.tensor([0.6, 0.9, 0.5, 0.8])
    cats = distinct(Found(["cat"] * 4, scores, boxes), 0.5)
    assert [round(one.score, 2) for one in cats] == [0.9, 0.5]
    assert cats[1].box == pytest.approx((0.6, 0.6, 1.0, 0.9))  # cut off at the border; the last is beyond it
    mixed = distinct(Found(["cat", "dog", "cat", "cat"], scores, boxes), 0.5)
    assert [one.label for one in mixed] == ["dog", "cat", "cat"]


def test_a_prompt_names_the_name(folders: dict[str, Path]) -> None:
    with pytest.raises(ValidationError, match="prompt"):
        build(folders["owlv2"], prompt="a photo")
    image = noise(64, 64)
    (plain,) = build(folders["grounding"]).detect([image], [["cat"]])
    (worded,) = build(folders["grounding"], prompt="a {name}").detect([image], [["cat"]])
    assert {one.label for one in worded} == {"cat"}
    assert [one.score for one in worded] != [one.score for one in plain]


def test_what_does_not_load_says_what_to_do(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="use another model"):
        build(folders["rt_detr"], kind=ZERO_SHOT)
    empty = tmp_path / "grounding"
    empty.mkdir()
    with pytest.raises(WeightsMissing, match="download it again"):
        build(empty)
    spec = parse_spec("detector", {"kind": CLOSED, "model": str(folders["d_fine"])})
    assert "MB in d_fine" in present("detector", spec, Path())
    with pytest.raises(WeightsMissing, match="restore the folder"):
        present("detector", spec.model_copy(update={"model": str(empty)}), Path())
