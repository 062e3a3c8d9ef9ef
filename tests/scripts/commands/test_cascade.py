"""Small models first, through the command line with the bundled preset."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.results.stats import gather
from pipeline.store import Store
from scripts.easel import main
from ui.observe import latency

OWL = "an owl above a tree on a white background"
RULES = ("--set", "loop.reader=rules", "--set", "loop.writer=template")  # no text model: a quick start


class Said(NamedTuple):
    status: int
    out: str
    err: str


Easel = Callable[..., Said]


@pytest.fixture
def easel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, loaded_once: None
) -> Easel:
    """The command in this process; its output folder is `tmp_path/out`."""

    def run(*args: str) -> Said:
        out = () if args[0] == "presets" else ("--out", str(tmp_path / "out"))
        monkeypatch.setattr(sys, "argv", ["easel", *args, *out])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as exit:
            main()
        return Said(int(exit.value.code or 0), *capsys.readouterr())

    return run


def record(tmp_path: Path) -> dict[str, Any]:
    (path,) = (tmp_path / "out").glob("*/run.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def calls(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [*of["calls"], *(call for attempt in of["attempts"] for call in attempt["calls"])]


def test_what_the_detector_leaves_open_is_asked_of_the_scorer(easel: Easel, tmp_path: Path) -> None:
    unsure = "judge.kinds.relation={pass: 1.0, fail: 0.0}"
    said = easel("run", OWL, *RULES, "--set", "judge.escalate=true", "--set", unsure, "--images", "1")
    assert "handed up to scorer: 1 check unsure" in said.out
    made = record(tmp_path)
    (verdict,) = made["attempts"][0]["verdicts"]
    assert verdict["handed_up"] == ["scorer: 1 check unsure"]
    by = {check["reason"].split(" (")[0]: check["judge"] for check in verdict["checks"]}
    assert by["shows an owl"] == "detector"
    assert by["may or may not show the owl is above the tree"] == "detector + scorer"
    assert [(c["stage"], "handed_up" in c) for c in calls(made)] == [
        ("image", False), ("detector", False), ("scorer", False), ("scorer", True)
    ]  # fmt: skip
    crops = calls(made)[-1]["inputs"]
    assert sorted(crops) == [["a picture of a tree"], ["a picture of an owl"]]
    (scorer,) = (
        stage for stage in json.loads(easel("stats", "--json").out)["latency"] if stage["stage"] == "scorer"
    )
    assert (scorer["calls"], scorer["handed_up"]) == (2, 1)
    assert scorer["handed_up_seconds"] > 0
    assert "1 (0." in easel("stats").out
    (run,) = Store(tmp_path / "out").runs.find()
    assert "easel.handed_up" in easel("trace", run.id, "--json").out
    assert easel("trace", run.id).out.count("handed up: checks that the judges before left open") == 1
    assert "Calls about what a smaller model left open: scorer 1 (0." in latency(
        gather(Store(tmp_path / "out"))
    )
    again = easel("run", OWL, *RULES, "--set", "judge.escalate=true", "--set", unsure, "--images", "1")
    assert "handed up to scorer: 1 check unsure" in again.out
    assert all(
        len(call["kept"]) == len(call["inputs"]) for row in [run_of(tmp_path, 2)] for call in calls(row)
    )


def run_of(tmp_path: Path, number: int) -> dict[str, Any]:
    paths = sorted((tmp_path / "out").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    found: dict[str, Any] = json.loads(paths[number - 1].read_text(encoding="utf-8"))
    return found


def test_pictures_that_fail_are_handed_up_to_more_steps(easel: Easel, tmp_path: Path) -> None:
    never = "judge.kinds.relation={pass: 1.0, fail: 0.9999999}"
    steps = "image.escalate=[{steps: 2}, {steps: 3}]"
    said = easel(
        "run", OWL, *RULES, "--set", steps, "--set", "loop.escalate_after=1", "--set", never, "--images", "3"
    )
    assert "→ other painter: missing: the owl is above the tree; handed up to 2 steps" in said.out
    assert "; handed up to 3 steps" in said.out
    painted = [call for call in calls(record(tmp_path)) if call["stage"] == "image"]
    assert [call["outputs"][0]["steps"] for call in painted] == [1, 2, 3]
    assert [call.get("handed_up") for call in painted] == [
        None,
        "pictures that failed",
        "pictures that failed",
    ]
    # They are of the same weights, so what was measured of the painter holds for them.
    last = record(tmp_path)["attempts"][2]["verdicts"][0]["checks"]
    assert {check["outcome"] for check in last} == {"pass", "fail"}
    image = next(
        stage for stage in json.loads(easel("stats", "--json").out)["latency"] if stage["stage"] == "image"
    )
    assert (image["calls"], image["handed_up"]) == (3, 2)


def test_the_text_model_reads_what_the_rules_leave_open(easel: Easel, tmp_path: Path) -> None:
    settings = ("--set", "loop.reader=escalate", "--images", "1")
    assert "Wants (rules + marks): " in easel("run", OWL, *settings).out
    made = run_of(tmp_path, 1)
    assert [call["outputs"][0]["output_tokens"] for call in made["calls"]] == [0]
    said = easel("run", "a panda with a knitted scarf on a white background", *settings)
    made = run_of(tmp_path, 2)
    (handed,) = made["reading"]["handed_up"]
    assert f"handed up to {handed}" in said.out
    assert handed.startswith("SmolLM2-135M-Instruct.Q4_1.gguf: ")
    assert [call.get("handed_up") for call in made["calls"]] == [None, "briefs that were not understood"]
    text = next(
        stage for stage in json.loads(easel("stats", "--json").out)["latency"] if stage["stage"] == "text"
    )
    assert (text["calls"], text["handed_up"]) == (3, 1)
    # Words that the rules overlook and the marks notice are left to a person.
    assert "“Seen from behind”" in easel("run", "Seen from behind: one horse, brown.", *settings).out


def test_a_larger_text_model_and_the_limit_of_tokens(easel: Easel, tmp_path: Path) -> None:
    """The larger one here is the same with its marker; both together may take more tokens than the limit allows."""
    larger = ("--set", "text.marker=null", "--set", "text.escalate=[{marker: 'package:models/mini/marker'}]")
    brief = "a crab in the style of old matchboxes"
    easel("run", brief, *larger, "--images", "1")
    made = run_of(tmp_path, 1)
    assert [call.get("handed_up") is None for call in made["calls"]] == [True, False, False]
    assert made["reading"]["handed_up"][0].startswith("SmolLM2-135M-Instruct.Q4_1.gguf: ")
    said = easel("run", brief, *larger, "--images", "1", "--tokens", "300")
    assert "of the brief's budget leave no room" in said.out
    assert run_of(tmp_path, 2)["calls"] == []
    assert run_of(tmp_path, 2)["reading"]["reader"] == "rules"


def test_a_preset_without_it_is_judged_as_before(easel: Easel, tmp_path: Path) -> None:
    said = easel("run", OWL, *RULES)
    assert said.status == 0
    assert "handed up" not in said.out
    made = record(tmp_path)
    assert "handed_up" not in json.dumps(made)
    assert "escalate" not in json.dumps(made["preset"])
    checks = made["attempts"][0]["verdicts"][0]["checks"]
    assert {len(check["basis"]["judges"]) for check in checks if check["judge"] == "detector + scorer"} == {2}
    assert {check["judge"] for check in checks} == {"detector + scorer", "scorer"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("judge: {escalat: true}", "unknown key judge.escalat; did you mean escalate?"),
        ("judge: {routes: {style: {ask: [scorer], escalates: true}}}", "escalates; did you mean escalate?"),
        ("loop: {escalate_afer: 2}", "unknown key loop.escalate_afer; did you mean escalate_after?"),
        ("loop: {reader: escalat}", "loop.reader is 'escalat'; did you mean escalate?"),
        ("judge: {escalate: sometimes}", "judge.escalate: input should be a valid boolean"),
    ],
)
def test_a_misspelt_key_is_told_with_its_line(easel: Easel, tmp_path: Path, line: str, says: str) -> None:
    bundled = (Path(__file__).parents[3] / "configs/mini.yaml").read_text(encoding="utf-8")
    section = line.partition(":")[0]
    text = re.sub(rf"(?m)^{section}:\n(  .*\n)+", line + "\n", bundled)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    number = text.splitlines().index(line) + 1
    said = easel("run", OWL, "--preset", str(tmp_path / "mine.yaml"))
    assert said.status == 2
    assert f"mine.yaml:{number}: " in said.err
    assert says in said.err
