"""The vision-language model in this process: P(yes) from a shared reading of the image, on tiny checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.load import load_vlm, parse_spec, present
from models.protocols import ModelError, VisionModel, WeightsMissing
from tests.models.vlm.tiny_vlm import TEMPLATE, make_qwen3_vl, make_smolvlm

MAKERS = {"qwen3_vl": make_qwen3_vl, "smolvlm": make_smolvlm}
QUESTIONS = [
    "Is there a cat in the picture?",
    "Is there a dog?",
    "Is it night?",
    "Is there a cat in the garden?",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("vlm")
    return {name: make(root / name) for name, make in MAKERS.items()}


def build(folder: Path, **settings: Any) -> Any:
    spec = {"kind": "image_text", "model": str(folder), "device": "cpu", "dtype": "float32", **settings}
    return load_vlm(parse_spec("vlm", spec), Path(), offline=True)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height))


def alone(folder: Path, image: Image.Image, question: str) -> tuple[float, int]:
    """P(yes) and the number of tokens, by one full reading with the library's own means."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    content = [
        {"type": "image", "image": image},
        {"type": "text", "text": f"{question} Answer with yes or no."},
    ]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        chances = model(**inputs).logits[0, -1].softmax(0).tolist()
    spelt = [processor.tokenizer.decode([number]).strip().lower() for number in range(len(chances))]
    yes, no = (
        sum(p for p, word in zip(chances, spelt, strict=True) if word == said) for said in ("yes", "no")
    )
    return yes / (yes + no), inputs["input_ids"].shape[1]


@pytest.mark.parametrize("name", MAKERS)
def test_a_shared_reading_gives_the_same_as_one_for_each_question(
    folders: dict[str, Path], name: str
) -> None:
    model = build(folders[name])
    assert isinstance(model, VisionModel)
    images = [noise(96, 64), noise(40, 88, 1), noise(96, 64, 2)]
    answers = model.answer(images, [QUESTIONS, QUESTIONS[:1], QUESTIONS[1:3]])
    for image, asked, answer in zip(images, (QUESTIONS, QUESTIONS[:1], QUESTIONS[1:3]), answers, strict=True):
        expected = [alone(folders[name], image, question) for question in asked]
        assert answer.probabilities == pytest.approx([p for p, _ in expected], abs=1e-5)
        tokens = sum(count for _, count in expected)
        assert answer.input_tokens == tokens if len(asked) == 1 else answer.input_tokens < tokens
        assert answer.output_tokens == 0
    assert len({p for answer in answers for p in answer.probabilities}) == 7  # images and questions matter


@pytest.mark.parametrize("name", MAKERS)
def test_an_answer_does_not_depend_on_other_images_and_questions(folders: dict[str, Path], name: str) -> None:
    model = build(folders[name])
    images = [noise(96, 64), noise(32, 64, 1)]
    together = model.answer(images, [QUESTIONS, QUESTIONS])
    assert together == [model.answer([image], [QUESTIONS])[0] for image in images]
    backwards = model.answer(images[:1], [QUESTIONS[::-1]])[0].probabilities
    assert backwards[::-1] == pytest.approx(together[0].probabilities, abs=1e-6)
    twice = model.answer(images[:1], [[QUESTIONS[0], QUESTIONS[2], QUESTIONS[0]]])[0].probabilities
    assert twice[0] == twice[2] != twice[1]


def test_nothing_asked_and_pictures_in_other_modes(folders: dict[str, Path]) -> None:
    model = build(folders["smolvlm"])
    assert model.answer([], []) == []
    (nothing,) = model.answer([noise(64, 64)], [[]])
    assert (nothing.probabilities, nothing.input_tokens) == ((), 0)
    grey = noise(64, 64).convert("L")
    assert model.answer([grey], [QUESTIONS]) == model.answer([grey.convert("RGB")], [QUESTIONS])
    with pytest.raises(ValueError, match="1 images but 2 lists"):
        model.answer([grey], [[], []])


def test_a_template_that_puts_the_question_before_the_image(tmp_path: Path) -> None:
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    words_first = TEMPLATE.format(image="").replace("<|im_end|>\n", f"{image}<|im_end|>\n", 1)
    folder = make_qwen3_vl(tmp_path / "words_first", words_first)
    picture = noise(64, 96)
    (answer,) = build(folder).answer([picture], [QUESTIONS[:2]])
    expected = [alone(folder, picture, question) for question in QUESTIONS[:2]]
    assert answer.probabilities == pytest.approx([p for p, _ in expected], abs=1e-5)
    assert answer.input_tokens == sum(count for _, count in expected)


def test_a_model_that_thinks_aloud_is_asked_not_to(tmp_path: Path) -> None:
    thinking = "{% if enable_thinking is not defined or enable_thinking %}<video>{% endif %}"
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    folder = make_qwen3_vl(tmp_path / "thinking", TEMPLATE.format(image=image) + thinking)
    plain = make_qwen3_vl(tmp_path / "plain")
    picture = noise(64, 64)
    assert build(folder).answer([picture], [QUESTIONS]) == build(plain).answer([picture], [QUESTIONS])


def test_a_model_that_answers_neither_yes_nor_no_is_found_out(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_qwen3_vl(tmp_path / "mute")
    file = folder / "model.safetensors"
    weights = load_file(file)
    # A sharp model: one token has nearly all the probability, and with random weights it is not yes or no.
    weights["lm_head.weight"] *= 300
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ModelError, match="turn off its thinking"):
        build(folder).answer([noise(64, 64, seed) for seed in range(4)], [QUESTIONS] * 4)


def test_what_cannot_be_asked_says_what_to_do(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no token for yes"):
        build(make_qwen3_vl(tmp_path / "deaf", words=["0123456789"]))
    folder = make_qwen3_vl(tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="use an instruct model"):
        build(folder)
    (folder / "config.json").unlink()
    with pytest.raises(WeightsMissing, match="download it again"):
        build(folder)
    spec = parse_spec("vlm", {"kind": "image_text", "model": str(folders["smolvlm"])})
    assert "MB in smolvlm" in present("vlm", spec, Path())


def test_a_package_that_only_one_model_needs_is_named(folders: dict[str, Path]) -> None:
    # In a process of its own, where the package truly cannot be imported.
    program = f"""
import sys
sys.modules["num2words"] = None
from pathlib import Path
from models.load import load_vlm, parse_spec
from models.protocols import DependencyMissing
try:
    load_vlm(parse_spec("vlm", {{"kind": "image_text", "model": {json.dumps(str(folders["smolvlm"]))}}}), Path(), True)
except DependencyMissing as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install num2words" in ran.stdout


def test_int8_says_nearly_the_same(folders: dict[str, Path]) -> None:
    whole, model = build(folders["qwen3_vl"]), build(folders["qwen3_vl"], quantize="int8")
    assert model.identity.dtype == "int8"
    assert model.bytes < 0.6 * whole.bytes
    said = [one.answer([noise(64, 64)], [QUESTIONS])[0].probabilities for one in (whole, model)]
    assert np.abs(np.subtract(*said)).max() < 0.05
