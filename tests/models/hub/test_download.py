"""Files of the hub: what is needed, what is here, what a download takes, and what each fault says."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.hub.cache import find
from models.hub.download import Cancelled, download, snapshot
from models.hub.need import Need, checkpoint, first_of
from models.hub.plan import look_up, make_plan
from models.protocols import NotCached, WeightsMissing
from pipeline.calls.load import quiet_libraries
from tests.hub import Hub, Repository

WEIGHTS = bytes(range(256)) * 40
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
    "model.safetensors": WEIGHTS,
    "model.bin": WEIGHTS[1:],
}
NEED = checkpoint("model", "owner/name")


@pytest.fixture
def repository(hub: Hub) -> Repository:
    hub.repositories["owner/name"] = Repository(FILES)
    return hub.repositories["owner/name"]


@pytest.fixture
def pinned(repository: Repository) -> Need:
    return replace(NEED, revision=repository.commit)


def get(need: Need) -> Path:
    return download(look_up(need), lambda count: None)


def test_only_the_needed_files_come_and_the_second_time_nobody_is_asked(hub: Hub, pinned: Need) -> None:
    folder, commit = snapshot(pinned, offline=False)
    assert {path.name for path in folder.iterdir()} == {"config.json", "tokenizer.json", "model.safetensors"}
    assert commit == pinned.revision
    asked = len(hub.requests)
    assert asked
    assert snapshot(pinned, offline=False) == (folder, commit)
    assert snapshot(pinned, offline=True) == (folder, commit)
    assert len(hub.requests) == asked


def test_without_a_revision_what_is_here_is_used_and_a_pull_gets_the_newest(
    hub: Hub, repository: Repository
) -> None:
    first = snapshot(NEED, offline=False)
    hub.repositories["owner/name"] = Repository({**FILES, "config.json": b'{"new": 1}'})
    asked = len(hub.requests)
    assert snapshot(NEED, offline=False) == first
    assert len(hub.requests) == asked
    newer = get(NEED)
    assert newer != first[0]
    assert snapshot(NEED, offline=True)[0] == newer


def test_a_plan_says_what_is_here(hub: Hub, pinned: Need) -> None:
    (item,) = make_plan([("text", pinned), ("judge", pinned)]).items
    size = sum(len(FILES[name]) for name in ("config.json", "tokenizer.json", "model.safetensors"))
    assert (item.licence, item.gated, item.size, item.left) == ("apache-2.0", False, size, size)
    assert item.uses == ("text", "judge")
    folder = get(pinned)
    assert make_plan([("text", pinned)]).left == 0
    (folder / "model.safetensors").resolve().unlink()
    assert make_plan([("text", pinned)]).left == len(WEIGHTS)


def test_bytes_are_counted(hub: Hub, pinned: Need) -> None:
    item, counts = look_up(pinned), list[int]()
    download(item, counts.append)
    assert sum(counts) == item.size


def test_half_a_model_is_not_a_model(hub: Hub, pinned: Need) -> None:
    with pytest.raises(
        NotCached, match=rf"not in the local cache; .*hf download owner/name --revision {pinned.revision} "
    ):
        find(pinned).require()
    folder = get(pinned)
    assert find(pinned).complete
    (folder / "tokenizer.json").unlink()
    assert find(pinned).missing == ("tokenizer.json",)
    with pytest.raises(
        NotCached, match="only partly in the local cache: 1 of 3 files are missing, such as tokenizer"
    ):
        find(pinned).require()


def test_without_a_list_of_files_the_index_of_the_parts_tells(tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(WEIGHTS)
    index = (
        '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    )
    (tmp_path / "model.safetensors.index.json").write_text(index)
    assert find(checkpoint("model", tmp_path)).missing == ("model-00002-of-00002.safetensors",)


def test_the_weights_are_not_had_twice() -> None:
    names = ["config.json", "consolidated.safetensors", "model-00001-of-00001.safetensors", "onnx/model.safetensors",
             "model.safetensors.index.json", "model.safetensors"]  # fmt: skip
    assert set(NEED.choose(names)) == {
        "config.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors",
    }  # fmt: skip
    assert NEED.choose(["other.safetensors"]) == ["other.safetensors"]
    first = first_of("model", "a/b", None, ("x.safetensors", "x.bin"))
    assert first.choose(["x.bin"]) == ["x.bin"]
    assert first.choose([]) == ["x.safetensors"]


# Each fault: what the hub does, and what the message says is wrong and what to do.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "gated": (
        {"path": "HEAD .*model.safetensors", "status": 401, "code": "GatedRepo"},
        r"accepted its licence; accept the licence at http://\S+/owner/name, then log in with: hf auth login",
    ),
    "no access": (
        {"path": "HEAD .*model.safetensors", "status": 403, "code": "GatedRepo"},
        "your account has not been given access to it; accept the licence at",
    ),
    "bad token": ({"path": "/api/", "status": 401}, "does not accept your token; log in again with: hf auth login"),
    "forbidden": ({"path": "/api/", "status": 403}, "your token may not read it; log in with a token that may"),
    "no model": ({"path": "/api/", "status": 404, "code": "RepoNotFound"}, "no model of that name .* correct its name"),
    "no revision": (
        {"path": "/api/", "status": 404, "code": "RevisionNotFound"},
        "has no revision [0-9a-f]{40}; correct `revision` in the preset",
    ),
    "too many": (
        {"path": "/api/", "status": 429, "headers": {"Retry-After": "77"}},
        r"takes no more requests .*\(429\); run the command again in 77 seconds",
    ),
    "no file": ({"path": "GET /blobs", "status": 404}, "the hub's model lacks a file; correct the file's name"),
    "no hub": ({"path": "/api/", "status": 204}, "does not answer as a hub does; correct HF_ENDPOINT"),
    "unavailable": ({"path": "/api/", "status": 503}, r"a fault of its own \(503\); run the command again later"),
    "cut": ({"path": "GET /blobs", "cut": 100}, "the connection broke; run the command again; files .* are kept"),
    "wrong hash": (
        {"path": "GET /blobs", "corrupt": True},
        "model.safetensors of owner/name arrived with other bytes than the hub names, so it was removed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_says_what_to_do(
    name: str, hub: Hub, pinned: Need, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "huggingface_hub.file_download.time.sleep", lambda seconds: None
    )  # between its retries
    fault, message = FAULTS[name]
    held = hub.fail(**fault)
    with pytest.raises(WeightsMissing, match=message) as caught:
        get(pinned)
    assert caught.value.message in str(caught.value)
    assert f"hf download owner/name --revision {pinned.revision} --include" in str(caught.value)
    assert not find(pinned).complete
    hub.faults.remove(held)
    assert find(replace(pinned)).missing
    get(pinned)  # the same call goes on
    assert find(pinned).complete


def test_nobody_answers(hub: Hub, pinned: Need, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsMissing, match=r"could not be reached at http://127.0.0.1:9; go online"):
        get(pinned)


def test_a_folder_that_cannot_be_written(hub: Hub, pinned: Need, tmp_path: Path) -> None:
    item = look_up(pinned)
    (tmp_path / "hf").write_text("a file where the cache should be")
    with pytest.raises(
        WeightsMissing, match=r"hf\S* cannot be written to \(.*\); give yourself write access"
    ):
        download(item, lambda count: None)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"the disk of \S+ is full; free some space, or set HF_HOME"),
        (errno.EDQUOT, r"the disk of \S+ is full"),
        (
            errno.EACCES,
            r"cannot be written to \(Permission denied\); give yourself write access to it, or set HF_HOME",
        ),
        (errno.EROFS, r"cannot be written to \(Read-only"),
    ],
)
def test_a_disk_that_takes_no_more(hub: Hub, pinned: Need, number: int, message: str) -> None:
    item = look_up(pinned)

    def fail(count: int) -> None:  # called just before the bytes are written
        raise OSError(number, os.strerror(number))

    with pytest.raises(WeightsMissing, match=message):
        download(item, fail)
    assert not list((find(pinned).folder or Path()).glob("*.safetensors"))


def test_a_cancelled_download_ends_and_leaves_no_part(hub: Hub, pinned: Need, tmp_path: Path) -> None:
    item = look_up(pinned)
    with pytest.raises(Cancelled):
        download(item, lambda count: None, lambda: True)
    assert not list((tmp_path / "hf").rglob("*.incomplete"))
    get(pinned)
    assert find(pinned).complete


def test_a_cancelled_download_whose_connection_breaks_is_cancelled(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["owner/name"] = Repository({"model.safetensors": WEIGHTS})
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    broken = hub.fail("GET /blobs", cut=0)  # no byte arrives, so nothing else asks whether to go on
    with pytest.raises(Cancelled):
        download(look_up(NEED), lambda count: None, broken.met.is_set)


def test_forbidden_downloads_ask_nobody(hub: Hub, pinned: Need, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match="unset HF_HUB_OFFLINE"):
        look_up(pinned)
    assert hub.requests == []


def test_a_long_wait_that_the_hub_asks_for_is_said(
    hub: Hub, pinned: Need, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quiet_libraries()
    waits: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", waits.append)
    hub.fail(path="GET /blobs", status=429, headers={"Retry-After": "77"}, times=1)
    monkeypatch.setattr("huggingface_hub.utils._http.logger.propagate", True)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    get(pinned)
    assert 78 in waits
    assert "Waiting 78" in caplog.text
