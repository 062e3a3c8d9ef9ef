"""What the app and its verbs refuse before a job is queued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.brief import Brief, Limits
from pipeline.config import FOLDER
from pipeline.errors import BriefError, ConfigError
from pipeline.store import Store
from pipeline.work.task import Task
from ui import presets
from ui.api import Verbs
from ui.batch import Page as BatchPage
from ui.create import Page
from ui.desk import Desk
from ui.form import BUDGET
from ui.wants import Draft, Edit, edited, quick


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path / "out")
    yield Desk(store)
    store.close()


def test_a_limit_of_money_without_a_price_is_refused(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"loop\.money: machine\.price is 0"):
        Verbs(desk).submit("a cat", money=1)
    with pytest.raises(BriefError, match=r"money: mini: machine\.price is 0"):
        desk.submit(Task(brief=Brief(text="a cat", limits=Limits(money=1))))
    with pytest.raises(BriefError, match="no row of the file can run"):
        Verbs(desk).submit_batch("brief,money\na cat,1\n")
    assert Verbs(desk).jobs() == []
    assert Verbs(desk).submit("a cat", money=1, price=0.4)["state"] == "queued"


def test_a_size_that_the_preset_cannot_paint_is_refused(desk: Desk) -> None:
    with pytest.raises(BriefError, match="paints squares"):
        Verbs(desk).submit("a cat", width=128, height=64)


@pytest.mark.parametrize("name", ["/etc/passwd", "/etc/passwd.yaml", "./secret.yaml", "secret.yaml", ""])
def test_a_preset_is_chosen_by_name_only(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No file that a client names is opened, not even for an error message."""
    (tmp_path / "secret.yaml").write_text("root:secret\n")
    monkeypatch.chdir(tmp_path)
    verbs = Verbs(desk)
    for call in (
        lambda: verbs.read("a cat", name), lambda: verbs.submit("a cat", name), lambda: verbs.load(name),
        lambda: verbs.submit_batch("brief\na cat\n", preset=name), lambda: quick("a cat", name),
        lambda: desk.submit(Task(brief=Brief(text="a cat"), preset=name)), lambda: desk.read("a cat", name),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match="unknown preset") as caught:
            call()
        assert "secret\n" not in str(caught.value)
        assert "root:" not in str(caught.value)
    assert verbs.jobs() == []


def test_what_no_picture_can_meet_is_not_queued(desk: Desk) -> None:
    """Else every press of Paint leaves a run that failed."""
    text, page = "a red cat, the cat is blue", Page(desk)
    budget = [6, *(0 for _ in BUDGET[1:])]
    for draft in (quick(text, "mini"), Draft()):  # seen on the page; typed a moment ago
        with pytest.raises(BriefError, match="contradicts itself"):
            page.paint("", text, draft.model_dump_json(), "mini", "0", 0, 0, "", *budget)
    mended = edited(quick(text, "mini"), Edit(op="drop", id="r2"))
    page.paint("", text, mended.model_dump_json(), "mini", "0", 0, 0, "", *budget)
    assert len(desk.store.jobs.list()) == 1


def test_the_preview_of_a_batch_names_the_briefs_that_no_picture_can_meet(desk: Desk) -> None:
    content = b'brief\na cat\n"a red cat, the cat is blue"\n'
    *_, seen, start = BatchPage(desk).rows(content, "csv", "cats", "cats.csv", "mini")
    assert (seen.count("✓ ready"), seen.count("✗ cannot be met")) == (1, 1)
    assert "contradicts itself" in seen
    assert start.interactive


def test_the_owner_adds_presets(desk: Desk, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text((FOLDER / "mini.yaml").read_text())
    try:
        presets.configure([mine])
        assert "mine" in [preset["name"] for preset in Verbs(desk).presets()]
        job = desk.job(Verbs(desk).submit("a cat", "mine")["id"])
        assert job.payload["preset"] == str(mine)
        assert desk.submit(Task(**job.payload)).payload["preset"] == str(
            mine
        )  # once more, by its own payload
        (tmp_path / "mini.yaml").write_text(mine.read_text())
        with pytest.raises(ConfigError, match="rename the file"):
            presets.configure([tmp_path / "mini.yaml"])
    finally:
        presets.configure([])
