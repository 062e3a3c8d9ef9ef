"""What people say of checks becomes answers about judges, on SQLite and on a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.brief import Brief
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.events import Outcome
from pipeline.judging.basis import Answer, Basis
from pipeline.judging.learned import Known
from pipeline.loop import run
from pipeline.store import Store
from pipeline.store.reviews import Review

Published = Callable[..., Preset]
CAT = "a picture of a cat"


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(tmp_path / "out", store_url)
    yield opened
    opened.close()


def play(store: Store, preset: Preset, texts: list[str], start: int = 0) -> list[str]:
    """Runs of these briefs. Returns their ids."""
    briefs = [Brief(text=text, seed=start + i) for i, text in enumerate(texts)]
    ids = [f"{preset.judges['scorer'].kind}-{start + i}" for i in range(len(texts))]
    for id, brief in zip(ids, briefs, strict=True):
        store.runs.begin(id, brief, preset, store.out)
    for event in run(briefs, preset, load(preset)):
        store.runs.take(ids[event.brief], event)
        if isinstance(event, Outcome):
            assert event.best is not None
    return ids


def decide(store: Store, id: str, decision: str = "approve", who: str = "ann", **said: str) -> None:
    row = store.runs.get(id)
    assert row is not None
    assert row.best is not None
    assert row.reading is not None
    wants = {want["kind"]: want["id"] for want in row.reading["requirements"]}
    store.reviews.add(
        Review(
            run=id, candidate=row.best, who=who, decision=decision,  # type: ignore[arg-type]
            requirements={wants[kind]: word for kind, word in said.items()},  # type: ignore[misc]
        )
    )  # fmt: skip


def about(store: Store, kind: str) -> Known:
    (found,) = (known for known in store.bases.known() if known.basis.kind == kind)
    return found


def test_a_decision_is_an_answer_with_what_the_judge_said(store: Store, published: Published) -> None:
    preset = published({CAT: 0.3}, loop={"images": 1})
    first, second = play(store, preset, ["a cat", "a cat, no dogs"])
    assert about(store, "object").people == ()
    decide(store, first, object="pass")
    decide(store, second, object="fail", absence="fail")
    known = about(store, "object")
    assert sorted(known.people, key=lambda a: a.met) == [Answer(0.3, False), Answer(0.3, True)]
    assert known.basis.judges == ("told scorer@1",)
    assert known.basis.painter.startswith("sd_tiny_vae@")
    assert about(store, "absence").people == (Answer(0.8, False),)  # of the dog not being there


def test_skips_and_what_was_taken_back_are_no_answers(store: Store, published: Published) -> None:
    first, second = play(store, published({CAT: 0.3}, loop={"images": 1}), ["a cat", "a cat"])
    decide(store, first, object="pass")
    decide(store, first, "undo")
    decide(store, second, "skip", object="pass")
    assert about(store, "object").people == ()


def test_the_latest_answer_to_a_check_stands(store: Store, published: Published) -> None:
    (id,) = play(store, published({CAT: 0.3}, loop={"images": 1}), ["a cat"])
    decide(store, id, object="pass")
    decide(store, id, "reject", who="bo", object="fail")
    assert about(store, "object").people == (Answer(0.3, False),)


def test_the_same_picture_is_one_answer_however_often_it_is_painted(
    store: Store, published: Published
) -> None:
    preset = published({CAT: 0.3}, loop={"images": 1})
    for start in (0, 100):  # the same seeds give the same pictures
        briefs = ["a cat", "a cat"]
        ids = [f"run-{start + i}" for i in range(2)]
        given = [Brief(text=text, seed=i) for i, text in enumerate(briefs)]
        for id, brief in zip(ids, given, strict=True):
            store.runs.begin(id, brief, preset, store.out)
        for event in run(given, preset, load(preset)):
            store.runs.take(ids[event.brief], event)
        for id in ids:
            decide(store, id, object="pass")
    assert len(about(store, "object").people) == 2


def test_a_reset_begins_anew_and_leaves_the_log(store: Store, published: Published) -> None:
    first, second = play(store, published({CAT: 0.3}, loop={"images": 1}), ["a cat", "a cat"])
    decide(store, first, object="pass")
    basis = about(store, "object").basis
    store.bases.measured(basis, [Answer(0.4, True)])
    assert store.bases.reset([basis.key, "unknown"]) == 1
    assert about(store, "object") == Known(basis)
    assert len(store.reviews.log()) == 1
    decide(store, second, object="pass")
    assert len(about(store, "object").people) == 1


def test_what_a_judge_measures_of_itself_is_kept_beside_decisions(store: Store, published: Published) -> None:
    (id,) = play(store, published({CAT: 0.3}, loop={"images": 1}), ["a cat"])
    decide(store, id, object="pass")
    basis = about(store, "object").basis
    other = Basis(kind="count", judges=("j@1",), painter="p@1")
    for some in ([Answer(0.4, True)], [Answer(0.2, False), Answer(0.6, True)]):
        for one in (basis, other):
            store.bases.measured(one, some)
    assert about(store, "object") == Known(basis, (Answer(0.3, True),), tuple(some))
    assert about(store, "count") == Known(other, (), tuple(some))


def test_only_what_was_known_at_a_moment(store: Store, published: Published) -> None:
    first, second = play(store, published({CAT: 0.3}, loop={"images": 1}), ["a cat", "a cat"])
    decide(store, first, object="pass")
    moment = store.reviews.log()[0].at
    decide(store, second, object="pass")
    assert [len(k.people) for k in store.bases.known(moment) if k.basis.kind == "object"] == [1]
    assert not any(k.people for k in store.bases.known(moment - timedelta(seconds=1)))
    began = store.runs.began([first, second])
    assert began is not None
    assert began < moment
    assert store.runs.began(["unknown"]) is None
