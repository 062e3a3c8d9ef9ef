"""What chaos_kill compares: equal work leaves equal things, and every loss is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.stopping import Stop
from pipeline.store import Store
from pipeline.work.play import play
from pipeline.work.row import Row
from scripts.benches.chaos_compare import differences, state
from tests.pipeline.conftest import tiny, tiny_folder  # noqa: F401
from tests.pipeline.test_loop import NEVER_PASS


def work(out: Path, preset: Preset, interrupted: bool = False) -> dict[str, str]:
    store = Store(out)
    rows = [Row(1, Brief(text="a cat on a red background", seed=3), preset)]
    if interrupted:
        stop = Stop()
        for _ in play(rows, store, stop=stop):
            stop.pause()
    list(play(rows, store))
    store.close()
    return state(out)


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        ("DELETE FROM calls WHERE attempt = 2 AND stage = 'scorer'", {"calls", "spans"}),
        ("UPDATE calls SET record = json_set(record, '$.outputs', json('[]')) WHERE attempt = 1", {"calls"}),
        ("UPDATE candidates SET score = 0.123 WHERE attempt = 1", {"pictures"}),
    ],
)
def test_an_interruption_makes_no_difference_and_a_loss_does(
    tiny: Callable[..., Preset],  # noqa: F811
    tmp_path: Path,
    damage: str,
    lost: set[str],
) -> None:
    preset = tiny(judge=NEVER_PASS, loop={"images": 3})
    wanted = work(tmp_path / "a", preset)
    assert differences(work(tmp_path / "b", preset, interrupted=True), wanted) == []
    store = Store(tmp_path / "b")
    with store.engine.begin() as connection:
        assert connection.execute(text(damage)).rowcount
    store.close()
    found = {line.rpartition("/")[2] for line in differences(state(tmp_path / "b"), wanted)}
    assert found >= lost
    (tmp_path / "b/a-cat-on-a-red-background/attempts/1-1.png").unlink()
    assert any(line.startswith("lost: a-cat") for line in differences(state(tmp_path / "b"), wanted))
