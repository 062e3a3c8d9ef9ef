"""Text model behind a server: the backend `kind: server`, for the OpenAI chat completions protocol over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import NonNegativeInt

from models.backend import Backend
from models.chat_server import ChatServer, ServerSettings, server_present
from models.protocols import JsonSchema, Message, ModelError, Schemas, Text, schema_of
from models.specs import Later, TextSpec
from models.text.json_schema import misfit

_THOUGHT = re.compile(r"\s*<think>.*?(?:</think>\s*|$)", re.DOTALL)


class ServerText(ServerSettings, TextSpec):
    """Any server that speaks the OpenAI chat completions protocol: Ollama, vLLM, llama.cpp.

    `thinking_tokens`: how many tokens a model that thinks first may take for it, besides those of its answer."""

    kind: Literal["server"]
    thinking_tokens: Annotated[NonNegativeInt, Later()] = 0
    schema_mode: Literal["json_schema", "json_object", "none"] = "json_schema"


def load(spec: ServerText, base: Path, offline: bool) -> ServerTextModel:
    """A client for the server a spec names. Nothing is asked of the server yet. `base` and `offline` do not matter: no
    weights are read here, and the preset names the server that may be asked."""
    return ServerTextModel(spec)


BACKEND = Backend("text", ServerText, load, lambda spec, base, read: [], remote=server_present)


class ServerTextModel:
    """Implements protocols.TextModel; sends up to `max_parallel` requests at the same time."""

    def __init__(self, spec: ServerText) -> None:
        self._spec, self._server = spec, ChatServer(spec)
        self.identity = self._server.identity
        self.bytes = 0  # size of the weights in this process

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        """Answer each conversation; see protocols.TextModel.

        Raises ModelError if the server cannot be reached, refuses, answers too late or not in the protocol's form, or
        if a finished answer does not fit the schema.
        """

        def ask(index: int) -> Text:
            return self._ask(conversations[index], schema_of(schema, index), max_tokens, temperature, seed)

        return self._server.in_parallel(ask, len(conversations))

    def _ask(
        self,
        conversation: Sequence[Message],
        schema: JsonSchema | None,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> Text:
        messages = [{"role": message.role, "content": message.content} for message in conversation]
        room = max_tokens + self._spec.thinking_tokens
        body: dict[str, Any] = {"messages": messages, "max_tokens": room, "seed": seed}
        if schema is not None:
            if self._spec.schema_mode == "json_schema":
                body["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": schema, "strict": True},
                }
            else:
                # The server does not enforce the schema, so the prompt states it.
                body["messages"] = _with_schema(messages, schema)
                if self._spec.schema_mode == "json_object":
                    body["response_format"] = {"type": "json_object"}
        hint = " or set another `schema_mode:`" if "response_format" in body else ""
        choice, read, written = self._server.complete(hint, temperature=temperature, **body)
        finished = choice.get("finish_reason") != "length"
        content, thought = _answer_and_thought(choice["message"])
        if thought and not content and not finished:
            raise ModelError(
                f"{self._spec.model} thought for all of its {written} tokens and gave no answer; turn thinking off "
                "with `extra_body: {chat_template_kwargs: {enable_thinking: false}}` (on Ollama "
                "`{reasoning_effort: none}`), or raise `thinking_tokens:`."
            )
        if content is None:
            raise ModelError(
                f"{self._spec.model} answered with no text; use a model that is not asked for tools."
            )
        if schema is not None and finished:
            content = _json_in(content)
            wrong = misfit(content, schema)
            if wrong:
                raise ModelError(
                    f"{self._spec.model} at {self.identity.device} answered outside the JSON schema "
                    f"({wrong}); use a server that enforces schemas, another `schema_mode:` or larger model."
                )
        return Text(content, read, written, "stop" if finished else "length")


def _answer_and_thought(message: dict[str, Any]) -> tuple[str | None, bool]:
    """The text of an answer without what the model thought before it, and whether it thought. Servers give thoughts
    apart, or in the text between <think> and </think>; cut off, they have no end."""
    content = message["content"] if isinstance(message["content"], str) else None
    thought = any(message.get(key) for key in ("reasoning_content", "reasoning"))
    if content is not None and (marked := _THOUGHT.match(content)):
        return content[marked.end() :], True
    return content, thought


def _with_schema(messages: list[dict[str, str]], schema: JsonSchema) -> list[dict[str, str]]:
    words = f"Answer only with JSON that fits this schema, with no other words:\n{json.dumps(schema)}"
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{messages[0]['content']}\n\n{words}"}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]


def _json_in(text: str) -> str:
    """The text without the code fence that models often put around JSON."""
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    return bare
