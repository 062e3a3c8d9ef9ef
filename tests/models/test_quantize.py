"""What quantising asks for: packages and devices, each with its own sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.load import check_loadable, present
from models.protocols import DependencyMissing, ModelError
from models.quantize import KINDS, quantised_bytes
from models.specs import answer_settings
from models.text.transformers_backend import TransformersText
from models.vlm.image_text_backend import ImageTextModel
from tests.models.text.tiny_text import save_tiny


@pytest.mark.parametrize(("kind", "package"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_a_missing_package_is_named_before_anything_is_loaded(
    kind: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TransformersText(kind="transformers", model=str(save_tiny(tmp_path)), quantize=kind)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {k: v for k, v in sys.modules.items() if k != package})
    for ask in (
        lambda: check_loadable("text", spec, tmp_path, True),
        lambda: present("text", spec, tmp_path),
    ):
        with pytest.raises(DependencyMissing, match=f"needs the package {package}, .*pip install {package}$"):
            ask()


def test_unquantised_models_have_the_keys_they_had() -> None:
    for spec in (
        TransformersText(kind="transformers", model="a/b"),
        ImageTextModel(kind="image_text", model="a/b"),
    ):
        assert "quantize" not in spec.model_dump_json()
        assert "quantize" not in answer_settings(spec)
        changed = spec.model_copy(update={"quantize": "int8"})
        assert answer_settings(changed)["quantize"] == "int8"


@pytest.mark.parametrize("kind", KINDS)
def test_only_matrices_of_linear_layers_are_quantised(kind: str) -> None:
    for name, shape in (
        ("norm.weight", [64]), ("conv.weight", [4, 4, 3, 3]), ("model.embed_tokens.weight", [100, 64]),
        ("lm_head.weight", [100, 64]), ("x_pad_token", [1, 64]),
    ):  # fmt: skip
        assert quantised_bytes(kind, name, shape, 2) is None  # type: ignore[arg-type]
    for name in ("x_embedder.weight", "layers.0.mlp.up_proj.weight"):
        fewer = quantised_bytes(kind, name, [128, 64], 2)  # type: ignore[arg-type]
        assert fewer is not None
        assert fewer < 128 * 64 * 2 * {"int8": 0.6, "nf4": 0.3}[kind]


def test_text_models_say_that_nf4_needs_a_gpu(tmp_path: Path) -> None:
    from models.text.hf_text import load

    spec = TransformersText(kind="transformers", model=str(save_tiny(tmp_path)), quantize="nf4", device="cpu")
    with pytest.raises(
        ModelError, match=r"needs an NVIDIA GPU, and this model is on cpu; set `quantize: int8`"
    ):
        load(spec, tmp_path, True)
