"""Vision-language model behind a server: the backend `kind: server`, for the OpenAI chat completions protocol. The
server must tell log probabilities, as vLLM and llama.cpp do."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL.Image import Image

from models.backend import Backend
from models.chat_server import ChatServer, ServerSettings, server_present
from models.protocols import ModelError, YesNo
from models.specs import VisionSpec
from models.vlm.yes_no import p_yes, put, spelling

_TOP = 20  # the most that the protocol allows


class ServerVision(ServerSettings, VisionSpec):
    """A server with a model that sees images."""

    kind: Literal["server"]


def load(spec: ServerVision, base: Path, offline: bool) -> ServerVisionModel:
    """A client for the server a spec names. Nothing is asked of the server yet, and nothing is downloaded."""
    return ServerVisionModel(spec)


BACKEND = Backend("vlm", ServerVision, load, lambda spec, base, read: [], remote=server_present)


class ServerVisionModel:
    """Implements protocols.VisionModel. Up to `max_parallel` images are asked about at the same time; the questions of
    one image follow each other, so that a server that keeps prefixes reads the image once."""

    def __init__(self, spec: ServerVision) -> None:
        self._spec, self._server = spec, ChatServer(spec)
        self.identity = self._server.identity
        self.bytes = 0  # size of the weights in this process

    def answer(self, images: Sequence[Image], questions: Sequence[Sequence[str]]) -> list[YesNo]:
        """See protocols.VisionModel. P(yes) is over the 20 likeliest tokens.

        Raises ModelError as ChatServer.complete does, and if the server tells no log probabilities."""
        if len(images) != len(questions):
            raise ValueError(f"{len(images)} images but {len(questions)} lists of questions")
        return self._server.in_parallel(lambda at: self._about(images[at], questions[at]), len(images))

    def _about(self, image: Image, questions: Sequence[str]) -> YesNo:
        url = _data_url(image) if questions else ""
        answers = [self._ask(url, question) for question in questions]
        return YesNo(
            tuple(p for p, _, _ in answers), sum(n for _, n, _ in answers), sum(n for _, _, n in answers)
        )

    def _ask(self, url: str, question: str) -> tuple[float, int, int]:
        """P(yes), input and output tokens."""
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": put(question)},
        ]
        choice, read, written = self._server.complete(
            ", or use a model that sees images and a server that tells `logprobs`",
            messages=[{"role": "user", "content": content}],
            max_tokens=1, temperature=0, logprobs=True, top_logprobs=_TOP,
        )  # fmt: skip
        mass: dict[str, float] = {}
        for token in self._likeliest(choice):
            word = spelling(token["token"])
            mass[word] = mass.get(word, 0.0) + math.exp(token["logprob"])
        return p_yes(mass, self._spec.model), read, written

    def _likeliest(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            tokens = choice["logprobs"]["content"][0]["top_logprobs"]
            _ = [(str(token["token"]), float(token["logprob"])) for token in tokens]
        except (KeyError, IndexError, TypeError, ValueError):
            tokens = []
        if not tokens:
            raise ModelError(
                f"The server at {self.identity.device} tells no log probabilities, which P(yes) is computed from; use "
                "one that supports `logprobs`, such as vLLM or llama.cpp, or `kind: image_text`"
            )
        found: list[dict[str, Any]] = tokens
        return found


def _data_url(image: Image) -> str:
    data = BytesIO()
    image.convert("RGB").save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
