"""The diffusers backend on tiny real checkpoints of every architecture that a preset may name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.image.diffusers_backend import DiffusersImage, Lora, Scheduler
from models.load import load_image
from models.protocols import ImageModel, ModelError, Paint, Step, Stopped, WeightsMissing
from tests.models.image.tiny_image import MAKERS, NEEDS, SIZE, make_lora

ALL = sorted(MAKERS)
GUIDED = {"z_image": 0.0}  # painted without guidance, as its distilled form is; the others at 3


def build(name: str, folder: Path, offline: bool = False, **more: Any) -> ImageModel:
    given = {"device": "cpu", "dtype": "float32", "width": SIZE, "height": SIZE, "steps": 2}
    given |= {"guidance": GUIDED.get(name, 3.0), **NEEDS.get(name, {}), **more}
    return load_image(DiffusersImage(kind="diffusers", model=str(folder), **given), Path.cwd(), offline)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("tiny_image")

    def make(name: str) -> Path:
        folder: Path = root / name
        return folder if folder.exists() else MAKERS[name](folder)

    return make


@pytest.fixture(scope="session")
def painter(checkpoint: Callable[[str], Path]) -> Callable[[str], ImageModel]:
    known: dict[str, ImageModel] = {}

    def get(name: str) -> ImageModel:
        if name not in known:
            known[name] = build(name, checkpoint(name))
        return known[name]

    return get


@pytest.fixture
def sd(checkpoint: Callable[[str], Path]) -> Path:
    return checkpoint("sd")


def pixels(painted: Any) -> np.ndarray[Any, Any]:
    return np.asarray(painted.image)


REQUESTS = [
    Paint("a red cat", seed=1),
    Paint("two blue dogs on a table, a sticker with a white rim", seed=2, negative="blurry"),
    Paint("x", seed=3),
    Paint("a house", seed=1),
]


@pytest.mark.parametrize("name", ALL)
def test_paints_what_the_seed_says(name: str, painter: Callable[[str], ImageModel]) -> None:
    model = painter(name)
    assert isinstance(model, ImageModel)
    first, again, other = model.paint([REQUESTS[0], REQUESTS[0], Paint("a red cat", seed=2)])
    assert first.image.size == (SIZE, SIZE)
    assert first.image.mode == "RGB"
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() == model.paint([REQUESTS[0]])[0].image.tobytes()
    assert np.abs(pixels(first).astype(int) - pixels(other)).mean() > 5
    assert first.settings["seed"] == 1
    assert first.settings["steps"] == 2


# Without bfloat16 in hardware the convolutions of these take half a minute; their path is that of the others.
UNETS = {"sd", "sd_tiny_vae", "sdxl"}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float32") for name in ALL), *((name, "bfloat16") for name in ALL if name not in UNETS)],
)
def test_batch_of_one_is_batch_of_four(
    name: str, dtype: str, painter: Callable[[str], ImageModel], checkpoint: Callable[[str], Path]
) -> None:
    model = painter(name) if dtype == "float32" else build(name, checkpoint(name), dtype=dtype)
    together = model.paint(REQUESTS)
    for request, expected in zip(REQUESTS, together, strict=True):
        assert model.paint([request])[0].image.tobytes() == expected.image.tobytes()


@pytest.mark.parametrize("name", ALL)
def test_each_step_is_reported_with_a_preview(name: str, painter: Callable[[str], ImageModel]) -> None:
    steps: list[Step] = []
    previews = []

    def look(step: Step) -> None:
        steps.append(step)
        previews.append(step.preview())

    (painted,) = painter(name).paint([Paint("a red cat", seed=1, steps=3)], look)
    # PNDM's warm-up takes one call more than the steps asked for.
    total = 4 if name == "sd" else 3
    assert [(step.index, step.total, step.requests) for step in steps] == [
        (i + 1, total, (0,)) for i in range(total)
    ]
    assert all(len(images) == 1 and images[0].size == (SIZE, SIZE) for images in previews)
    # After the last step the guess at the finished image is the finished image.
    last = np.asarray(previews[-1][0]).astype(int)
    assert np.abs(last - pixels(painted)).max() <= 2
    assert np.abs(np.asarray(previews[0][0]).astype(int) - last).mean() > 1


@pytest.mark.parametrize("name", ALL)
def test_any_size_is_painted(name: str, painter: Callable[[str], ImageModel]) -> None:
    """Also one that is no multiple of the network's blocks: it is rounded up and cut to the middle."""
    (painted,) = painter(name).paint([Paint("a red cat", seed=1, width=SIZE + 5, height=SIZE - 3, steps=1)])
    assert painted.image.size == (SIZE + 5, SIZE - 3)
    assert min(painted.settings["painted_size"]) >= SIZE - 3
    assert pixels(painted)[:, -1].std() > 0  # painted to the edge


@pytest.mark.parametrize("name", ["sd", "prx_pixel", "z_image"])
def test_a_preview_nobody_asks_for_changes_nothing(name: str, painter: Callable[[str], ImageModel]) -> None:
    plain = painter(name).paint(REQUESTS[:1])[0]
    looked = painter(name).paint(REQUESTS[:1], lambda step: None)[0]
    previewed = painter(name).paint(REQUESTS[:1], lambda step: step.preview() and None)[0]
    assert plain.image.tobytes() == looked.image.tobytes() == previewed.image.tobytes()


def test_large_previews_are_small(painter: Callable[[str], ImageModel]) -> None:
    sizes = set()
    request = Paint("wide", seed=1, width=384, height=192, steps=1)
    for name in ("sdxl", "prx_pixel"):
        painter(name).paint([request], lambda step: sizes.add(step.preview()[0].size))
    assert sizes == {(256, 128)}


@pytest.mark.parametrize("name", ["sd", "flux2_klein", "sana", "prx_pixel"])
def test_cancel_stops_within_one_step(name: str, painter: Callable[[str], ImageModel]) -> None:
    model = painter(name)
    before = model.paint(REQUESTS[:1])[0]
    seen = []

    def stop(step: Step) -> None:
        seen.append(step.index)
        raise Stopped

    with pytest.raises(Stopped):
        model.paint([Paint("a", seed=1, steps=5), Paint("b", seed=2, steps=5)], stop)
    assert seen == [1]
    assert model.paint(REQUESTS[:1])[0].image.tobytes() == before.image.tobytes()


def test_pixel_transformer_takes_batches_and_others_one_at_a_time(
    checkpoint: Callable[[str], Path], painter: Callable[[str], ImageModel]
) -> None:
    batches: list[tuple[int, ...]] = []

    def note(step: Step) -> None:
        if step.index == 1:
            batches.append(step.requests)

    requests = [Paint("p", seed=i) for i in range(5)] + [Paint("q", seed=9, steps=3)]
    build("prx_pixel", checkpoint("prx_pixel"), guidance=1.0, max_batch=3).paint(requests, note)
    # Whether more rows round otherwise is up to the processor; then they are painted one at a time.
    assert batches in ([(0, 1, 2), (3, 4), (5,)], [(0,), (1,), (2,), (3,), (4,), (5,)])
    batches.clear()
    painter("prx_pixel").paint(requests[:2], note)  # with guidance
    painter("sd").paint(requests[:2], note)
    assert batches == [(0,), (1,), (0,), (1,)]


def test_sizes_steps_and_negatives_keep_their_places(painter: Callable[[str], ImageModel]) -> None:
    model = painter("sdxl")
    asked = [
        Paint("a", seed=1, width=32, height=64),
        Paint("b", seed=2),
        Paint("c", seed=3, width=32, height=64, steps=1, guidance=5.0, negative="dark"),
        Paint("c", seed=3, width=32, height=64, steps=1, guidance=5.0),
    ]
    painted = model.paint(asked)
    assert [p.image.size for p in painted] == [(32, 64), (SIZE, SIZE), (32, 64), (32, 64)]
    assert [p.settings["prompt"] for p in painted] == ["a", "b", "c", "c"]
    assert painted[2].settings["guidance"] == 5.0
    assert painted[2].settings["negative"] == "dark"
    assert painted[2].image.tobytes() != painted[3].image.tobytes()
    for request, expected in zip(asked, painted, strict=True):
        assert model.paint([request])[0].image.tobytes() == expected.image.tobytes()


def test_what_a_pipeline_does_not_take_is_dropped_and_said(painter: Callable[[str], ImageModel]) -> None:
    plain, negative = painter("flux2_klein").paint([Paint("a", seed=1), Paint("a", seed=1, negative="b")])
    assert plain.image.tobytes() == negative.image.tobytes()
    assert negative.settings["ignored"] == ["negative"]
    assert "negative" not in negative.settings
    assert "ignored" not in plain.settings


def test_lora_changes_the_image_by_its_scale(sd: Path, tmp_path: Path) -> None:
    make_lora(tmp_path / "lora", sd)

    def paint(*scales: float) -> np.ndarray[Any, Any]:
        loras = tuple(Lora(model=str(tmp_path / "lora"), scale=scale) for scale in scales)
        (painted,) = build("sd", sd, loras=loras).paint(REQUESTS[:1])
        assert [lora["scale"] for lora in painted.settings.get("loras", [])] == list(scales)
        return pixels(painted).astype(int)

    plain, half, whole, both = paint(), paint(0.5), paint(1.0), paint(0.5, 0.5)
    assert np.abs(whole - plain).mean() > 1
    assert np.abs(half - plain).mean() > 0.2
    assert np.abs(half - whole).mean() > 0.2
    assert np.abs(both - whole).max() <= 1  # two halves are a whole


def test_lora_that_does_not_fit(checkpoint: Callable[[str], Path], sd: Path, tmp_path: Path) -> None:
    make_lora(tmp_path, sd)
    with pytest.raises(ModelError, match="PRXPixelPipeline takes no LoRA"):
        build("prx_pixel", checkpoint("prx_pixel"), loras=(Lora(model=str(tmp_path)),))
    with pytest.raises(ModelError, match=r"LoRA .* does not load"):
        build("sd", sd, loras=(Lora(model=str(tmp_path), weight_name="absent.safetensors"),))
    only = tmp_path / "pytorch_lora_weights.safetensors"
    only.rename(tmp_path / "a.safetensors")
    build("sd", sd, loras=(Lora(model=str(tmp_path)),))
    shutil.copy(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match="has 2 safetensors files; name one"):
        build("sd", sd, loras=(Lora(model=str(tmp_path)),))


def test_scheduler_override(sd: Path, painter: Callable[[str], ImageModel]) -> None:
    ancestral = Scheduler(name="EulerAncestralDiscreteScheduler", options={"timestep_spacing": "trailing"})
    model = build("sd", sd, scheduler=ancestral)
    first, again = model.paint([REQUESTS[0], REQUESTS[0]])  # its noise in mid-course follows the seed too
    assert first.settings["scheduler"] == "EulerAncestralDiscreteScheduler"
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() != painter("sd").paint(REQUESTS[:1])[0].image.tobytes()
    with pytest.raises(ModelError, match="has no scheduler 'Nope'"):
        build("sd", sd, scheduler=Scheduler(name="Nope"))
    with pytest.raises(ModelError, match="has no option typo"):
        build("sd", sd, scheduler=Scheduler(name="DDIMScheduler", options={"typo": 1}))


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "LCMScheduler", "UniPCMultistepScheduler"])
def test_previews_under_other_schedulers_end_at_the_image(scheduler: str, sd: Path) -> None:
    last = []
    model = build("sd", sd, scheduler=Scheduler(name=scheduler), vae_tiling=True)
    (painted,) = model.paint(
        [Paint("a", seed=1, steps=4)], lambda step: last.append(np.asarray(step.preview()[0]))
    )
    assert np.abs(last[-1].astype(int) - pixels(painted)).mean() < 3
    assert (
        np.abs(last[0].astype(int) - pixels(painted)).mean()
        > np.abs(last[-1].astype(int) - pixels(painted)).mean()
    )


def test_offload_without_a_gpu_changes_nothing(sd: Path, painter: Callable[[str], ImageModel]) -> None:
    (offloaded,) = build("sd", sd, offload="model").paint(REQUESTS[:1])
    assert offloaded.image.tobytes() == painter("sd").paint(REQUESTS[:1])[0].image.tobytes()


def test_safety_checker_and_progress_bars_are_off(
    sd: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    index = json.loads((sd / "model_index.json").read_text())
    assert index["safety_checker"][1] == "StableDiffusionSafetyChecker"  # it is there to be left out
    model: Any = build("sd", sd)
    model.paint(REQUESTS[:1])
    assert model._pipe.safety_checker is None
    out, err = capfd.readouterr()
    assert "it/s" not in out + err
    assert not caplog.records


def test_paint_size_then_resize(checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint("prx_pixel")
    model = build("prx_pixel", folder, paint_size=32, width=128, height=128)
    exact, resized = model.paint([Paint("a", seed=1), Paint("a", seed=1, width=100, height=100)])
    assert (exact.image.size, resized.image.size) == ((128, 128), (100, 100))
    assert exact.settings["painted_size"] == [32, 32]
    small = build("prx_pixel", folder, width=32, height=32).paint([Paint("a", seed=1)])[0].image
    from PIL import Image

    enlarged = small.resize((128, 128), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(enlarged), pixels(exact))
    with pytest.raises(ModelError, match="paints squares"):
        model.paint([Paint("a", seed=1, width=128, height=64)])


def test_nan_is_an_error_and_a_blank_image_is_marked(checkpoint: Callable[[str], Path]) -> None:
    import torch

    model: Any = build("prx_pixel", checkpoint("prx_pixel"))
    assert "blank" not in model.paint(REQUESTS[:1])[0].settings
    with torch.no_grad():
        for weight in model._pipe.transformer.final_layer.parameters():
            weight.zero_()
    assert model.paint(REQUESTS[:1])[0].settings["blank"] is True
    with torch.no_grad():
        next(model._pipe.transformer.final_layer.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN instead of an image in float32"):
        model.paint(REQUESTS[:1])


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"model": "/no/such/folder"}, WeightsMissing, "no model folder"),
        ({"pipeline": "NopePipeline"}, ModelError, "no pipeline class 'NopePipeline'"),
        ({"pipeline": "UNet2DConditionModel"}, ModelError, "no pipeline class"),
        ({"pipeline": "FluxPipeline"}, ModelError, "cannot load sd as FluxPipeline"),
        ({"variant": "fp16"}, ModelError, "sd has no weights in the variant fp16"),
        ({"call_options": {"guidence": 3}}, ModelError, "takes no argument guidence"),
        ({"loras": (Lora(model="./absent"),)}, WeightsMissing, "no model folder"),
    ],
)
def test_errors_are_one_line(change: dict[str, Any], error: type[Exception], says: str, sd: Path) -> None:
    change = dict(change)
    with pytest.raises(error, match=says) as caught:
        build("sd", Path(change.pop("model", sd)), **change)
    assert "\n" not in str(caught.value)


def test_folders_that_are_no_safe_pipeline(
    checkpoint: Callable[[str], Path], sd: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsMissing, match=r"no readable model_index\.json"):
        build("sd", tmp_path)
    with pytest.raises(ModelError, match="write `pipeline: PRXPixelPipeline`"):
        build("prx_pixel", checkpoint("prx_pixel"), pipeline=None)
    with pytest.raises(ModelError, match="has no autoencoder that tiles"):
        build("prx_pixel", checkpoint("prx_pixel"), vae_tiling=True)
    pickled = tmp_path / "pickled"
    shutil.copytree(sd, pickled)
    (weights,) = (pickled / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="cannot load pickled"):
        build("sd", pickled)


def test_refused_settings_name_the_pipeline(painter: Callable[[str], ImageModel]) -> None:
    with pytest.raises(ModelError, match=r"PRXPixelPipeline refused the settings: guidance_scale"):
        painter("prx_pixel").paint([Paint("a", seed=1, guidance=0.5)])


def test_offline_hub_model_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = DiffusersImage(kind="diffusers", model="no-such-owner/no-such-model", device="cpu")
    with pytest.raises(WeightsMissing, match="hf download no-such-owner/no-such-model"):
        load_image(spec, tmp_path, offline=False)


def test_offline_lora_needs_no_network(monkeypatch: pytest.MonkeyPatch, sd: Path, tmp_path: Path) -> None:
    make_lora(tmp_path / "lora", sd)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (painted,) = build("sd", sd, loras=(Lora(model=str(tmp_path / "lora")),)).paint(REQUESTS[:1])
    assert len(painted.settings["loras"][0]["revision"]) == 12
    with pytest.raises(WeightsMissing, match="hf download no-such-owner/none"):
        build("sd", sd, loras=(Lora(model="no-such-owner/none"),))


@pytest.mark.gpu
@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_same_noise_on_a_gpu(offload: str, checkpoint: Callable[[str], Path]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    folder = checkpoint("sdxl")
    here = build("sdxl", folder).paint(REQUESTS)
    there = build("sdxl", folder, device="cuda", offload=offload).paint(REQUESTS)
    for a, b in zip(here, there, strict=True):
        assert np.abs(pixels(a).astype(int) - pixels(b)).max() <= 3
