"""Thirty decisions of a person change what the loop decides next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.events import Outcome
from pipeline.store import Store
from pipeline.store.reviews import Review
from pipeline.work.play import play, play_one
from pipeline.work.row import Row

# As SigLIP: what is shown gets less than one half, what is not gets almost nothing.
ANSWERS = {"a picture of a cat": 0.319, "a picture of a dog": 0.0004}


def decide(store: Store, id: str, word: str) -> None:
    row = store.runs.get(id)
    assert row is not None
    assert row.best is not None
    assert row.reading is not None
    words = {want["id"]: word for want in row.reading["requirements"]}
    decision = "approve" if word == "pass" else "reject"
    store.reviews.add(
        Review(run=id, candidate=row.best, who="ann", decision=decision, requirements=words)  # type: ignore[arg-type]
    )


def test_thirty_decisions_change_what_the_loop_decides(
    published: Callable[..., Preset], tmp_path: Path
) -> None:
    store, preset = Store(tmp_path), published(ANSWERS, loop={"images": 6})
    texts = ["a cat"] * 24 + ["a dog"] * 6
    rows = [
        Row(i, Brief(text=text, name=str(i), seed=10 * i), preset, run=f"r{i}")
        for i, text in enumerate(texts)
    ]
    outcomes = [h[1] for h in play(rows, store) if isinstance(h, tuple) and isinstance(h[1], Outcome)]
    assert {o.status for o in outcomes} == {"needs_review"}
    assert {o.images for o in outcomes} == {3}
    assert {o.reason for o in outcomes} == {"not checked yet: 22 more decisions on objects"}

    for i in range(10):
        decide(store, f"r{i}", "pass")
    later = play_one(Brief(text="a cat", seed=900), preset, store)
    assert later.reason == "not checked yet: 12 more decisions on objects"
    for i, text in list(enumerate(texts))[10:]:
        decide(store, f"r{i}", "pass" if text == "a cat" else "fail")

    cat = play_one(Brief(text="a cat", seed=901), preset, store)
    assert (cat.status, cat.images) == ("accepted", 1)
    assert cat.verdict is not None
    assert "by people's decisions" in cat.verdict.checks[1].reason
    dog = play_one(Brief(text="a dog", seed=902), preset, store)
    assert dog.status == "needs_review"
    assert "the judge is unsure of" in dog.reason

    scorer = preset.judges["scorer"].model_copy(update={"revision": "2"})
    other = preset.model_copy(update={"judges": {"scorer": scorer}})
    assert play_one(Brief(text="a cat", seed=903), other, store).reason.startswith("not checked yet: 22")
