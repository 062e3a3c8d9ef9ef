"""Scores images against statements with a CLIP or SigLIP model by open_clip."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL.Image import Image
from torch import Tensor

from models.device import held_bytes, pick_device, pick_dtype
from models.protocols import Identity, ModelError, Question
from models.scorer.open_clip_backend import OpenClipScorer, finest
from models.scorer.open_clip_files import find_files, tokenizer

REMEMBERED_TEXTS = 4096  # at 512 numbers each, 8 MB
_PRECISION = {torch.float32: "fp32", torch.bfloat16: "pure_bf16", torch.float16: "pure_fp16"}


def load(spec: OpenClipScorer, base: Path, offline: bool) -> Scorer:
    """The scorer of a spec. With `offline` nothing is downloaded.

    Raises WeightsMissing where the model is neither on disk nor can be downloaded, ModelError where it does not load.
    """
    device = pick_device(spec.device)
    dtype = pick_dtype(finest(device) if spec.dtype == "auto" else spec.dtype, device)
    files = find_files(spec, base, offline)
    try:
        model, preprocess = open_clip.create_model_from_pretrained(
            files.model, precision=_PRECISION[dtype], device=device, **files.options
        )
        tokenize = tokenizer(files)
    except (ModuleNotFoundError, ModelError):
        raise  # the registry names the package to install
    except Exception as error:  # open_clip raises anything from KeyError to RuntimeError here
        lines = str(error).splitlines() or [type(error).__name__]
        raise ModelError(f"open_clip cannot load {files.name}: {lines[0]}") from error
    identity = Identity("open_clip", files.name, files.revision, device, str(dtype).removeprefix("torch."))
    return Scorer(model.eval(), preprocess, tokenize, identity, spec.temperature, spec.max_batch)


class Scorer:
    """Implements protocols.Scorer. A model with a logit bias (SigLIP) uses a sigmoid, any other a softmax."""

    def __init__(
        self,
        model: Any,  # open_clip.CLIP or CustomTextCLIP
        preprocess: Callable[[Image], Tensor],
        tokenize: Callable[[list[str]], Tensor],
        identity: Identity,
        temperature: float,
        max_batch: int,
    ) -> None:
        self.identity = identity
        self._model = model
        self._preprocess = preprocess
        self._tokenize = tokenize
        self._temperature = temperature
        # On a CPU the order of summation may depend on the number of rows; a score must not depend on its batch.
        self._max_batch = 1 if identity.device == "cpu" else max_batch
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        with torch.no_grad():
            self._scale = float(self._model.logit_scale.float().exp())
            bias = getattr(self._model, "logit_bias", None)
            self._bias = None if bias is None else float(bias)

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return held_bytes([self._model])

    @torch.inference_mode()
    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        """P(statement) for each question of each image.

        A sigmoid model returns sigmoid(scale · cos + bias) of the statement alone. A softmax model returns the share
        of the statement among statement and contrasts, and raises ModelError for a question without contrasts.
        """
        if len(images) != len(questions):
            raise ValueError(f"{len(images)} images but {len(questions)} lists of questions")
        if self._bias is None:
            self._demand_contrasts(questions)
        texts = self._embed_texts([text for asked in questions for q in asked for text in self._options(q)])
        scores = [
            [self._probability(view, q, texts) for q in asked]
            for view, asked in zip(self._embed_images(images, questions), questions, strict=True)
        ]
        if any(math.isnan(score) for row in scores for score in row):
            raise ModelError(
                f"{self.identity.name} gave NaN in {self.identity.dtype}; set `dtype: float32` in the preset."
            )
        return scores

    def _options(self, question: Question) -> tuple[str, ...]:
        """The texts that the answer depends on; the first is the statement."""
        if self._bias is not None:
            return (question.statement,)
        return (question.statement, *question.contrasts)

    def _probability(self, view: Tensor, question: Question, texts: dict[str, Tensor]) -> float:
        """From the unit vector of the image."""
        cosines = torch.stack([texts[text] for text in self._options(question)]) @ view
        if self._bias is None:
            return float(torch.softmax(self._scale * cosines / self._temperature, dim=0)[0])
        return float(torch.sigmoid(self._scale * cosines[0] + self._bias))

    def _embed_images(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[Tensor]:
        """One float32 unit vector for each image, on the CPU; an image without questions is not embedded."""
        features = [torch.zeros(0)] * len(images)
        asked = [i for i, about in enumerate(questions) if about]
        for start in range(0, len(asked), self._max_batch):
            rows = asked[start : start + self._max_batch]
            pixels = torch.stack([self._preprocess(images[i].convert("RGB")) for i in rows])
            pixels = pixels.to(self.identity.device, self._dtype())
            for i, vector in zip(rows, _unit(self._model.encode_image(pixels)), strict=True):
                features[i] = vector
        return features

    def _embed_texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """One float32 unit vector for each text, on the CPU; the most recent texts are cached between calls."""
        found = {}
        for text in dict.fromkeys(texts):
            if text in self._texts:
                self._texts.move_to_end(text)
                found[text] = self._texts[text]
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), self._max_batch):
            part = missing[start : start + self._max_batch]
            tokens = self._tokenize(part).to(self.identity.device)
            found.update(zip(part, _unit(self._model.encode_text(tokens)), strict=True))
        for text in missing:
            self._texts[text] = found[text]
        while len(self._texts) > REMEMBERED_TEXTS:
            self._texts.popitem(last=False)
        return found

    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.identity.dtype)
        return dtype

    def _demand_contrasts(self, questions: Sequence[Sequence[Question]]) -> None:
        for question in (q for asked in questions for q in asked):
            if not question.contrasts:
                raise ModelError(
                    f"{self.identity.name} is a softmax model and cannot judge {question.statement!r} alone; "
                    "give the question contrasts, or use a sigmoid model such as SigLIP as the scorer."
                )


def _unit(features: Tensor) -> Tensor:
    return torch.nn.functional.normalize(features.float(), dim=-1).cpu()
