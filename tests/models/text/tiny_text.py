"""Tiny causal language models with random weights and a real tokenizer, saved to folders."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# transformers' name, and the settings that this kind of model needs to be tiny.
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "qwen3_5": (
        "Qwen3_5",
        {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
        },
    ),
    "gpt_oss": (
        "GptOss",
        {
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 16,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
        },
    ),
    "lfm2": ("Lfm2", {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False}),
    "gemma2": ("Gemma2", {"sliding_window": 16}),
}
TEXT = [
    "two red apples on a blue background, beside a small white house",
    "a cat to the left of a dog; three bees above a yellow flower",
    '{"object": "rocket", "count": 4, "colour": "green", "tags": ["space", "night"]}',
    "You read a brief for an image and write down what it asks for.",
] * 8


def save_tokenizer(folder: Path, template: str | None = TEMPLATE) -> int:
    """Train a byte-level BPE tokenizer of a few hundred tokens; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|pad|>", bos_token="<|im_start|>"
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def save_tiny(
    folder: Path, kind: str = "llama", template: str | None = TEMPLATE, **overrides: object
) -> Path:
    """Save a two-layer model of 64 channels of one of KINDS, with a tokenizer of its own."""
    import torch
    import transformers

    name, more = KINDS[kind]
    config_class = getattr(transformers, f"{name}TextConfig" if kind == "qwen3_5" else f"{name}Config")
    model_class = getattr(transformers, f"{name}ForCausalLM")
    vocabulary = save_tokenizer(folder, template)
    settings = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "initializer_range": 0.6,  # wide, so that random weights have an opinion
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    torch.manual_seed(7)
    model_class(config_class(**(settings | more | overrides))).save_pretrained(folder)
    return folder


def save_lora(base: Path, folder: Path) -> Path:
    """Save a LoRA adapter with random weights for a tiny model."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(11)
    config = LoraConfig(
        r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False
    )
    get_peft_model(model, config).save_pretrained(folder)
    return folder
