"""The vision-language model behind a server: llama.cpp with the bundled language model and eyes of random weights."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from models.load import check_loadable, load_vlm, parse_spec, present
from models.protocols import ModelError, VisionModel
from tests.models import servers
from tests.models.vlm.tiny_vlm import make_eyes

QUESTIONS = ["Is there a cat in the picture?", "Is the picture red?"]
RED, BLUE = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (40, 40), "blue")


@pytest.fixture(scope="module")
def llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("llama_cpp")
    with servers.llama_cpp(folder, make_eyes(folder / "mmproj.gguf")) as address:
        yield address


def client(base_url: str, **settings: Any) -> VisionModel:
    spec = parse_spec("vlm", {"kind": "server", "base_url": base_url, "model": "tiny", **settings})
    return load_vlm(spec, Path(), offline=True)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("EASEL_TEST_KEY", "secret")
    return {"api_key_env": "EASEL_TEST_KEY"}


def test_a_real_server_answers_about_images(llama_cpp: str, key: dict[str, str]) -> None:
    model = client(llama_cpp, **key)
    assert isinstance(model, VisionModel)
    red, blue = model.answer([RED, BLUE], [QUESTIONS, QUESTIONS])
    for answer in (red, blue):
        assert len(answer.probabilities) == 2
        assert all(0.02 < p < 0.98 for p in answer.probabilities)  # SmolLM2 says both, and knows nothing
        assert answer.input_tokens > 2 * (16 + 10)
        assert answer.output_tokens == 2
    assert red.probabilities != blue.probabilities  # it is shown the image
    assert red.probabilities[0] != red.probabilities[1]
    again = model.answer([BLUE], [QUESTIONS])[0].probabilities
    assert again == pytest.approx(
        blue.probabilities, abs=0.02
    )  # llama.cpp's numbers depend on what it has cached
    assert model.answer([], []) == []
    assert model.answer([RED], [[]])[0].probabilities == ()
    assert model.identity.kind == "server"


def test_p_yes_is_of_all_spellings(llama_cpp: str, key: dict[str, str]) -> None:
    """The same question put to the server by hand."""
    import base64
    from io import BytesIO

    data = BytesIO()
    RED.save(data, "PNG")
    url = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": f"{QUESTIONS[1]} Answer with yes or no."},
    ]
    body = {
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
    }
    headers = {"Authorization": "Bearer secret"}
    answer = httpx.post(
        f"{llama_cpp}/chat/completions", json={**body, "top_logprobs": 20}, headers=headers, timeout=60
    )
    likeliest = answer.json()["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    yes, no = (
        sum(math.exp(t["logprob"]) for t in likeliest if t["token"].strip().lower() == word)
        for word in ("yes", "no")
    )
    assert len([t for t in likeliest if t["token"].strip().lower() in ("yes", "no")]) > 2
    (said,) = client(llama_cpp, **key).answer([RED], [QUESTIONS[1:]])
    assert said.probabilities[0] == pytest.approx(yes / (yes + no), abs=0.02)


def test_a_server_that_sees_no_images_is_named(tmp_path: Path, key: dict[str, str]) -> None:
    with (
        servers.llama_cpp(tmp_path) as address,
        pytest.raises(ModelError, match="image input is not supported"),
    ):
        client(address, **key).answer([RED], [QUESTIONS])


@contextmanager
def answering(choice: dict[str, Any], asked: list[dict[str, Any]]) -> Iterator[str]:
    """A server that answers every request with one choice, and enters the requests into `asked`."""
    usage = {"prompt_tokens": 30, "completion_tokens": 1}
    message = {"message": {"role": "assistant", "content": "x"}, "finish_reason": "length"}
    body = json.dumps({"choices": [{**message, **choice}], "usage": usage}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def chances(**tokens: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": math.log(p)} for token, p in tokens.items()]
    return {"logprobs": {"content": [{"token": "x", "logprob": 0.0, "top_logprobs": top}]}}


def test_further_keys_are_sent_and_spellings_are_added() -> None:
    asked: list[dict[str, Any]] = []
    said = chances(**{"Yes": 0.3, " yes": 0.2, "YES": 0.1, "No": 0.15, "Nobody": 0.1, "\u0120no": 0.05})
    with answering(said, asked) as address:
        extra = {"chat_template_kwargs": {"enable_thinking": False}}
        (answer,) = client(address, extra_body=extra).answer([RED], [QUESTIONS])
    assert answer.probabilities == pytest.approx((0.75, 0.75))
    assert (answer.input_tokens, answer.output_tokens) == (60, 2)
    for body, question in zip(asked, QUESTIONS, strict=True):
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert (body["max_tokens"], body["top_logprobs"], body["model"]) == (1, 20, "tiny")
        picture, text = body["messages"][0]["content"]
        assert picture["image_url"]["url"].startswith("data:image/png;base64,")
        assert text["text"] == f"{question} Answer with yes or no."


@pytest.mark.parametrize("choice", [{}, {"logprobs": None}, {"logprobs": {"content": []}}])
def test_a_server_without_log_probabilities_is_named(choice: dict[str, Any]) -> None:
    with answering(choice, []) as address, pytest.raises(ModelError, match="tells no log probabilities"):
        client(address).answer([RED], [QUESTIONS])


def test_a_model_that_thinks_aloud_is_named() -> None:
    said = chances(**{"<think>": 0.9999})
    with answering(said, []) as address, pytest.raises(ModelError, match="turn off its thinking"):
        client(address).answer([RED], [QUESTIONS])


def test_no_server() -> None:
    spec = parse_spec("vlm", {"kind": "server", "base_url": "http://127.0.0.1:9/v1", "model": "tiny"})
    check_loadable("vlm", spec, Path(), offline=True)  # a run may start without it
    with pytest.raises(ModelError, match="no server answers"):
        present("vlm", spec, Path())
    with pytest.raises(ModelError, match="No server answers"):
        load_vlm(spec, Path(), offline=True).answer([RED, BLUE], [QUESTIONS, QUESTIONS])
