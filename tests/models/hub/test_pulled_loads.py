"""What is downloaded is what the loaders open: nothing more, and enough to load without the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.hub.cache import find
from models.hub.download import download
from models.hub.plan import make_plan, read_online
from models.image.diffusers_backend import DiffusersImage
from models.load import load_image, load_scorer, needs, stage_of
from models.protocols import ModelError
from models.scorer.open_clip_backend import OpenClipScorer
from models.specs import Spec
from tests.hub import Hub, Repository
from tests.models.image.tiny_image import MAKERS
from tests.models.scorer.test_open_clip_files import ASKED, FOREIGN, TOWER, register
from tests.models.scorer.test_open_clip_scorer import IMAGES
from tests.models.text.tiny_text import save_tokenizer


def pull(spec: Spec) -> dict[str, Path]:
    """Download what a spec needs; returns the files that came, by hub id and name."""
    plan = make_plan([("", need) for need in needs(stage_of(spec), spec, Path.cwd(), read_online)])
    folders = {item.hub_id: download(item, lambda count: None) for item in plan.items}
    return {
        f"{hub_id}/{path.relative_to(folder).as_posix()}": path
        for hub_id, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_variant_alone_is_downloaded_and_loaded(hub: Hub, tmp_path: Path) -> None:
    folder = MAKERS["sd"](tmp_path / "sd")
    for full in list(folder.rglob("*.safetensors")):
        half = {name: weight.half() for name, weight in load_file(full).items()}
        save_file(half, full.with_name(f"{full.stem}.fp16.safetensors"), metadata={"format": "pt"})
        full.with_suffix(".bin").write_bytes(b"the same in another format")
    hub.repositories["owner/painter"] = Repository.of(folder)
    spec = DiffusersImage(
        kind="diffusers",
        model="owner/painter",
        variant="fp16",
        device="cpu",
        dtype="float32",
        width=32,
        height=32,
    )
    came = pull(spec)
    weights = {name for name in came if not name.endswith((".json", ".txt"))}
    assert weights == {
        f"owner/painter/{name}"
        for name in (
            "unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors",
            "text_encoder/model.fp16.safetensors",
        )
    }  # fmt: skip
    asked = len(hub.requests)
    model = load_image(spec, Path.cwd(), offline=True)
    assert model.identity.dtype == "float32"
    assert len(hub.requests) == asked
    for name in weights:  # each of them is needed
        kept = came[name].rename(came[name].with_suffix(".kept"))
        with pytest.raises(ModelError, match=r"1 of \d+ files are missing"):
            find(needs("image", spec, Path.cwd())[0]).require()
        with pytest.raises(ModelError):
            load_image(spec, Path.cwd(), offline=True)
        kept.rename(came[name])


def test_the_weights_of_a_tag_with_a_foreign_text_tower(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip

    register("tiny-foreign", FOREIGN, monkeypatch)
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "config.json").write_text(json.dumps(TOWER))
    local = FOREIGN["text_cfg"] | {"hf_model_name": str(tmp_path / "tower"), "hf_model_pretrained": False}  # type: ignore[operator]
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-foreign", text_cfg=local, load_weights=False, pretrained_text=False)
    (tmp_path / "own").mkdir()
    tensors = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    save_file(tensors, tmp_path / "own" / "open_clip_model.safetensors")
    (tmp_path / "own" / "open_clip_pytorch_model.bin").write_bytes(b"the same, pickled")
    (tmp_path / "tower" / "model.safetensors").write_bytes(b"weights that the model brings along itself")
    (tmp_path / "words").mkdir()
    save_tokenizer(tmp_path / "words")
    for name, folder in (("tiny-foreign", "own"), ("tower", "tower"), ("words", "words")):
        hub.repositories[f"owner/{name}"] = Repository.of(tmp_path / folder)
    spec = OpenClipScorer(kind="open_clip", model="tiny-foreign", pretrained="made", device="cpu")
    came = pull(spec)
    words = {f"owner/words/{path.name}" for path in (tmp_path / "words").iterdir()}
    assert set(came) == {"owner/tiny-foreign/open_clip_model.safetensors", "owner/tower/config.json", *words}
    asked = len(hub.requests)
    scores = load_scorer(spec, Path.cwd(), offline=True).score(IMAGES, ASKED)
    assert all(0 < p < 1 for row in scores for p in row)
    assert len(hub.requests) == asked
