"""A person decides: the store and the files of the run folder follow, and an undo restores both exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.brief import Brief
from pipeline.config import Preset
from pipeline.errors import BriefError, OutputError
from pipeline.events import Attempt
from pipeline.results.decide import decide, take_back
from pipeline.results.decided import catch_up, follow
from pipeline.results.review import queue
from pipeline.results.run_folder import read_metadata
from pipeline.store import Store
from pipeline.store.reviews import Review
from pipeline.work.play import play, unfinished
from pipeline.work.row import Row

Tiny = Callable[..., Preset]
UNCHECKED = {"routes": {"object": []}}
PASSES = {"default": {"pass": 0.0, "fail": 0.0}}


@pytest.fixture
def painted(tiny: Tiny, tmp_path: Path) -> Callable[..., tuple[Store, Path]]:
    """`painted(judge)` → a store with the run "r" of two candidates, and its folder."""

    def make(judge: dict[str, Any] = UNCHECKED) -> tuple[Store, Path]:
        store = Store(tmp_path / "out")
        list(play([row(tiny, judge)], store))
        return store, store.out / "a-cat"

    return make


def row(tiny: Tiny, judge: dict[str, Any] = UNCHECKED) -> Row:
    preset = tiny(judge=judge, loop={"images": 2, "images_per_attempt": 2})
    return Row(1, Brief(text="a cat", seed=5), preset, run="r")


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def status(store: Store) -> str:
    run = store.runs.get("r")
    assert run is not None
    return run.status


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


def test_an_approved_picture_is_written_and_says_who_approved_it(
    painted: Callable[..., tuple[Store, Path]],
) -> None:
    store, folder = painted()
    before = files(folder)
    assert "best.png" in before
    review = decide(
        store, "r", "1-2", "ann", "approve", requirements={"r1": "pass"}, reason=" it has whiskers "
    )
    assert status(store) == "accepted"
    assert set(files(folder)) == {*before, "accepted.png"} - {"best.png"}
    assert np.array_equal(pixels(folder / "accepted.png"), pixels(folder / "attempts/1-2.png"))
    painted_record, record = (read_metadata(folder / name) for name in ("attempts/1-2.png", "accepted.png"))
    at = review.model_dump(mode="json")["at"]
    (said,) = record.pop("reviews")
    assert record == painted_record
    assert said == {
        "candidate": "1-2", "who": "ann", "decision": "approve", "reason": "it has whiskers", "at": at,
        "requirements": {"r1": {"text": "a cat", "person": "pass", "judge": "unchecked", "reason": ""}},
    }  # fmt: skip
    with Image.open(folder / "accepted.png") as image:
        assert "Negative prompt" in image.text["parameters"]  # type: ignore[attr-defined]
    whole = json.loads((folder / "run.json").read_text())
    assert whole["reviews"] == [said]
    assert whole["loop_outcome"]["status"] == "needs_review"
    assert {key: whole["outcome"][key] for key in ("status", "reason", "decided_by", "decided_at", "images")} == {
        "status": "accepted", "reason": "approved by ann: it has whiskers", "decided_by": "ann", "decided_at": at,
        "images": 2,
    }  # fmt: skip
    assert at.endswith("Z")
    assert whole["outcome"]["best"]["id"] == whole["outcome"]["verdict"]["candidate"] == "1-2"
    take_back(store, "ann")
    assert status(store) == "needs_review"
    assert files(folder) == before


def test_a_rejection_takes_back_the_acceptance_of_the_loop(
    painted: Callable[..., tuple[Store, Path]],
) -> None:
    store, folder = painted(PASSES)
    before = files(folder)
    run = store.runs.get("r")
    assert run is not None
    assert run.status == "accepted"
    best = str(run.best)
    decide(store, "r", best, "ann", "reject", requirements={"r1": "fail"}, reasons={"r1": "a dog"})
    assert status(store) == "rejected"
    after = files(folder)
    assert "accepted.png" not in after
    assert after[f"attempts/{best}.png"] == before[f"attempts/{best}.png"]
    (said,) = read_metadata(folder / "best.png")["reviews"]
    assert said["requirements"] == {
        "r1": {"text": "a cat", "person": "fail", "judge": "pass", "reason": "a dog"}
    }
    decide(store, "r", best, "bob", "approve")
    assert status(store) == "accepted"
    assert [one["who"] for one in read_metadata(folder / "accepted.png")["reviews"]] == ["ann", "bob"]
    decide(store, "r", best, "bob", "undo")
    assert files(folder) == after
    take_back(store, "ann", "r")
    assert files(folder) == before


def test_a_picture_that_is_rejected_beside_the_best_changes_no_picture(
    painted: Callable[..., tuple[Store, Path]],
) -> None:
    store, folder = painted()
    before = files(folder)
    decide(store, "r", "1-2", "ann", "reject")
    assert status(store) == "needs_review"
    after = files(folder)
    assert {name for name in after if after[name] != before[name]} == {"run.json"}
    assert [item.candidate for item in queue(store, "ann")] == ["1-1"]


def test_a_person_who_was_asked_is_told_apart_from_one_who_was_not(
    painted: Callable[..., tuple[Store, Path]],
) -> None:
    store, _ = painted()
    assert decide(store, "r", "1-2", "ann", "reject").why == "overruled"
    assert decide(store, "r", "1-1", "ann", "approve").why == "unchecked"
    assert decide(store, "r", "1-1", "ann", "reject").why == "overruled"
    last, undo = take_back(store, "ann")
    assert (last.decision, undo.decision, undo.why) == ("reject", "undo", "overruled")
    assert take_back(store, "ann", candidate="1-2")[0].candidate == "1-2"
    assert take_back(store, "ann")[0].decision == "approve"
    with pytest.raises(BriefError, match="ann has made no decision that could be taken back"):
        take_back(store, "ann")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"run": "x"}, "there is no run 'x'"),
        ({"candidate": "9-9"}, "has no candidate '9-9'"),
        ({"who": "  "}, "enter your name"),
        ({"requirements": {"r7": "pass"}}, "known are intact, nothing else, r1"),
        ({"reasons": {"r1": "a dog"}}, "not marked as fail"),
        ({"decision": "undo"}, "ann has made no decision on this run"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    painted: Callable[..., tuple[Store, Path]], given: dict[str, Any], says: str
) -> None:
    store, folder = painted()
    before = files(folder)
    whole: dict[str, Any] = {"run": "r", "candidate": "1-1", "who": "ann", "decision": "approve"} | given
    with pytest.raises(BriefError, match=says):
        decide(store, **whole)
    assert store.reviews.log() == []
    assert files(folder) == before


def test_without_its_picture_nothing_is_decided(painted: Callable[..., tuple[Store, Path]]) -> None:
    store, folder = painted()
    (folder / "attempts/1-1.png").unlink()
    before = files(folder)
    with pytest.raises(OutputError, match=r"attempts/1-1.png cannot be read .* put it back"):
        decide(store, "r", "1-1", "ann", "approve")
    assert status(store) == "needs_review"
    assert store.reviews.log() == []
    assert files(folder) == before


def test_a_folder_that_was_moved_away_stops_no_decision(painted: Callable[..., tuple[Store, Path]]) -> None:
    store, folder = painted()
    folder.rename(folder.with_name("elsewhere"))
    decide(store, "r", "1-1", "ann", "approve")
    assert status(store) == "accepted"
    assert not folder.exists()


def test_files_that_lag_behind_a_decision_are_written_later(
    painted: Callable[..., tuple[Store, Path]],
) -> None:
    """A process was killed between a decision and its files, or an earlier version had no such files."""
    store, folder = painted()
    store.reviews.add(Review(run="r", candidate="1-1", who="ann", decision="approve"))
    assert not (folder / "accepted.png").exists()
    catch_up(store)
    caught = files(folder)
    assert "accepted.png" in caught
    with store.reviews.settling("r") as settled:
        follow(store.out, *settled)
    assert files(folder) == caught


def test_an_accepted_row_of_an_interrupted_batch_is_not_painted_again(tiny: Tiny, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    for happened in play([row(tiny)], store):
        if isinstance(happened, tuple) and isinstance(happened[1], Attempt):
            break  # as if it were killed
    folder = store.out / "a-cat"
    before = files(folder)
    decide(store, "r", "1-2", "ann", "approve")
    assert unfinished([row(tiny)], store) == []
    assert list(play([row(tiny)], store)) == []
    assert (folder / "accepted.png").exists()
    take_back(store, "ann")
    assert files(folder) == before
    assert unfinished([row(tiny)], store) == [row(tiny)]


def test_a_decision_of_an_interrupted_run_holds_when_its_loop_ends(tiny: Tiny, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    for happened in play([row(tiny)], store):
        if isinstance(happened, tuple) and isinstance(happened[1], Attempt):
            break
    decide(store, "r", "1-1", "ann", "reject")
    assert status(store) == "stopped"  # another candidate may be accepted
    list(play([row(tiny)], store))
    assert status(store) == "rejected"
    whole = json.loads((store.out / "a-cat/run.json").read_text())
    assert whole["outcome"]["status"] == "rejected"
    assert whole["loop_outcome"]["status"] == "needs_review"
    assert "reviews" in read_metadata(store.out / "a-cat/best.png")
    assert unfinished([row(tiny)], store) == []
