"""Text model behind a server: the backend `kind: server`, for the OpenAI chat completions protocol over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PositiveFloat, PositiveInt

from models.backend import Backend
from models.protocols import Identity, JsonSchema, Message, ModelError, Schemas, Text, schema_of
from models.specs import NoEffect, TextSpec
from models.text.json_schema import misfit

if TYPE_CHECKING:
    import httpx


class ServerText(TextSpec):
    """Any server that speaks the OpenAI chat completions protocol: Ollama, vLLM, llama.cpp."""

    kind: Literal["server"]
    base_url: str  # with the /v1
    # The environment variable that holds the key, never the key itself.
    api_key_env: Annotated[str | None, NoEffect()] = None
    schema_mode: Literal["json_schema", "json_object", "none"] = "json_schema"
    timeout_s: Annotated[PositiveFloat, NoEffect()] = 120.0
    max_parallel: Annotated[PositiveInt, NoEffect()] = 4


def load(spec: ServerText, base: Path, offline: bool) -> ServerTextModel:
    """A client for the server a spec names. Nothing is asked of the server yet. `base` and `offline` do not matter: no
    weights are read here, and the preset names the server that may be asked."""
    return ServerTextModel(spec)


def present(spec: ServerText, base: Path) -> str:
    """Says that the server answers. Raises ModelError where it does not."""
    import httpx

    try:
        httpx.get(f"{spec.base_url.rstrip('/')}/models", timeout=2.0)  # any answer will do, a refusal too
    except (httpx.HTTPError, httpx.InvalidURL):
        raise ModelError(f"no server answers at {spec.base_url}; start one or correct `base_url`") from None
    return f"a server answers at {spec.base_url}"


BACKEND = Backend("text", ServerText, load, present, remote=True)


class ServerTextModel:
    """Implements protocols.TextModel; sends up to `max_parallel` requests at the same time."""

    def __init__(self, spec: ServerText) -> None:
        import httpx

        self._spec = spec
        headers = {}
        if spec.api_key_env is not None:
            key = os.environ.get(spec.api_key_env)
            if not key:
                raise ModelError(
                    f"The environment variable {spec.api_key_env} holds no API key; set it, then start Easel."
                )
            headers["Authorization"] = f"Bearer {key}"
        address = spec.base_url.rstrip("/")
        try:
            self._client = httpx.Client(
                headers=headers,
                timeout=httpx.Timeout(spec.timeout_s, connect=min(10.0, spec.timeout_s)),
                limits=httpx.Limits(max_connections=spec.max_parallel),
            )
            host = httpx.URL(address).host
        except httpx.InvalidURL as error:
            raise ModelError(f"`base_url: {spec.base_url}` is no address: {error}.") from error
        if not host:
            raise ModelError(f"`base_url: {spec.base_url}` is no address; write it as http://host:port/v1.")
        self._url = f"{address}/chat/completions"
        # The protocol does not say which weights a server uses, so the revision stays empty.
        self.identity = Identity("server", spec.model, "", address, "")
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
        if not conversations:
            return []

        def ask(index: int) -> Text:
            return self._ask(conversations[index], schema_of(schema, index), max_tokens, temperature, seed)

        if len(conversations) == 1:
            return [ask(0)]
        pool = ThreadPoolExecutor(self._spec.max_parallel, thread_name_prefix="easel-server")
        try:
            return list(pool.map(ask, range(len(conversations))))
        finally:
            pool.shutdown(
                wait=True, cancel_futures=True
            )  # after an error the other conversations are not sent

    def _ask(
        self,
        conversation: Sequence[Message],
        schema: JsonSchema | None,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> Text:
        messages = [{"role": message.role, "content": message.content} for message in conversation]
        body: dict[str, Any] = {
            "model": self._spec.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stream": False,
        }
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
        text = self._read(self._post(body), messages)
        if schema is not None and text.finish_reason == "stop":
            text = Text(_json_in(text.text), text.input_tokens, text.output_tokens, "stop")
            wrong = misfit(text.text, schema)
            if wrong:
                raise ModelError(
                    f"{self._spec.model} at {self.identity.device} answered outside the JSON schema "
                    f"({wrong}); use a server that enforces schemas, another `schema_mode:` or larger model."
                )
        return text

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        import httpx

        at = self.identity.device
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.ConnectError as error:
            raise ModelError(f"No server answers at {at}; start it, or correct `base_url:`.") from error
        except httpx.TimeoutException as error:
            raise ModelError(
                f"The server at {at} gave no answer in {self._spec.timeout_s:g} s; raise `timeout_s:` in the "
                "preset, or use a smaller model."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(
                f"The connection to {at} broke ({error}); check the server and run again."
            ) from error
        if answer.status_code < 300:
            return answer
        said = _reason(answer)
        if answer.status_code in {401, 403}:
            source = (
                f"${self._spec.api_key_env}" if self._spec.api_key_env else "`api_key_env:` in the preset"
            )
            raise ModelError(
                f"The server at {at} refused the API key ({answer.status_code}); check {source}."
            )
        if answer.status_code == 404:
            raise ModelError(
                f"The server at {at} has no model {self._spec.model!r} or no /chat/completions ({said}); "
                "check `model:` and `base_url:` in the preset."
            )
        if answer.status_code == 429:
            raise ModelError(
                f"The server at {at} is over its limit ({said}); wait, or lower `max_parallel:`."
            )
        if answer.status_code in {400, 422}:
            hint = " or set another `schema_mode:`" if "response_format" in body else ""
            raise ModelError(f"The server at {at} rejected the request ({said}); shorten it{hint}.")
        raise ModelError(f"The server at {at} failed with {answer.status_code} ({said}); see its log.")

    def _read(self, answer: httpx.Response, messages: list[dict[str, str]]) -> Text:
        try:
            body = answer.json()
            choice = body["choices"][0]
            content = choice["message"]["content"]
            usage = body.get("usage") or {}
            counts = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelError(
                f"The answer of {self._url} is no chat completion with token usage; check that `base_url:` "
                "ends in /v1 and that the server speaks the OpenAI protocol."
            ) from error
        if not isinstance(content, str):
            raise ModelError(
                f"{self._spec.model} answered with no text; use a model that is not asked for tools."
            )
        return Text(content, *counts, "length" if choice.get("finish_reason") == "length" else "stop")


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


def _reason(answer: httpx.Response) -> str:
    """The message of an error response, at most 200 characters."""
    try:
        body = answer.json()
    except ValueError:
        return answer.text.strip()[:200] or answer.reason_phrase
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)[:200]
