"""A client for servers that speak the OpenAI chat completions protocol: Ollama, vLLM, llama.cpp. The text model and the
vision-language model behind a server share it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from models.protocols import Identity, ModelError
from models.specs import Later, NoEffect, Part

if TYPE_CHECKING:
    import httpx

Out = TypeVar("Out")


class ServerSettings(Part):
    """Where a server is, and how it is asked.

    `extra_body`: further keys of each request, such as `{chat_template_kwargs: {enable_thinking: false}}`, which turns
    the thinking of Qwen models off on vLLM and llama.cpp, or `{reasoning_effort: none}` on Ollama."""

    model: str  # its name on the server
    base_url: str  # with the /v1, and without a password or key: it is part of records
    # The environment variable that holds the key, never the key itself.
    api_key_env: Annotated[str | None, NoEffect()] = None
    timeout_s: Annotated[PositiveFloat, NoEffect()] = 120.0
    max_parallel: Annotated[PositiveInt, NoEffect()] = 4
    extra_body: Annotated[dict[str, Any], Later()] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _without_secrets(cls, address: str) -> str:
        try:
            parts = urlsplit(address)
            secret = "@" in parts.netloc or bool(parts.query or parts.fragment)
        except ValueError:
            secret = "@" in address
        if secret:
            raise ValueError(
                "an address with a password or key would be written into records; put the key into an environment "
                "variable and name that in api_key_env"
            )
        return address


def host_of(address: str) -> str:
    """Scheme and host of an address, as records and messages show it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def server_present(spec: ServerSettings) -> str:
    """Says that the server answers. Raises ModelError where it does not."""
    import httpx

    try:
        httpx.get(f"{spec.base_url.rstrip('/')}/models", timeout=2.0)  # any answer will do, a refusal too
    except (httpx.HTTPError, httpx.InvalidURL):
        raise ModelError(
            f"no server answers at {host_of(spec.base_url)}; start one or correct `base_url`"
        ) from None
    return f"a server answers at {host_of(spec.base_url)}"


class ChatServer:
    """One model on a server. Nothing is asked of it before `complete`.

    Raises ModelError where the address is none or the key is missing."""

    def __init__(self, spec: ServerSettings) -> None:
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
        self.url = f"{address}/chat/completions"
        # The protocol does not say which weights a server uses, so the revision stays empty.
        self.identity = Identity("server", spec.model, "", host_of(address), "")

    def in_parallel(self, ask: Callable[[int], Out], count: int) -> list[Out]:
        """`ask` of 0, 1, … count - 1, up to `max_parallel` at the same time. After an error no further one begins."""
        if count < 2:
            return [ask(index) for index in range(count)]
        pool = ThreadPoolExecutor(self._spec.max_parallel, thread_name_prefix="easel-server")
        try:
            return list(pool.map(ask, range(count)))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def complete(self, hint: str = "", **body: Any) -> tuple[dict[str, Any], int, int]:
        """The first choice of a chat completion, and its input and output tokens. `body`: the keys of the request
        besides `model`; `hint`: what else to do about a request that the server rejects.

        Raises ModelError if the server cannot be reached, refuses, answers too late or not in the protocol's form."""
        own = {"model": self._spec.model, "stream": False}
        answer = self._post({**self._spec.extra_body, **own, **body}, hint)
        try:
            said = answer.json()
            choice = said["choices"][0]
            _ = choice["message"]["content"]
            usage = said.get("usage") or {}
            return choice, int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelError(
                f"The answer of {self.identity.device} is no chat completion with token usage; check that `base_url:` "
                "ends in /v1 and that the server speaks the OpenAI protocol."
            ) from error

    def _post(self, body: dict[str, Any], hint: str) -> httpx.Response:
        import httpx

        at = self.identity.device
        try:
            answer = self._client.post(self.url, json=body)
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
            raise ModelError(f"The server at {at} rejected the request ({said}); shorten it{hint}.")
        raise ModelError(f"The server at {at} failed with {answer.status_code} ({said}); see its log.")


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
