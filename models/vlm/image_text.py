"""Answers yes/no questions about images with a vision-language model of transformers.

The image and all words before the first difference between its questions are read once. Each question continues from a
copy of the keys and values (or states) of that reading.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from models.device import numbered, pick_device, pick_dtype
from models.pretrained import Opened, as_words, on_device, open_model
from models.protocols import ModelError, YesNo
from models.vlm.image_text_backend import ImageTextModel
from models.vlm.yes_no import p_yes, put, spelling


def load(spec: ImageTextModel, base: Path, offline: bool) -> VisionModel:
    """The model of a spec; see models.pretrained.open_model. Raises ModelError for one that cannot be asked."""
    opened = open_model(spec, base, offline, ("AutoModelForImageTextToText", "AutoProcessor"))
    config = opened.model.config
    if config.is_encoder_decoder or getattr(opened.processor, "chat_template", None) is None:
        raise ModelError(
            f"{spec.model} has no chat template or is an encoder-decoder, so it cannot be asked about an image; use an "
            "instruct model such as Qwen3-VL or SmolVLM"
        )
    return VisionModel(opened)


class VisionModel:
    """Implements protocols.VisionModel."""

    def __init__(self, opened: Opened) -> None:
        self.identity = opened.identity
        self._placed, self._model, self._processor = opened.placed, opened.model, opened.processor
        self._image_token = getattr(opened.model.config, "image_token_id", None)
        vocabulary = opened.processor.tokenizer.get_vocab()
        self._ids = {
            word: torch.tensor(
                sorted(number for token, number in vocabulary.items() if spelling(token) == word)
            )
            for word in ("yes", "no")
        }
        if any(not len(ids) for ids in self._ids.values()):
            raise ModelError(
                f"{self.identity.name} has no token for yes or for no, so P(yes) cannot be read from it; use another "
                "model"
            )
        # Some models keep the positions of the last image between two forward passes.
        self._one_at_a_time = threading.Lock()

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return self._placed.bytes

    def place(self, spec: ImageTextModel) -> None:
        """Take another spec of the same weights: move them to its device. Raises ModelError where that is missing."""
        device = pick_device(spec.device)
        self._placed.place(device, pick_dtype(spec.dtype, device))
        number = spec.quantize or self._placed.number_format
        self.identity = replace(self.identity, device=numbered(device), dtype=number)

    @property
    def to_park(self) -> int:
        """Bytes of main memory that `park` takes."""
        return self._placed.to_park

    def park(self) -> None:
        """Move the weights to main memory until `place` is called."""
        self._placed.park()

    def answer(self, images: Sequence[Image], questions: Sequence[Sequence[str]]) -> list[YesNo]:
        """See protocols.VisionModel. The words that several questions begin with count once in `input_tokens`."""
        if len(images) != len(questions):
            raise ValueError(f"{len(images)} images but {len(questions)} lists of questions")
        with self._one_at_a_time, torch.inference_mode():
            return [self._about(image, asked) for image, asked in zip(images, questions, strict=True)]

    def _about(self, image: Image, questions: Sequence[str]) -> YesNo:
        if not questions:
            return YesNo(())
        asked = list(dict.fromkeys(questions))
        read = [self._inputs(image.convert("RGB"), question) for question in asked]
        tokens = [inputs["input_ids"][0] for inputs in read]
        shared = _common(tokens)
        if any(self._shows_image(one[shared:]) for one in tokens):  # the template puts the question first
            found = [self._p_yes(self._model(**inputs, logits_to_keep=1)) for inputs in read]
            count = sum(map(len, tokens))
        else:
            cache = self._model(**_first(read[0], shared), use_cache=True, logits_to_keep=1).cache
            found = [self._p_yes(self._continued(cache, one[shared:])) for one in tokens]
            count = shared + sum(len(one) - shared for one in tokens)
        chances = dict(zip(asked, found, strict=True))
        return YesNo(tuple(chances[question] for question in questions), count)

    def _continued(self, cache: Any, tokens: Tensor) -> Any:
        """The answer of the network to further tokens; the cache stays as it is."""
        own = copy.deepcopy(cache)
        return self._model(input_ids=tokens[None], cache=own, use_cache=True, logits_to_keep=1)

    def _shows_image(self, tokens: Tensor) -> bool:
        """Whether an image stands among the tokens."""
        return self._image_token is None or bool((tokens == self._image_token).any())

    def _inputs(self, image: Image, question: str) -> dict[str, Any]:
        """The tokens of a question about an image, shape (1, tokens), and what else the model reads of the image."""
        content = [
            {"type": "image"},
            {"type": "text", "text": put(as_words(self._processor.tokenizer, question))},
        ]
        # Written by the tokenizer: the processor's own method does not pass `enable_thinking` on.
        text = self._processor.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self._processor.chat_template,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # read by the templates of models that think aloud, ignored by others
        )
        inputs = self._processor(images=[[image]], text=[text], add_special_tokens=False, return_tensors="pt")
        inputs.pop("attention_mask", None)  # nothing is padded
        return on_device(inputs, self._model.device, self._model.dtype)

    def _p_yes(self, said: Any) -> float:
        """From the answer of the network to a question."""
        chances = said.logits[0, -1].float().softmax(0).cpu()
        return p_yes({word: float(chances[ids].sum()) for word, ids in self._ids.items()}, self.identity.name)


def _common(tokens: Sequence[Tensor]) -> int:
    """How many tokens all have in common at their beginning; at least one is left of each."""
    shortest = min(len(one) for one in tokens) - 1
    first = tokens[0][:shortest]
    alike = [
        int((one[:shortest] != first).nonzero()[0]) for one in tokens if bool((one[:shortest] != first).any())
    ]
    return min([shortest, *alike])


def _first(inputs: dict[str, Any], count: int) -> dict[str, Any]:
    """The inputs up to a number of tokens: what has one value for each token is cut, the rest is of the image."""
    shape = inputs["input_ids"].shape
    return {name: value[:, :count] if value.shape == shape else value for name, value in inputs.items()}
