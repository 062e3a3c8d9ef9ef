"""Prompts of the text model that a preset replaces, through the command line with the bundled preset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.prompts import bundled
from tests.scripts.commands.test_cascade import Easel, calls, easel, run_of

__all__ = ["easel"]

BRIEF = "a panda on a purple background, cartoon style"
OTHER = 'system: List what the picture has to show.\nuser: "{brief}"\n'


def told(tmp_path: Path, number: int) -> list[dict[str, Any]]:
    return [call for call in calls(run_of(tmp_path, number)) if call["stage"] == "text"]


def test_a_prompt_is_replaced_recorded_and_part_of_what_is_kept(easel: Easel, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    file = mine / "read-bare.yaml"
    file.write_text(OTHER)
    args = ("run", BRIEF, "--images", "1", "--set", f"text.prompts={mine}")
    assert easel("run", BRIEF, "--images", "1").status == 0
    first = told(tmp_path, 1)[0]
    assert first["options"]["prompt"] == bundled()["read-bare"].label
    assert easel(*args).status == 0
    second = told(tmp_path, 2)[0]
    assert second["options"]["prompt"].startswith("read-bare@")
    assert second["options"]["prompt"] != first["options"]["prompt"]
    assert second["inputs"][0][0]["content"] == "List what the picture has to show."
    assert second["kept"] == []
    easel(*args)
    assert told(tmp_path, 3)[0]["kept"] == [0]
    file.write_text(OTHER.replace("has to", "must"))  # says what the bundled one says
    easel(*args)
    assert told(tmp_path, 4)[0]["kept"] == [0]
    assert told(tmp_path, 4)[0]["options"]["prompt"] == first["options"]["prompt"]


def test_variants_may_differ_in_a_prompt(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OTHER)
    (tmp_path / "b.yaml").write_text(OTHER.replace("has to", "must"))
    (tmp_path / "briefs.csv").write_text(f'brief\n"{BRIEF}"\n')
    vary = f"text.prompts.read-bare={tmp_path / 'a.yaml'},{tmp_path / 'b.yaml'}"
    said = easel("compare", str(tmp_path / "briefs.csv"), "--vary", vary, "--set", "loop.images=1")
    assert said.status == 0, said.err
    made = json.loads((tmp_path / "out/compare.json").read_text())
    assert [one["name"].rpartition("/")[2] for one in made["standings"]] == ["a.yaml", "b.yaml"]
    assert len({call["options"]["prompt"] for n in (1, 2) for call in told(tmp_path, n)[:1]}) == 2


def test_a_bad_prompt_is_told_before_anything_is_loaded(easel: Easel, tmp_path: Path) -> None:
    (tmp_path / "read.yaml").write_text("user: hello\n")
    for args in (("run", BRIEF), ("presets", "--check", "mini")):
        said = easel(*args, "--set", f"text.prompts.read={tmp_path / 'read.yaml'}")
        assert said.status == 2, said.out + said.err
        assert "read.yaml: `user` lacks the placeholder {brief}" in said.out + said.err
    said = easel("run", BRIEF, "--set", f"text.prompts.raed={tmp_path / 'read.yaml'}")
    assert "text.prompts: unknown prompt raed; did you mean read?" in said.err
