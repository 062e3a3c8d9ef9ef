"""The registry of backends: it is light, it names what it knows, and it says what to install."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models import load
from models.backend import load_of
from models.detector.grid_backend import GridDetector
from models.image.diffusers_backend import DiffusersImage
from models.ocr.rapidocr_backend import RapidOcr
from models.protocols import DependencyMissing, ModelError
from models.scorer.open_clip_backend import OpenClipScorer
from models.text.transformers_backend import TransformersText
from models.vlm.image_text_backend import ImageTextModel
from tests.models.echo_backend import BACKEND, EchoText
from tests.models.image.tiny_image import make_prx_pixel
from tests.models.scorer.tiny_scorer import make_siglip

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "timm", "peft", "onnxruntime", "cv2")


def test_importing_the_registry_imports_no_heavy_library() -> None:
    program = (
        "import sys; from models import load, specs; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("loader", "spec", "says"),
    [
        (load.load_text, TransformersText, "Unknown text kind 'nope'; known kinds: server, transformers."),
        (load.load_image, DiffusersImage, "Unknown image kind 'nope'; known kinds: diffusers."),
        (load.load_scorer, OpenClipScorer, "Unknown scorer kind 'nope'; known kinds: open_clip."),
        (
            load.load_detector,
            GridDetector,
            "Unknown detector kind 'nope'; known kinds: grid, object_detection, zero_shot_object_detection.",
        ),
        (load.load_vlm, ImageTextModel, "Unknown vlm kind 'nope'; known kinds: image_text, server."),
        (load.load_ocr, RapidOcr, "Unknown ocr kind 'nope'; known kinds: rapidocr."),
    ],
)
def test_unknown_kinds_name_the_known_ones(loader: object, spec: type, says: str) -> None:
    assert callable(loader)
    with pytest.raises(ModelError) as caught:
        loader(spec.model_construct(kind="nope"), Path(), offline=True)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("module", "install"),
    [("open_clip", "pip install open_clip_torch"), ("diffusers", "pip install diffusers")],
)
def test_a_missing_package_is_named_with_its_install_command(
    module: str, install: str, tmp_path: Path
) -> None:
    # In a process of its own, where the package truly cannot be imported.
    program = f"""
import sys
sys.modules[{module!r}] = None
from pathlib import Path
from models import load
from models.image.diffusers_backend import DiffusersImage
from models.protocols import DependencyMissing
from models.scorer.open_clip_backend import OpenClipScorer
try:
    if {module!r} == "open_clip":
        load.load_scorer(OpenClipScorer(kind="open_clip", model="./x"), Path({str(tmp_path)!r}), True)
    else:
        load.load_image(DiffusersImage(kind="diffusers", model="./x"), Path({str(tmp_path)!r}), True)
except DependencyMissing as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert install in ran.stdout
    assert "\n" not in ran.stdout.strip()


def test_hub_models_start_offline_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filled hub cache and no network: both are found, with the commit as their revision."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name, make in (("painter", make_prx_pixel), ("scorer", make_siglip)):
        cached = tmp_path / f"models--owner--{name}"
        make(cached / "snapshots" / commit)
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    image = load.load_image(
        DiffusersImage(
            kind="diffusers",
            model="owner/painter",
            pipeline="PRXPixelPipeline",
            call_options={"use_resolution_binning": False},
            device="cpu",
        ),
        tmp_path,
        offline=True,
    )
    scorer = load.load_scorer(
        OpenClipScorer(kind="open_clip", model="hf-hub:owner/scorer"), tmp_path, offline=True
    )
    assert (image.identity.name, image.identity.revision) == ("owner/painter", commit)
    assert (scorer.identity.name, scorer.identity.revision) == ("owner/scorer", commit)


def test_a_fault_of_our_own_is_not_blamed_on_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(BACKEND, load=load_of("models.no_such_backend"))
    monkeypatch.setattr(load, "BACKENDS", (*load.BACKENDS, broken))
    with pytest.raises(ModuleNotFoundError):
        load.load_text(EchoText(kind="echo", model="./x"), Path(), offline=True)


def test_a_package_that_a_new_backend_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = replace(BACKEND, load=load_of("no_such_package_of_anyones"))
    monkeypatch.setattr(load, "BACKENDS", (*load.BACKENDS, backend))
    with pytest.raises(DependencyMissing, match="pip install no_such_package_of_anyones"):
        load.load_text(EchoText(kind="echo", model="./x"), Path(), offline=True)
