"""The hub library gets from the hub of the tests what it would get from huggingface.co."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfApi, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

from tests.hub import Hub, Repository

FILES = {
    "config.json": b"{}",
    "a.txt": b"words",
    "b.txt": b"more",
    "model.safetensors": bytes(range(256)) * 40,
}


@pytest.fixture
def repository(hub: Hub) -> Repository:
    hub.repositories["owner/name"] = Repository(FILES)
    return hub.repositories["owner/name"]


def test_a_repository_is_described_listed_and_downloaded(hub: Hub, repository: Repository) -> None:
    about = HfApi().model_info("owner/name", files_metadata=True)
    assert about.sha == repository.commit
    assert about.card_data is not None
    assert about.card_data.license == "apache-2.0"
    assert {s.rfilename: s.size for s in about.siblings or ()} == {n: len(c) for n, c in FILES.items()}
    folder = Path(snapshot_download("owner/name"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert folder.name == repository.commit
    assert {file.path for file in get_cached_repo_tree("owner/name")} == set(FILES)
    (blob,) = (folder / "model.safetensors").resolve().parent.glob("?" * 64)
    assert blob == (folder / "model.safetensors").resolve()


def test_a_cut_connection_is_continued_by_range(
    hub: Hub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 500)
    hub.fail("GET /blobs/", cut=1000, times=1)
    folder = Path(snapshot_download("owner/name"))
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert hub.ranges == ["bytes=1000-"]


def test_what_is_refused(hub: Hub, repository: Repository) -> None:
    with pytest.raises(RevisionNotFoundError):
        HfApi().model_info("owner/name", revision="0" * 40)
    repository.gated = 403
    with pytest.raises(GatedRepoError):
        snapshot_download("owner/name")
