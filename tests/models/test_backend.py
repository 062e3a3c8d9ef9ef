"""Adding a backend: one file (echo_backend.py), one line in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import load
from models.protocols import Message, WeightsMissing
from models.specs import POLICY, answer_settings
from models.text.server_text import ServerText
from pipeline.calls.load import check
from pipeline.calls.load import load as load_models
from pipeline.calls.operations import TextRequest
from pipeline.config import Preset, load_preset
from pipeline.errors import ConfigError
from tests.models.echo_backend import BACKEND, EchoText
from tests.pipeline.tiny_preset import write_preset


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A preset whose text model is an echo."""
    monkeypatch.setattr(load, "BACKENDS", (*load.BACKENDS, BACKEND))
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "weights.echo").write_bytes(b"x" * 1000)
    path = write_preset(tmp_path, loop={"reader": "model"})
    words = path.read_text()
    assert "kind: transformers\n  model: ./text" in words
    path.write_text(words.replace("kind: transformers\n  model: ./text", "kind: echo\n  model: ./voice"))
    return path


def test_a_preset_may_name_it(preset: Path) -> None:
    loaded = load_preset(
        str(preset),
        ["text.capitals=true", "text.fallback=[{capitals: false}, {kind: server, model: m, base_url: u}]"],
    )
    assert isinstance(loaded.text, EchoText)
    first, second = loaded.text.fallback
    assert isinstance(first, EchoText)
    assert (first.model, first.capitals) == ("./voice", False)
    assert isinstance(second, ServerText)
    check(loaded)
    assert load.present("text", loaded.text, loaded.base) == "0.0 MB in voice"
    models = load_models(loaded)
    assert models.text is not None
    assert models.text.identity.kind == "echo"
    (answer,) = models.text.ask([TextRequest((Message("user", "a cat"),))]).answers
    assert answer.value is not None
    assert answer.value.text == "A CAT"


def test_its_keys_are_checked(preset: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--set: unknown key text\.capital; did you mean capitals\?"):
        load_preset(str(preset), ["text.capital=true"])
    with pytest.raises(ConfigError, match=r"text\.kind is 'eco'; known kinds: echo, server, transformers$"):
        load_preset(str(preset), ["text.kind=eco"])


def test_its_weights_are_looked_for(preset: Path) -> None:
    (preset.parent / "voice" / "weights.echo").unlink()
    with pytest.raises(WeightsMissing, match=r"holds no \*\.echo"):
        check(load_preset(str(preset)))


def test_its_kept_answers_depend_on_what_changes_them(preset: Path) -> None:
    def key(*overrides: str) -> dict[str, object]:
        return answer_settings(load_preset(str(preset), overrides).text)

    assert key() == {"kind": "echo", "model": "./voice", "capitals": False}
    assert key("text.max_batch=3", "text.retries=5", "text.fallback=[{capitals: true}]") == key()
    assert key("text.capitals=true") != key()


def test_without_its_line_it_is_unknown(tmp_path: Path) -> None:
    path = write_preset(tmp_path)
    path.write_text(path.read_text().replace("kind: transformers", "kind: echo"))
    with pytest.raises(ConfigError, match="known kinds: server, transformers"):
        load_preset(str(path))


def mini() -> Preset:
    return load_preset("mini")


@pytest.mark.parametrize("model", ["text", "image", "judges.scorer", "judges.detector"])
def test_kept_answers_of_the_bundled_preset_stay_valid(model: str) -> None:
    """The keys left out are those that were always left out; another set would make every kept answer useless."""
    left_out = {"max_batch", "max_parallel", "timeout_s", "api_key_env", "offload", "seeds_differ", *POLICY}
    left_out |= {"prompt_cache", "native", "channels_last", "compile", "fuse_loras"}  # came later
    assert left_out >= {"retries", "patience_s", "break_after", "rest_s", "fallback"}
    spec = mini().models[model]
    assert answer_settings(spec) == spec.model_dump(mode="json", exclude=left_out)


def test_settings_of_a_server_that_change_no_answer() -> None:
    spec = ServerText(kind="server", base_url="http://127.0.0.1:1/v1", model="m")
    assert answer_settings(spec) == {
        "kind": "server",
        "base_url": "http://127.0.0.1:1/v1",
        "model": "m",
        "schema_mode": "json_schema",
    }
    other = spec.model_copy(update={"extra_body": {"top_k": 1}, "thinking_tokens": 9})
    assert answer_settings(other) == answer_settings(spec) | {
        "extra_body": {"top_k": 1},
        "thinking_tokens": 9,
    }
