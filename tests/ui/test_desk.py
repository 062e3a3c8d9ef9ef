"""What the app and its verbs refuse before a job is queued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.brief import Brief, Limits
from pipeline.errors import BriefError, ConfigError
from pipeline.store import Store
from pipeline.work.task import Task
from ui.api import Verbs
from ui.desk import Desk


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
