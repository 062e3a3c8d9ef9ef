"""Training and evaluation of the brief reader, on a tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.painting.prompt import mentions
from pipeline.reading.finding import Found
from pipeline.reading.requirements import from_line
from scripts.evaluation.reader import HAND_WRITTEN, RANGE, Example, grammar, hand_written, score

pytest.importorskip("typer")


def right(example: Example) -> list[Found]:
    return [found for found in map(from_line, example.lines) if found is not None]


def test_a_perfect_reader_scores_full_marks_and_an_idle_one_none() -> None:
    from pipeline.range import load_range

    drawable = load_range(RANGE)
    for examples in (grammar(60), hand_written(False), hand_written(True)):
        answers = {example.text: right(example) for example in examples}
        best = score(examples, answers.get, drawable)
        assert best.matched == best.asked == best.read
        assert best.exact == best.usable == best.briefs == len(examples)
        idle = score(examples, lambda text: [], drawable)
        assert (idle.matched, idle.read, idle.exact) == (0, 0, 0)
        none = score(examples, lambda text: None, drawable)
        assert none.usable == 0


def test_half_of_the_hand_written_briefs_are_held() -> None:
    assert len(hand_written(True)) == len(hand_written(False)) == 30
    assert HAND_WRITTEN.is_file()


def test_only_answers_are_learned(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from scripts.training.reader import Batches, example
    from tests.models.text.tiny_text import save_tokenizer

    save_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokens, labels = next(iter(Batches(5, tokenizer, 4)))
    assert tokens.shape == labels.shape
    rng = np.random.default_rng((5, 0))
    answers = {tuple(said[start:]) for said, start in (example(rng, tokenizer) for _ in range(64))}
    for row, label in zip(tokens, labels, strict=True):
        assert tuple(label[label != -100].tolist()) in answers
        assert (row[label != -100] == label[label != -100]).all()


def test_a_prompt_to_learn_is_new_and_names_every_wish() -> None:
    from scripts.evaluation.wishes import wishes

    rng = np.random.default_rng(1)
    asks = [wishes(rng) for _ in range(200)]
    assert any(ask.tried and ask.failed for ask, _ in asks)
    for ask, text in asks:
        assert text not in ask.tried
        assert all(
            mentions(text, want) for want in ask.requirements if want.kind in ("object", "attribute", "style")
        )


def test_the_loss_falls(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from scripts.training.reader import Batches, loss_of
    from tests.models.text.tiny_text import save_tiny

    save_tiny(tmp_path, initializer_range=0.05)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    model = get_peft_model(
        model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "up_proj"])
    )
    batch = next(iter(Batches(0, tokenizer, 4)))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-2)
    losses = []
    for _ in range(12):
        loss = loss_of(model, *batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.3
