"""Model locations, content revisions, devices and dtypes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.device import pick_device, pick_dtype
from models.hub.download import snapshot
from models.hub.need import checkpoint
from models.locate import content_revision, locate
from models.protocols import DependencyMissing, ModelError, WeightsMissing


def test_folders_hub_ids_and_packages(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "weights" / "small").mkdir(parents=True)
    base = tmp_path / "presets"
    assert locate("../weights/small", base) == tmp_path / "weights" / "small"
    assert locate("./../weights", base) == tmp_path / "weights"
    assert locate(str(tmp_path / "weights"), Path("/elsewhere")) == tmp_path / "weights"
    assert locate("owner/name", base) == "owner/name"
    assert locate("gpt2", base) == "gpt2"
    assert locate("package:models/mini", base) == Path(__file__).parents[2] / "models" / "mini"


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        ("./nowhere", WeightsMissing, "nowhere"),
        ("/nowhere/at/all", WeightsMissing, "/nowhere/at/all"),
        ("package:no_such_package/x", DependencyMissing, "pip install no-such-package"),
        ("package:models/nowhere", WeightsMissing, "nowhere"),
        ("package:models/../tests", ModelError, "leaves its package"),
        ("owner/name/more", ModelError, "owner/name"),
        ("two words", ModelError, "package:NAME/SUBPATH"),
        ("", ModelError, "package:NAME/SUBPATH"),
    ],
)
def test_errors_name_the_next_step(
    location: str, error: type[ModelError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        locate(location, tmp_path)


def test_offline_names_the_download_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which of the two forbids downloads: the preset or the environment."""
    wanted = "owner-of-none/no-model"
    need = checkpoint("model", wanted, "v1")
    with pytest.raises(
        WeightsMissing, match=rf"set `offline: false` in it, .*hf download {wanted}"
    ) as caught:
        snapshot(need, offline=True)
    assert "HF_HUB_OFFLINE" not in str(caught.value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match=rf"unset HF_HUB_OFFLINE, .*hf download {wanted}") as caught:
        snapshot(need, offline=False)
    assert "offline: false" not in str(caught.value)
    with pytest.raises(WeightsMissing, match="set `offline: false` in it and unset HF_HUB_OFFLINE"):
        snapshot(need, offline=True)


def test_a_cached_hub_model_is_found_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commit = "0123456789012345678901234567890123456789"
    model = tmp_path / "models--owner--name"
    (model / "snapshots" / commit).mkdir(parents=True)
    (model / "snapshots" / commit / "config.json").write_text("{}")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    need = checkpoint("model", "owner/name")
    with pytest.raises(WeightsMissing, match="hf download owner/name"):
        snapshot(need, offline=True)  # it has no weights
    (model / "snapshots" / commit / "model.safetensors").write_bytes(b"weights")
    assert snapshot(need, offline=True) == (model / "snapshots" / commit, commit)


def test_content_revision_follows_names_and_bytes(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "config.json").write_text("{}")
    (first / "model.safetensors").write_bytes(b"weights")
    (first / "README.md").write_text("words")
    again, other, renamed = (tmp_path / name for name in ("again", "other", "renamed"))
    for folder in (again, other, renamed):
        shutil.copytree(first, folder)
    (again / "README.md").write_text("other words")
    (other / "model.safetensors").write_bytes(b"Weights")
    (renamed / "config.json").rename(renamed / "settings.json")
    revision = content_revision(first)
    assert len(revision) == 12
    assert content_revision(again) == revision
    assert len({revision, content_revision(other), content_revision(renamed)}) == 3
    assert snapshot(checkpoint("model", first), offline=True) == (first, revision)


def test_devices_and_dtypes() -> None:
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in {"cpu", "cuda", "mps"}
    assert pick_dtype("float16", "cpu") == torch.float16
    assert pick_dtype("auto", "cpu") in {torch.float32, torch.bfloat16}
    with pytest.raises(ModelError, match="float32"):
        pick_dtype("int3", "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="device: auto"):
            pick_device("cuda")


def test_importing_the_light_modules_brings_no_torch() -> None:
    code = "import sys, models.locate, models.device, models.specs, models.text.hf_text, models.text.server_text\n"
    code += "print(sorted({'torch', 'transformers', 'huggingface_hub', 'httpx'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
