"""Painters with quantised weights, on tiny real pipelines: they paint nearly the same picture in less memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.image.diffusers_backend import DiffusersImage, Gguf
from models.load import footprint_of, load_image
from models.protocols import ModelError, Paint, WeightsMissing
from tests.models.image.test_diffusers_image import build
from tests.models.image.tiny_gguf import make_flux2_gguf, make_z_image_gguf
from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE, make_lora

ASKED = [Paint("a red cat", seed=1)]
GGUF = {"flux2_klein": make_flux2_gguf, "z_image": make_z_image_gguf}


def array(model: Any) -> np.ndarray[Any, Any]:
    return np.asarray(model.paint(ASKED)[0].image).astype(int)


def spec_of(name: str, folder: Path, **more: Any) -> DiffusersImage:
    given = {"device": "cpu", "width": SIZE, "height": SIZE, "steps": 2, "guidance": 0.0}
    return DiffusersImage(kind="diffusers", model=str(folder), **{**given, **NEEDS.get(name, {}), **more})


def quantised_types(part: Any) -> int:
    return sum(type(weight).__name__ == "Int8Tensor" for weight in part.parameters())


@pytest.mark.parametrize("name", ["flux2_klein", "z_image", "sdxl", "flux"])
def test_int8_paints_nearly_the_same_in_less_memory(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    whole, model = build(name, folder), build(name, folder, quantize="int8")
    pipe: Any = model._pipe  # type: ignore[attr-defined]
    network = getattr(pipe, "transformer", None) or pipe.unet
    assert quantised_types(network) > 5
    assert quantised_types(pipe.text_encoder) > 5
    assert quantised_types(pipe.vae) == 0
    assert np.abs(array(whole) - array(model)).mean() < 2
    assert model.bytes < 0.8 * whole.bytes  # type: ignore[attr-defined]
    assert model.paint(ASKED)[0].settings["quantize"] == "int8"
    assert "quantize" not in whole.paint(ASKED)[0].settings


@pytest.mark.parametrize("quantize", [None, "int8"])
@pytest.mark.parametrize("name", ["flux2_klein", "z_image", "sdxl"])
def test_memory_is_claimed_as_it_is_taken(name: str, quantize: str | None, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    given = spec_of(name, folder, dtype="bfloat16", quantize=quantize)
    claimed = footprint_of("image", given, tmp_path)
    assert claimed is not None
    taken = load_image(given, tmp_path, offline=True).bytes  # type: ignore[attr-defined]
    assert claimed.main == pytest.approx(taken, rel=0.05)  # scales


def test_quantised_weights_move_but_keep_their_number_format(tmp_path: Path) -> None:
    model: Any = build("flux2_klein", MAKERS["flux2_klein"](tmp_path / "m"), quantize="int8")
    before = array(model)
    model.place(model._spec.model_copy(update={"dtype": "bfloat16", "prompt_cache": 0}))
    assert model.identity.dtype == "float32"
    assert np.array_equal(before, array(model))


def test_loras_act_beside_quantised_weights(tmp_path: Path) -> None:
    folder = MAKERS["sd"](tmp_path / "m")
    loras = [{"model": str(make_lora(tmp_path / "lora", folder))}]
    plain, changed = (build("sd", folder, quantize="int8", loras=given) for given in ((), loras))
    whole = build("sd", folder, loras=loras)
    assert np.abs(array(plain) - array(changed)).mean() > 1
    assert np.abs(array(whole) - array(changed)).mean() < 2
    with pytest.raises(ValidationError, match="fuse_loras cannot add to quantised weights"):
        spec_of("sd", folder, quantize="int8", loras=loras, fuse_loras=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="nf4 works on this machine's GPU")
def test_nf4_says_that_it_needs_a_gpu(tmp_path: Path) -> None:
    folder = MAKERS["flux2_klein"](tmp_path / "m")
    with pytest.raises(ModelError, match=r"`quantize: nf4` needs an NVIDIA GPU.*set `quantize: int8`"):
        build("flux2_klein", folder, quantize="nf4")


@pytest.mark.parametrize("name", sorted(GGUF))
def test_the_network_comes_from_a_gguf_file(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    whole = build(name, folder)
    file = GGUF[name](tmp_path / "gguf", folder)
    for weights in (folder / "transformer").glob("*.safetensors*"):
        weights.unlink()  # not needed
    gguf = Gguf(model=str(file.parent), file=file.name)
    model = build(name, folder, gguf=gguf, offline=True)
    assert np.abs(array(whole) - array(model)).mean() < 2
    assert model.paint(ASKED)[0].settings["gguf"] == {"model": str(file.parent), "file": file.name}
    both = build(name, folder, gguf=gguf, quantize="int8")
    pipe: Any = both._pipe  # type: ignore[attr-defined]
    assert quantised_types(pipe.text_encoder) > 5
    assert np.abs(array(whole) - array(both)).mean() < 3
    given = spec_of(name, folder, gguf=gguf, dtype="float32")
    claimed = footprint_of("image", given, tmp_path)
    assert claimed is not None
    assert claimed.main == pytest.approx(model.bytes, rel=0.1)  # type: ignore[attr-defined]


def test_a_missing_gguf_file_and_a_pipeline_without_one_are_named(tmp_path: Path) -> None:
    folder = MAKERS["flux2_klein"](tmp_path / "m")
    (tmp_path / "none").mkdir()
    with pytest.raises(WeightsMissing, match=r"There is no net\.gguf in .*correct `gguf`"):
        build("flux2_klein", folder, gguf=Gguf(model=str(tmp_path / "none"), file="net.gguf"))
    (tmp_path / "none" / "net.gguf").write_bytes(b"no GGUF")
    with pytest.raises(ModelError, match=r"cannot load net\.gguf as Flux2Transformer2DModel"):
        build("flux2_klein", folder, gguf=Gguf(model=str(tmp_path / "none"), file="net.gguf"))
    prx = MAKERS["prx_pixel"](tmp_path / "prx")
    with pytest.raises(ModelError, match="reads no GGUF file for PRXPixelPipeline; remove `gguf`"):
        build("prx_pixel", prx, gguf=Gguf(model=str(tmp_path / "none"), file="net.gguf"))
