"""Marks the words of a brief: a small network on the hidden states of the text model says what each word is to the
picture.

A causal model knows only what stands before a word. So it reads the brief twice, and the states of the second reading
count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.pretrained import as_words
from models.protocols import ROLES, Mark, Marks, ModelError, WeightsMissing

if TYPE_CHECKING:
    import torch

WEIGHTS = "marker.safetensors"
_BEFORE, _BETWEEN = "Brief: ", "\nWhat must the picture show? Brief again: "
_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True)
class WordStates:
    """`spans`: start and end of each word in the text; `states`: (words, layers · size); `tokens`: how many were
    read."""

    spans: tuple[tuple[int, int], ...]
    states: torch.Tensor
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Twice:
    """A text that is read twice: all tokens, and the tokens of each word at the second time."""

    tokens: list[int]
    spans: tuple[tuple[int, int], ...]
    of_words: tuple[tuple[int, ...], ...]

    def words(self, states: torch.Tensor) -> WordStates:
        """The mean of the states of each word's tokens. `states`: (layers, tokens, size)."""
        import torch

        each = [states[:, list(at)].mean(1).flatten() for at in self.of_words]
        return WordStates(self.spans, torch.stack(each) if each else states.new_empty(0, 0), len(self.tokens))


def twice(text: str, tokenizer: Any, room: int) -> Twice:
    """The text, cut to what the model has `room` for, as it is read twice."""
    text = as_words(tokenizer, text)
    while True:
        start = len(_BEFORE) + len(text) + len(_BETWEEN)
        encoded = tokenizer(
            f"{_BEFORE}{text}{_BETWEEN}{text}", add_special_tokens=False, return_offsets_mapping=True
        )
        if len(encoded["input_ids"]) < room:
            break
        text = text[: len(text) * 3 // 4]
    # A token may begin with the space before its word, and the first one may reach into what stands before.
    second = [(a - start, b - start, at) for at, (a, b) in enumerate(encoded["offset_mapping"]) if b > start]
    spans, of_words = [], []
    for word in _WORD.finditer(text):
        if at := tuple(at for a, b, at in second if a < word.end() and b > word.start()):
            spans.append(word.span())
            of_words.append(at)
    return Twice(encoded["input_ids"], tuple(spans), tuple(of_words))


class MarkerHead:
    """Two linear layers on normalised states. The weights' file names the layers of the text model that it was trained
    on, as JSON in its metadata."""

    def __init__(self, layers: Sequence[int], weights: dict[str, torch.Tensor]) -> None:
        self.layers = list(layers)
        self.weights = {name: tensor.float() for name, tensor in weights.items()}

    @classmethod
    def read(cls, folder: Path) -> MarkerHead:
        """Raises WeightsMissing or ModelError where the folder holds no such head."""
        from safetensors import SafetensorError, safe_open

        file = folder / WEIGHTS
        if not file.is_file():
            raise WeightsMissing(f"There is no {WEIGHTS} in {folder}; correct `marker:` in the preset.")
        try:
            with safe_open(file, framework="pt") as tensors:
                layers = json.loads((tensors.metadata() or {})["layers"])
                return cls(layers, {name: tensors.get_tensor(name) for name in tensors.keys()})  # noqa: SIM118
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"{file} is no head of scripts/training/marker.py: {error}") from error

    def marks(self, words: WordStates) -> Marks:
        """The marks of one text."""
        rows = self.probabilities(words.states) if words.spans else ()
        marks = [
            Mark(start, end, dict(zip(ROLES, map(float, row), strict=True)))
            for (start, end), row in zip(words.spans, rows, strict=True)
        ]
        return Marks(tuple(marks), words.tokens)

    def probabilities(self, states: torch.Tensor) -> torch.Tensor:
        """The probability of each role, (words, roles)."""
        from torch.nn.functional import gelu, linear

        w = self.weights
        hidden = gelu(linear((states - w["mean"]) / w["scale"], w["in.weight"], w["in.bias"]))
        return linear(hidden, w["out.weight"], w["out.bias"]).softmax(-1)
