"""The console command as a person uses it: a real process, bundled models, exit statuses, one-line errors."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.easel import main
from tests.scripts import signalled
from tests.scripts.signalled import PATIENCE

ROOT = Path(__file__).parents[2]


def easel(*args: str, stdin: bytes | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.easel", *args], cwd=ROOT, input=stdin, capture_output=True,
        env=os.environ | env, check=False, timeout=PATIENCE,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


RULES = ("--set", "loop.reader=rules", "--set", "loop.writer=template")  # no text model: a quick start


class Said(NamedTuple):
    status: int
    out: str
    err: str


Here = Callable[..., Said]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], loaded_once: None) -> Here:
    """The command in this process, which imports the libraries and loads each model once."""

    def run(*args: str, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "argv", ["easel", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit:
            main()
        return Said(int(exit.value.code or 0), *capsys.readouterr())

    return run


def test_several_pictures_have_a_run_and_a_record_each(tmp_path: Path, here: Here) -> None:
    said = here(
        "run",
        "a panda",
        *RULES,
        "--images",
        "1",
        "--pictures",
        "3",
        "--seed",
        "5",
        "--json",
        "--out",
        str(tmp_path),
    )
    records = [json.loads(line) for line in said.out.splitlines()]
    assert [record["brief"]["seed"] for record in records] == [5, 6, 7]
    assert len({record["folder"] for record in records}) == 3
    assert said.status == max(record["exit_status"] for record in records)
    assert said.err.count("Wants") == 1
    assert "picture 3 of 3, seed 7" in said.err
    assert "of 3 pictures accepted" in said.err


def test_a_random_seed_is_another_each_time(tmp_path: Path, here: Here) -> None:
    args = ("run", "a panda", *RULES, "--images", "1", "--seed", "random", "--json", "--out", str(tmp_path))
    one, other = (json.loads(here(*args).out)["brief"]["seed"] for _ in range(2))
    assert one != other


def is_one_line(said: Said) -> bool:
    return said.err.startswith("easel: ") and said.err.count("\n") == 1 and len(said.err) < 500


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([""], "the brief is empty"),
        (["   \n "], "the brief is empty"),
        (["cat " * 2000], "shorten it"),
        (["a cat \udcff\udcfe"], "binary"),
        (["a cat \x1b[31m"], "binary"),
        (["a cat", "--preset", "minni"], "did you mean mini?"),
        (["a cat", "--preset", ""], "known are laptop, mini"),
        (["a cat", "--preset", "/nowhere/x.yaml"], "no preset file"),
        (["a cat", "--set", "image.stepz=3"], "did you mean steps?"),
        (["a cat", "--set", "image.kind=oil"], "known kinds"),
        (["a cat", "--set", "image.width=99999999"], "image.width"),
        (["a cat", "--set", "image.steps=-1"], "image.steps"),
        (["a cat", "--set", "nonsense"], "key=value"),
        (["a cat", "--width", "-5"], "--width"),
        (["a cat", "--width", "0", "--height", "0"], "--width"),
        (["a cat", "--width", "100000"], "--width"),
        (["a cat", "--width", "wide"], "--width"),
        (["a cat", "--width", "300"], "paints squares"),
        (["a cat", "--images", "0"], "loop.images"),
        (["a cat", "--seconds", "nan"], "loop.seconds"),
        (["a cat", "--seconds", "inf"], "loop.seconds"),
        (["a cat", "--tokens", "-1"], "loop.tokens"),
        (["a cat", "--money", "1"], "loop.money: machine.price is 0"),
        (["a cat", "--set", "loop.batch.money=1"], "loop.batch.money: machine.price is 0"),
        (
            ["a cat", "--set", "judge.defalt.fail=0.1"],
            "--set: unknown key judge.defalt; did you mean default?",
        ),
        (["a cat", "--seed", "-1"], "--seed"),
        (["a cat", "--seed", "some"], "give one, or random"),
        (["a cat", "--pictures", "0"], "--pictures"),
        (["a cat", "--seed", "9" * 30], "--seed"),
        (["a cat", "--out", "/proc/nowhere"], "--out"),
        (["a cat", "--set", "image.model=./nowhere"], "no model folder"),
        (["a cat", "--set", "text.gguf_file=nowhere.gguf"], "nowhere.gguf"),
        (["a cat", "--set", "image.quantize=int8"], "weights of 8 bits already"),
        (["a cat", "--set", "image.gguf={model: ./m, file: ../../x.gguf}"], "leaves the model's folder"),
        (["a cat", "--set", "text.gguf_file=/etc/passwd"], "leaves the model's folder"),
        (["a cat", "--set", "range=./nowhere.json"], "correct it in the preset"),
        (["a cat", "--set", "range=package:models/mini/judge.json"], "form of a range"),
        (["a cat", "--set", "judge.measured=package:models/mini/range.json"], "JSON file of bands"),
        ([], "Missing argument"),
        (["a cat", "--bogus"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_2(args: list[str], says: str, tmp_path: Path, here: Here) -> None:
    out = [] if "--out" in args else ["--out", str(tmp_path)]
    said = here("run", *args, *out)
    assert said.status == 2
    assert says in said.err
    assert is_one_line(said)
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []
    as_json = here("run", *args, *out, "--json")
    assert as_json.status == 2
    told = json.loads(as_json.out)
    assert told["exit_status"] == 2
    assert f"easel: {told['error']}" == as_json.err.rstrip("\n") == said.err.rstrip("\n")


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"cat " * 250_000, "shorten it"), (bytes(range(256)) * 4000, "binary"), (b"", "empty")],
)
def test_huge_binary_and_empty_input_is_refused(data: bytes, says: str, tmp_path: Path, here: Here) -> None:
    said = here("run", "-", "--out", str(tmp_path), stdin=data)
    assert said.status == 2
    assert says in said.err
    assert is_one_line(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["about: [", "\x00\x89PNG", "just words", "- 1", "about: x"])
def test_a_file_that_is_not_a_preset_is_refused(text: str, tmp_path: Path, here: Here) -> None:
    (tmp_path / "mine.yaml").write_bytes(text.encode("latin-1"))
    said = here("run", "a cat", "--preset", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "out"))
    assert said.status == 2
    assert "mine.yaml" in said.err
    assert is_one_line(said)


@pytest.mark.parametrize("inner", ["", "/deeper/still"])
def test_a_file_where_the_folder_should_be_is_refused(inner: str, tmp_path: Path, here: Here) -> None:
    (tmp_path / "taken").write_text("mine")
    said = here("run", "a cat", "--out", f"{tmp_path}/taken{inner}")
    assert said.status == 2
    assert "name a folder with --out" in said.err
    assert is_one_line(said)
    assert (tmp_path / "taken").read_text() == "mine"


def test_weights_cut_short_leave_no_empty_folder(tmp_path: Path, here: Here) -> None:
    folder = shutil.copytree(ROOT / "models/mini/painter", tmp_path / "painter")
    weights = next((folder / "transformer").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    said = here(
        "run", "a cat", "--set", f"image.model={folder}", *RULES, "--out", str(tmp_path / "out"), "--json"
    )
    assert said.status == 2
    assert "diffusers cannot load painter" in json.loads(said.out)["error"]
    assert not list((tmp_path / "out").glob("a-cat*"))


def test_brackets_in_a_brief_are_not_markup(tmp_path: Path, here: Here) -> None:
    said = here("run", "a cat [/] [red] [bold", *RULES, "--images", "1", "--out", str(tmp_path))
    assert said.status in (0, 3)
    assert said.err == ""
    assert "a cat" in said.out


@pytest.mark.parametrize("args", [["paint"], ["--bogus"], ["presets", "extra"]])
def test_unknown_commands_point_to_help(args: list[str], here: Here) -> None:
    said = here(*args)
    assert said.status == 2
    assert "see easel --help" in said.err
    assert is_one_line(said)


def test_presets_and_doctor_print_json(here: Here) -> None:
    names = [row["name"] for row in json.loads(here("presets", "--json").out)]
    assert {"mini", "turbo", "studio", "server"} <= set(names)
    said = here("doctor", "--json")
    findings = {row["what"]: row["state"] for row in json.loads(said.out)}
    assert findings["mini image"] == findings["mini judges.scorer"] == findings["mini text"] == "ready"
    assert said.status == 0


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(
    "module", ["scripts.commands.interrupt", "pydantic", "scripts.commands.run", "numpy", "torch"]
)
def test_ctrl_c_while_it_starts(module: str, tmp_path: Path) -> None:
    """Among imports and loads, just after `module` was imported."""
    command = ["-X", "importtime", "-m", "scripts.easel", "run", "a cat", "--out", str(tmp_path), "--json"]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == module:
            process.send_signal(signal.SIGINT)
            break
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert json.loads(out)["exit_status"] == 130
    assert "Traceback" not in errors
    assert errors.count("easel: stopped") == 1
    left = list(tmp_path.glob("a-cat*"))
    assert all((folder / "run.json").is_file() for folder in left)


def test_missing_weights_name_the_next_step(tmp_path: Path) -> None:
    done = easel(
        "run", "a cat", "--preset", "turbo", "--out", str(tmp_path), HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)
    )
    assert done.returncode == 2
    assert "hf download" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_network_is_reported_in_one_line(tmp_path: Path) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    done = easel("run", "a cat", "--preset", "studio", "--out", str(tmp_path / "out"), **nowhere)
    assert done.returncode == 2
    assert "the hub could not be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_same_brief_twice_gives_the_same_bytes(tmp_path: Path, here: Here) -> None:
    """In two processes, with all three bundled models."""
    args = ["run", "a red balloon on white, flat style", "--seed", "3", "--images", "1", "--json", "--fresh"]
    done = easel(*args, "--out", str(tmp_path / "first"))
    said = here(*args, "--out", str(tmp_path / "second"))
    records = [json.loads(done.stdout), json.loads(said.out)]
    for record, status in zip(records, (done.returncode, said.status), strict=True):
        assert status == record["exit_status"] == (0 if record["outcome"]["status"] == "accepted" else 3)
    files = [sorted((tmp_path / n).rglob("attempts/*.png")) for n in ("first", "second")]
    assert [f.name for f in files[0]] == [f.name for f in files[1]] != []
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert records[0]["reading"] == records[1]["reading"]
    checks = [[a["verdicts"] for a in r["attempts"]] for r in records]
    assert checks[0] == checks[1]


def test_a_brief_that_cannot_be_met_ends_with_status_3(tmp_path: Path, here: Here) -> None:
    said = here(
        "run", "a cat on a red background, mostly blue", *RULES, "--images", "1", "--out", str(tmp_path)
    )
    assert said.status == 3
    assert "still missing: " in said.out
    assert next(tmp_path.glob("*/best.png")).stat().st_size > 0


@pytest.mark.parametrize("size", ["9999x9999", "512x300"])
def test_an_impossible_size_is_reported_before_painting(size: str, tmp_path: Path, here: Here) -> None:
    said = here("run", f"a cat on white, {size}", *RULES, "--out", str(tmp_path), "--json")
    record = json.loads(said.out)
    assert (said.status, record["outcome"]["status"], record["attempts"]) == (3, "failed", [])
    assert "ask for another size" in record["outcome"]["reason"]


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.slow
def test_ctrl_c_keeps_what_was_written(tmp_path: Path) -> None:
    stopped = signalled.easel(
        "run", "a cat on a red background, mostly blue", "--out", str(tmp_path), "--images", "3", *RULES,
        signal=signal.SIGINT, file="attempts/1-1.png",
    )  # fmt: skip
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert "stopped by the user" in record["outcome"]["reason"]
    assert next(tmp_path.glob("*/best.png")).stat().st_size > 0


def test_without_a_command_the_help_is_shown(here: Here) -> None:
    said = here()
    assert said.status == 0
    assert "Turn a brief into images" in said.out
    assert said.err == ""


def test_the_version_is_told(here: Here) -> None:
    said = here("--version")
    assert said == (0, f"easel {importlib.metadata.version('easel')}\n", "")


READING = [
    ["stats"], ["trace", "x"], ["review", "list"], ["report", "tests/data/stickers.csv"], ["bands"], ["clean"],
]  # fmt: skip


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_creates_no_store(command: list[str], tmp_path: Path, here: Here) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "blank.db").touch()
    for out, more in (
        ("none", ()),
        ("empty", ()),
        ("none", ("--store", f"sqlite:///{tmp_path}/other.db")),
        ("empty", ("--store", f"sqlite:///{tmp_path}/other.db")),
        ("empty", ("--store", f"sqlite:///{tmp_path}/blank.db")),
    ):
        said = here(*command, "--out", str(tmp_path / out), *more)
        assert said.status == 2
        assert "no store in" in said.err
        assert is_one_line(said)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "blank.db", empty]
    assert (tmp_path / "blank.db").stat().st_size == 0
    assert list(empty.iterdir()) == []


def test_an_estimate_creates_no_store(tmp_path: Path, here: Here) -> None:
    said = here("batch", "tests/data/stickers.csv", "--estimate", "--out", str(tmp_path / "out"))
    assert said.status == 0
    assert "no speeds are recorded" in said.out
    assert list(tmp_path.iterdir()) == []


def test_a_preset_is_checked_without_painting(tmp_path: Path, here: Here) -> None:
    (tmp_path / "mine.yaml").write_text((ROOT / "configs" / "mini.yaml").read_text())
    said = here("presets", "--check", str(tmp_path / "mine.yaml"), "--set", "image.steps=3", "--json")
    assert said.status == 0
    told = json.loads(said.out)
    assert told["obstacle"] == ""
    keys = {key["name"]: key for key in told["keys"]}
    assert keys["image.steps"] == {
        "name": "image.steps", "value": 3, "default": 28, "required": False, "place": "--set", "model": None,
    }  # fmt: skip
    assert keys["image.max_batch"]["place"] == f"{tmp_path}/mine.yaml:29"
    assert keys["loop.batch.money"]["place"] is None
    assert keys["judges.detector.kind"]["required"]
    assert {
        "judge.risk",
        "judge.escalate",
        "loop.edit",
        "image.fallback",
        "image.escalate",
        "text.prompts",
    } <= keys.keys()
    shown = here("presets", "--check", str(tmp_path / "mine.yaml"))
    assert shown.status == 0
    assert "line 29; default: 4" in shown.out
    assert "every key is valid\nit can run here" in shown.out


def test_a_preset_that_cannot_run_or_is_wrong_is_told(tmp_path: Path, here: Here) -> None:
    missing = here("presets", "--check", "mini", "--set", "image.model=./nowhere")
    assert missing.status == 3
    assert "it cannot run here: " in missing.out
    wrong = here("presets", "--check", "mini", "--set", "image.stepz=3")
    assert wrong.status == 2
    assert "did you mean steps?" in wrong.err
    assert is_one_line(wrong)
    alone = here("presets", "--set", "image.steps=3")
    assert alone.status == 2
    assert is_one_line(alone)
