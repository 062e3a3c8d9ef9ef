"""Tiny vision-language models with random weights and real processors, saved to folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SPECIAL = (
    "<|pad|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>",
    "<|vision_end|>", "<fake_token_around_image>", "<image>", "<global-img>", "<video>", "<end_of_utterance>",
)  # fmt: skip
TEMPLATE = (
    "{{% for message in messages %}}<|im_start|>{{{{ message['role'] }}}}\n{{% for part in message['content'] %}}"
    "{{% if part['type'] == 'image' %}}{image}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}{{% endfor %}}"
    "<|im_end|>\n{{% endfor %}}{{% if add_generation_prompt %}}<|im_start|>assistant\n{{% endif %}}"
)
# For messages that are a text, and those that are a list of texts and images.
_EITHER = (
    TEMPLATE.format(image="<|vision_start|><|image_pad|><|vision_end|>")
    .replace(
        "{% for part in message['content'] %}",
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}",
    )
    .replace("{% endfor %}<|im_end|>", "{% endfor %}{% endif %}<|im_end|>")
)
TEXT = [
    "Is there a cat in the picture? Answer with yes or no. yes", "Is the red umbrella left of the dog? no",
    "Is it night? Answer with yes or no. Yes", "Are there two cats? Answer with yes or no. No", "yes no Yes No",
] * 8  # fmt: skip


def make_qwen3_vl(folder: Path, template: str | None = None, words: Sequence[str] = TEXT) -> Path:
    """A Qwen3-VL of two layers, with deep features of the image in the first. `words`: what its tokens are made of."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = _tokenizer(words)
    template = template or TEMPLATE.format(image="<|vision_start|><|image_pad|><|vision_end|>")
    size = {"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    patches = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2}
    Qwen3VLProcessor(
        Qwen2VLImageProcessor(size=size, **patches), tokenizer, Qwen3VLVideoProcessor(**patches),
        chat_template=template,
    ).save_pretrained(folder)  # fmt: skip
    number = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            **_text(tokenizer), "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]},
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 8,
            "out_hidden_size": 64, "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
            "initializer_range": 0.3,
        },
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"), vision_end_token_id=number("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(3)
    Qwen3VLForConditionalGeneration(config).eval().save_pretrained(folder)
    return folder


def make_qwen3_5(folder: Path) -> Path:
    """A Qwen3.5 of two layers, one with linear attention: it talks, and sees images as Qwen3-VL does."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = _tokenizer(TEXT)
    size = {"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    patches = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2}
    Qwen3VLProcessor(
        Qwen2VLImageProcessor(size=size, **patches), tokenizer, Qwen3VLVideoProcessor(**patches),
        chat_template=_EITHER,
    ).save_pretrained(folder)  # fmt: skip
    number = tokenizer.convert_tokens_to_ids
    config = Qwen3_5Config(
        text_config={
            **_text(tokenizer), "head_dim": 16, "layer_types": ["linear_attention", "full_attention"],
            "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1],
                "partial_rotary_factor": 0.5,
            },
        },
        vision_config={
            "depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 8,
            "out_hidden_size": 64, "num_position_embeddings": 64, "initializer_range": 0.3,
        },
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"), vision_end_token_id=number("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(5)
    Qwen3_5ForConditionalGeneration(config).eval().save_pretrained(folder)
    return folder


def make_smolvlm(folder: Path) -> Path:
    """A SmolVLM of two layers, whose processor cuts images into tiles."""
    import torch
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    tokenizer = _tokenizer(TEXT)
    edges = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    SmolVLMProcessor(
        SmolVLMImageProcessor(**edges), tokenizer, SmolVLMVideoProcessor(**edges), image_seq_len=4,
        chat_template=TEMPLATE.format(image="<image>"),
    ).save_pretrained(folder)  # fmt: skip
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **_text(tokenizer)},
        vision_config={
            "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8, "initializer_range": 0.3,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(4)
    SmolVLMForConditionalGeneration(config).eval().save_pretrained(folder)
    return folder


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
        "initializer_range": 0.15, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip


def _tokenizer(words: Sequence[str]) -> Any:
    """A byte-level tokenizer; of TEXT it makes tokens for yes and no."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    core.train_from_iterator(words, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|pad|>"
    )


def make_eyes(file: Path) -> Path:
    """The image part of a model for llama.cpp (mmproj): a CLIP of one layer with random weights, which makes 16 tokens
    of 576 channels of an image, as SmolLM2-135M reads them."""
    import gguf
    import numpy as np

    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    numbers = {
        "image_size": 32, "patch_size": 8, "embedding_length": 32, "feed_forward_length": 32,
        "projection_dim": 576, "block_count": 1, "attention.head_count": 2,
    }  # fmt: skip
    for key, number in numbers.items():
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.3, shape).astype(np.float32))

    add("v.patch_embd.weight", 32, 3, 8, 8)
    add("v.patch_embd.bias", 32)
    add("v.position_embd.weight", 16, 32)
    for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        add(f"v.blk.0.{name}.weight", 32, 32)
        add(f"v.blk.0.{name}.bias", 32)
    for name in ("v.blk.0.ln1", "v.blk.0.ln2", "v.post_ln"):
        writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
        add(f"{name}.bias", 32)
    for name, shape in (("mm.0", (64, 32)), ("mm.2", (576, 64))):
        add(f"{name}.weight", *shape)
        add(f"{name}.bias", shape[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
