"""What made a picture comes back into the form, or the page says what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.brief import Brief, Limits
from pipeline.config import Preset, load_preset
from pipeline.errors import BriefError, ConfigError, OutputError
from pipeline.results.run_folder import read_metadata
from pipeline.store import Store
from pipeline.work.task import Task
from tests.ui.conftest import add_runs
from ui import presets
from ui.form import BUDGET, form_of, overrides, seed_of
from ui.origin import of_run, settings_in

TEXT = "a panda on a purple background"
RECORD: dict[str, Any] = {
    "version": 1, "brief": {"text": TEXT, "seed": 3}, "preset": "mini",
    "candidate": {"id": "1-1", "plan": {"seed": 2**63 - 1, "prompt": {"text": TEXT}}},
    "requirements": [{"id": "r1", "kind": "object", "subject": "panda", "text": "a panda"}],
}  # fmt: skip


def png(path: Path, text: str | None, size: tuple[int, int] = (8, 8)) -> Path:
    info = PngInfo()
    if text is not None:
        info.add_itxt("easel", text)
    Image.new("RGB", size).save(path, pnginfo=info)
    return path


@pytest.fixture
def offered(tiny_preset: Preset) -> Iterator[str]:
    """The path of a preset that the page offers."""
    presets.configure([tiny_preset.source])
    yield str(tiny_preset.source)
    presets.configure(())


def painted(out: Path, preset: Preset) -> tuple[Store, str, Path]:
    """A run of a preset: its store, its id and its picture."""
    store = Store(out)
    (id,) = add_runs(store, preset, [TEXT])
    return store, id, out / store.runs.find()[0].folder / "attempts/1-1.png"


def test_everything_that_made_a_picture_comes_back(offered: str, tmp_path: Path) -> None:
    made = ["image.steps=3", "image.guidance=2.5", "loop.images=2", "loop.seconds=900", "loop.together=3"]
    preset = load_preset(offered, [*made, "image.width=72", "image.height=80"])
    store, id, picture = painted(tmp_path, preset)
    run = store.runs.get(id)
    assert run is not None
    for origin in (settings_in(picture), of_run(run)):
        assert origin.differs == ()
        assert "everything that made" in origin.told("this picture")
        form = form_of(origin.task.model_copy(update={"preset": offered}))
        assert (form.width, form.height) == (72, 80)
        assert dict(zip(BUDGET, form.budget, strict=True))["seconds"] == 900
        again = load_preset(offered, overrides(form.changes, form.budget))
        assert again.loop == preset.loop
        assert (again.image.steps, again.image.guidance) == (3, 2.5)
    store.close()


def test_what_a_form_cannot_set_is_said(offered: str, tmp_path: Path) -> None:
    store, _, picture = painted(tmp_path, load_preset(offered, ["judge.risk=0.2"]))
    assert settings_in(picture).differs == ("the section judge of the preset has changed",)
    presets.configure(())
    (gone,) = settings_in(picture).differs
    assert "is not here, and mini" in gone
    with pytest.raises(ConfigError, match="unknown preset"):
        settings_in(picture).again()
    store.close()


def test_the_record_of_a_picture_shows_nothing_private(offered: str, tmp_path: Path) -> None:
    store, _, picture = painted(tmp_path, load_preset(offered))
    assert "model" not in json.dumps(read_metadata(picture)["recipe"])
    store.close()


def test_a_seed_is_exact(tmp_path: Path) -> None:
    task = settings_in(png(tmp_path / "a.png", json.dumps(RECORD))).task
    assert (task.brief.text, task.brief.seed, task.preset) == (TEXT, 2**63 - 1, "mini")
    assert [want.text for want in task.brief.requirements or ()] == ["a panda"]
    assert seed_of(form_of(task).seed) == 2**63 - 1


@pytest.mark.parametrize("said", ["-1", "1.5", "one", str(2**63), "²"])
def test_other_seeds_are_refused(said: str) -> None:
    with pytest.raises(BriefError, match=r"seed: .* is not a seed"):
        seed_of(said)


@pytest.mark.parametrize("said", [10**4000, -5, float("inf"), float("nan"), 1.5, "3", None])
def test_a_record_with_another_seed_is_damaged(tmp_path: Path, said: object) -> None:
    candidate = {"id": "1-1", "plan": {"seed": said, "prompt": {"text": TEXT}}}
    with pytest.raises(OutputError, match="damaged"):
        settings_in(png(tmp_path / "a.png", json.dumps(RECORD | {"candidate": candidate})))


def test_a_later_candidate_names_its_prompt(tmp_path: Path) -> None:
    plan = {"seed": 5, "prompt": {"text": "one calm panda"}}
    later = RECORD | {"candidate": {"id": "2-1", "plan": plan}, "degraded": ["image, blank → cpu"]}
    told = settings_in(png(tmp_path / "a.png", json.dumps(later))).told("this picture")
    for words in (
        "candidate 2-1",
        "“one calm panda”",
        "a fallback was used (image, blank → cpu)",
        "no settings",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("version", "why"), [(2, "version 2; update Easel"), ("1", "damaged"), (None, "damaged")]
)
def test_a_record_of_another_version_is_refused(tmp_path: Path, version: object, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        settings_in(png(tmp_path / "a.png", json.dumps(RECORD | {"version": version})))


@pytest.mark.parametrize(
    "recipe",
    [
        3, {}, {"size": [1, 1], "keys": {}, "sections": {}}, {"size": [64, 64], "keys": {"loop.images": "x"}},
        {"size": [256, 256], "keys": {"loop.images": [[[]]]}, "sections": {}},
    ],
)  # fmt: skip
def test_a_forged_recipe_is_refused(tmp_path: Path, recipe: object) -> None:
    with pytest.raises(OutputError, match="damaged"):
        settings_in(png(tmp_path / "a.png", json.dumps(RECORD | {"recipe": recipe})))


def test_a_recipe_sets_no_other_key(tmp_path: Path) -> None:
    recipe = {"size": [256, 256], "keys": {"text.base_url": "http://elsewhere"}, "sections": {}}
    origin = settings_in(png(tmp_path / "a.png", json.dumps(RECORD | {"recipe": recipe})))
    assert origin.task.set == ()
    assert "the key text.base_url is unknown here" in origin.differs


def test_the_form_changes_harmless_keys_only() -> None:
    assert overrides("image.steps=3;\nloop.writer=template", [6, *[0] * 6]) == (
        "loop.images=6", "image.steps=3", "loop.writer=template",
    )  # fmt: skip
    with pytest.raises(BriefError, match=r"text\.base_url: the form may set"):
        overrides("text.base_url=http://elsewhere", [6, *[0] * 6])


def test_limits_of_a_brief_are_in_the_form() -> None:
    task = Task(
        brief=Brief(text=TEXT, limits=Limits(images=30, tokens=9)), set=("loop.images=4", "loop.seconds=null")
    )
    form = form_of(task)
    assert (form.budget[0], form.budget[2]) == (24, 9)
    assert overrides(form.changes, form.budget)[-2:] == ("loop.seconds=null", "loop.images=30")


@pytest.mark.parametrize(
    "text", [None, "not json", "[]", '{"brief": {"text": ""}}', '{"brief": 3, "preset": 1}']
)
def test_other_pictures_are_refused_in_a_sentence(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(OutputError, match="record"):
        settings_in(png(tmp_path / "a.png", text))


def test_no_picture_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"GIF89a" + b"\0" * 40)
    with pytest.raises(OutputError, match="not a PNG"):
        settings_in(path)
    with pytest.raises(OutputError, match="wider or taller"):
        settings_in(png(path, None, (9_000, 1)))
