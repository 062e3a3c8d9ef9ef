"""The evaluation of a preset on briefs, end to end with the bundled models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from scripts.evaluation.loop import chosen_cases, main
from scripts.evaluation.suite import KINDS


@pytest.mark.usefixtures("loaded_once")
def test_sets_of_a_folder_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets, figures = tmp_path / "sets", tmp_path / "figures.json"
    sets.mkdir()
    (sets / "mine.tsv").write_text("a cat on a red background\tcat; background red\n", encoding="utf-8")
    (sets / "yours.tsv").write_text("a cat\tcat; PERSON: in the park\n", encoding="utf-8")
    main(briefs=sets, error_pictures=1, pictures=tmp_path / "out", figures=figures)
    printed = capsys.readouterr().out
    assert "it denies" in printed
    assert "| mine | 1 |" in printed
    kept = json.loads(figures.read_text(encoding="utf-8"))
    mine, yours = kept["figures"]
    assert mine["met and accepted"]["count"] == 1
    assert mine["accepted but wrong"]["count"] == 0
    assert yours["met and accepted"]["of"] == 0  # none may be accepted
    assert [brief["objections"]["loop"] for brief in kept["briefs"]] == [[], []]
    assert sorted(file.name.rsplit("-", 1)[0] for file in (tmp_path / "out").iterdir())[0] == "mine-accepted"


def test_what_is_measured_unless_a_folder_is_named() -> None:
    cases = chosen_cases(2, None, False, 11, False, ())
    kinds = list(dict.fromkeys(case.kind for case in cases))
    assert kinds == [*KINDS, "negation", "outside", "preamble", "prose", "same_colour", "several"]
    assert len(cases) == 2 * len(kinds)
    assert {case.kind for case in chosen_cases(1, None, True, 11, False, ())} == set(KINDS)


def test_a_folder_with_a_wrong_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("a wolf\twolf\n", encoding="utf-8")
    with pytest.raises(typer.BadParameter, match=r"mine\.tsv, line 1"):
        main(briefs=tmp_path)
