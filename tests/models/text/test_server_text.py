"""The text model behind a server: llama.cpp with the bundled model, and transformers serve."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from models.protocols import Message, ModelError, TextModel
from models.text import server_text
from models.text.json_schema import misfit
from models.text.server_text import ServerText
from tests.models import servers
from tests.models.text.tiny_text import save_tiny

SCHEMA = {
    "type": "object",
    "properties": {"object": {"type": "string", "maxLength": 10}, "count": {"type": "integer", "maximum": 9}},
    "required": ["object", "count"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The /v1 address of a llama.cpp server on the bundled model, with the API key `secret`."""
    with servers.llama_cpp(tmp_path_factory.mktemp("llama_cpp")) as address:
        yield address


@pytest.fixture(scope="module")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The /v1 address of `transformers serve` on a tiny random model, and the model's name there."""
    if importlib.util.find_spec("openai") is None:
        pytest.skip("pip install 'transformers[serving]'")
    folder = tmp_path_factory.mktemp("serve")
    model = save_tiny(folder / "tiny")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model), "--device", "cpu"]
    log = folder / "log"
    process = servers.run([*command, "--host", "127.0.0.1", "--port", str(port)], log)
    servers.await_in(log, r"(Uvicorn running)", process, log)
    yield f"http://127.0.0.1:{port}/v1", str(model)
    process.kill()
    process.wait()


def client(base_url: str, model: str = "tiny", **settings: object) -> server_text.ServerTextModel:
    return server_text.load(
        ServerText(kind="server", base_url=base_url, model=model, **settings), Path(), True
    )


def ask(*words: str) -> list[list[Message]]:
    return [[Message("user", word)] for word in words]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("EASEL_TEST_KEY", "secret")
    return {"api_key_env": "EASEL_TEST_KEY"}


def test_a_schema_is_kept_by_a_server_that_knows_schemas(llama_cpp: str, key: dict[str, str]) -> None:
    model = client(llama_cpp, **key)
    assert isinstance(model, TextModel)
    answers = model.generate(ask("A red cat as JSON.", "Two dogs as JSON."), schema=SCHEMA, max_tokens=60)
    for answer in answers:
        assert answer.finish_reason == "stop"
        assert set(json.loads(answer.text)) == {"object", "count"}
        assert answer.input_tokens > 5
        assert answer.output_tokens > 5
    cut = model.generate(ask("A red cat as JSON."), schema=SCHEMA, max_tokens=3)[0]
    assert (cut.finish_reason, cut.output_tokens) == ("length", 3)


def test_each_brief_is_held_to_its_own_words(llama_cpp: str, key: dict[str, str]) -> None:
    from pipeline.reading.requirements import conversation, parsed, schemas

    briefs = ["A red cat.", "Two dogs left of 3 apples, 64x64."]
    talks = [conversation(brief, "bare") for brief in briefs]
    answers = client(llama_cpp, **key).generate(talks, schema=schemas(briefs, "bare"), max_tokens=200)
    for brief, answer in zip(briefs, answers, strict=True):
        found = parsed(answer.text) if answer.finish_reason == "stop" else []
        assert isinstance(found, list)
        for item in found:
            assert all(word in f"{brief.lower()} size contrast" for word in item.subject.split())


def test_a_wrong_or_absent_key_is_named(
    llama_cpp: str, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="refused the API key"):
        client(llama_cpp).generate(ask("hello"))
    monkeypatch.setenv("EASEL_TEST_KEY", "wrong")
    with pytest.raises(ModelError, match=r"\$EASEL_TEST_KEY"):
        client(llama_cpp, **key).generate(ask("hello"))
    monkeypatch.delenv("EASEL_TEST_KEY")
    with pytest.raises(ModelError, match="EASEL_TEST_KEY"):
        client(llama_cpp, **key)


def test_a_wrong_path_is_named(llama_cpp: str, key: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"check `model:` and `base_url:`"):
        client(f"{llama_cpp}/nowhere", **key).generate(ask("hello"))


def test_a_slow_answer_is_named(llama_cpp: str, key: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="raise `timeout_s:`"):
        client(llama_cpp, timeout_s=0.05, **key).generate(ask("Tell a long story."), max_tokens=200)


def test_order_counts_and_reasons(transformers_serve: tuple[str, str]) -> None:
    from transformers import AutoTokenizer

    model = client(*transformers_serve, max_parallel=3)
    words = [f"{count} cats and a dog" for count in range(6)]
    together = model.generate(ask(*words), max_tokens=8)
    assert together == [model.generate(ask(word), max_tokens=8)[0] for word in words]
    assert len({answer.text for answer in together}) > 1
    tokenizer = AutoTokenizer.from_pretrained(transformers_serve[1])
    turns = [{"role": "user", "content": words[0]}]
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert together[0].input_tokens == len(ids)
    assert (together[0].output_tokens, together[0].finish_reason) == (8, "length")
    assert model.generate([]) == []


def test_an_answer_outside_the_schema_is_found_out(llama_cpp: str, key: dict[str, str]) -> None:
    model = client(llama_cpp, schema_mode="none", **key)
    with pytest.raises(ModelError, match="outside the JSON schema"):
        model.generate(ask("Say hello."), schema={"const": "zyx81"}, max_tokens=150)


def test_a_server_that_ignores_schemas_is_found_out(transformers_serve: tuple[str, str]) -> None:
    # transformers serve answers as though no schema had been sent; random weights write no such JSON.
    model = client(*transformers_serve)
    try:
        answers = model.generate(ask("a cat"), schema=SCHEMA, max_tokens=30)
    except ModelError as error:
        assert "outside the JSON schema" in str(error)  # noqa: PT017
    else:
        assert [answer.finish_reason for answer in answers] == ["length"]


def test_a_model_the_server_lacks_is_named(transformers_serve: tuple[str, str]) -> None:
    with pytest.raises(ModelError, match="other"):
        client(transformers_serve[0], "other/model").generate(ask("hello"))


def test_no_server_and_no_address() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(ModelError, match="No server answers"):
        client(f"http://127.0.0.1:{free}/v1").generate(ask("hello", "you"))
    with pytest.raises(ModelError, match="http://host:port/v1"):
        client("localhost").generate(ask("hello"))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>hello</html>", "OpenAI protocol"),
        (200, b'{"choices": []}', "OpenAI protocol"),
        (200, b'{"choices": [{"message": {"content": "hi"}}]}', "token usage"),
        (500, b"out of memory", "out of memory"),
        (429, b'{"error": {"message": "slow down"}}', "slow down"),
    ],
)
def test_broken_answers(status: int, body: bytes, message: str) -> None:
    with answering(body, status) as (address, _), pytest.raises(ModelError, match=message) as caught:
        client(address).generate(ask("hello"))
    assert not isinstance(caught.value.__cause__, httpx.HTTPError)


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives one answer to everything: its address, and the requests that it got."""
    asked: list[dict[str, Any]] = []

    class Same(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


def completion(finish: str, content: str | None, **message: str) -> bytes:
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 64}}).encode()


@pytest.mark.parametrize(
    "body",
    [
        completion("stop", '<think>a cat, {"or": "not"}</think>\n\n{"object": "cat", "count": 2}'),
        completion("stop", '{"object": "cat", "count": 2}', reasoning_content="a cat, two of them"),
        completion("stop", '```json\n{"object": "cat", "count": 2}\n```', reasoning="a cat"),
    ],
)
def test_thoughts_are_no_part_of_the_answer(body: bytes) -> None:
    with answering(body) as (address, asked):
        extra = {"chat_template_kwargs": {"enable_thinking": False}, "model": "another"}
        model = client(address, thinking_tokens=500, extra_body=extra)
        (said,) = model.generate(ask("two cats"), schema=SCHEMA, max_tokens=64)
    assert json.loads(said.text) == {"object": "cat", "count": 2}
    assert (asked[0]["max_tokens"], asked[0]["model"]) == (564, model.identity.name)
    assert asked[0]["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    "body",
    [
        completion("length", "<think>a cat, or perhaps"),
        completion("length", "", reasoning_content="a cat, or perhaps"),
        completion("length", None, reasoning="a cat, or perhaps"),
    ],
)
def test_a_model_that_thinks_to_the_end_is_named(body: bytes) -> None:
    said = r"thought for all of its 64 tokens.*enable_thinking: false"
    with answering(body) as (address, _), pytest.raises(ModelError, match=said):
        client(address).generate(ask("two cats"), schema=SCHEMA, max_tokens=64)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"object": "cat", "count": 2}', ""),
        ("a cat", "no JSON"),
        ('{"object": "cat"}', "count"),
        ('{"object": "cat", "count": true}', "count"),
        ('{"object": "cat", "count": 12}', "count"),
        ('{"object": "a very long name", "count": 1}', "object"),
        ('{"object": "cat", "count": 1, "more": 1}', "more"),
        ("[]", "object"),
    ],
)
def test_misfit(text: str, wrong: str) -> None:
    found = misfit(text, SCHEMA)
    assert (wrong in found) if wrong else not found


@pytest.mark.parametrize(
    "address",
    ["http://ann:secret@host/v1", "http://host/v1?key=secret", "http://host/v1#secret", "http://a@[x/v1"],
)
def test_an_address_with_a_password_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="api_key_env") as caught:
        ServerText(kind="server", base_url=address, model="m")
    assert "would be written into records" in str(caught.value)


def test_records_and_messages_have_the_host_only() -> None:
    model = client("http://127.0.0.1:9/path/of/it/v1")
    assert model.identity.device == "http://127.0.0.1:9"
    with pytest.raises(ModelError) as caught:
        model.generate([[Message("user", "x")]])
    assert "/path" not in str(caught.value)
