"""Prompts of the text model as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.protocols import Message
from pipeline.errors import ConfigError
from pipeline.prompts import NAMES, bundled, load_prompts

READ = 'system: "Say what is in it."\nexamples: [{user: a cat, assistant: \'{"wants":["cat"]}\'}]\nuser: "{brief}"\n'


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_replaces_some_prompts(tmp_path: Path) -> None:
    write(tmp_path, "read", READ)
    (tmp_path / "README.md").write_text("ours")
    found = load_prompts("./", tmp_path)
    assert found["write"] == bundled()["write"]
    assert found["read"].version != bundled()["read"].version
    assert found["read"].label == f"read@{found['read'].version}"
    assert found["read"].messages(brief="a {dog}") == [
        Message("system", "Say what is in it."), Message("user", "a cat"),
        Message("assistant", '{"wants":["cat"]}'), Message("user", "a {dog}"),
    ]  # fmt: skip
    assert load_prompts({"read": "./read.yaml"}, tmp_path) == found


def test_the_version_is_that_of_what_it_says(tmp_path: Path) -> None:
    path = write(tmp_path, "read", READ)
    before = load_prompts("./", tmp_path)["read"].version
    path.write_text("# another comment\n" + READ)
    assert load_prompts("./", tmp_path)["read"].version == before
    path.write_text(READ.replace("Say", "Tell"))
    assert load_prompts("./", tmp_path)["read"].version != before


def test_lines_without_a_value_are_left_out() -> None:
    *_, last = bundled()["write"].messages(wishes="a cat", failed="", tried="")
    assert last == Message("user", "Wishes: a cat")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("raed", READ, "unknown prompt raed; did you mean read?"),
        ("write", 'user: "{wishes}"', "`user` lacks the placeholder {failed}"),
        ("read", 'user: "read this"', "`user` lacks the placeholder {brief}"),
        ("read", 'user: "{brief} {breif}"', "`user` has the unknown placeholder {breif}; known are {brief}"),
        ("read", "sytem: x\nuser: '{brief}'", "sytem"),
        ("read", "user: [", "write it as YAML"),
        ("read", "", "a prompt has system, examples and user"),
    ],
)
def test_a_bad_prompt_is_told_in_one_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    write(tmp_path, name, text)
    with pytest.raises(ConfigError) as raised:
        load_prompts("./", tmp_path)
    assert says in str(raised.value)
    assert str(raised.value).startswith("text.prompts: ")
    assert "\n" not in str(raised.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"text\.prompts: there is no folder"):
        load_prompts("./mine", tmp_path)
    with pytest.raises(ConfigError, match=r"has no prompts; put files there, such as read\.yaml"):
        load_prompts("./", tmp_path)
    with pytest.raises(ConfigError, match=r"read\.yaml cannot be read \(No such file or directory\)"):
        load_prompts({"read": "./read.yaml"}, tmp_path)


def test_all_bundled_prompts_are_there() -> None:
    assert set(bundled()) == set(NAMES)
    assert len({prompt.version for prompt in bundled().values()}) == len(NAMES)
