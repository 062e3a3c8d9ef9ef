"""The open_clip backend on two tiny real models: a softmax CLIP and a sigmoid SigLIP."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.load import load_scorer
from models.protocols import ModelError, Question, Scorer, WeightsMissing
from models.scorer import open_clip_scorer
from models.scorer.open_clip_backend import OpenClipScorer
from tests.models.scorer.tiny_scorer import make_clip, make_siglip


def build(folder: Path | str, offline: bool = False, **more: Any) -> Any:
    return load_scorer(
        OpenClipScorer(kind="open_clip", model=str(folder), device="cpu", **more), Path.cwd(), offline
    )


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("scorer") / "clip")


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_siglip(tmp_path_factory.mktemp("scorer") / "siglip")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Any:
    return build(clip_folder)


@pytest.fixture(scope="session")
def siglip(siglip_folder: Path) -> Any:
    return build(siglip_folder)


def noise(seed: int, side: int = 48) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)


IMAGES = [noise(seed) for seed in range(5)]
TEXTS = ("a red cat", "a blue dog", "three green cars on a table")


def test_is_a_scorer(clip: Any) -> None:
    assert isinstance(clip, Scorer)
    assert (clip.identity.kind, clip.identity.name) == ("open_clip", "clip")
    assert clip.identity.dtype == "float32"
    assert len(clip.identity.revision) == 12


def test_softmax_shares_one_between_statement_and_contrasts(clip: Any) -> None:
    questions = [Question(text, tuple(other for other in TEXTS if other != text)) for text in TEXTS]
    for scores in clip.score(IMAGES, [questions] * len(IMAGES)):
        assert sum(scores) == pytest.approx(1, abs=1e-5)
        assert all(0 <= score <= 1 for score in scores)
        assert max(scores) - min(scores) > 0.01


def test_temperature_softens_the_softmax(clip: Any, clip_folder: Path) -> None:
    question = Question(TEXTS[0], TEXTS[1:2])

    def log_odds(scorer: Any) -> float:
        ((p,),) = scorer.score(IMAGES[:1], [[question]])
        return math.log(p / (1 - p))

    assert log_odds(build(clip_folder, temperature=2.0)) == pytest.approx(log_odds(clip) / 2, rel=1e-3)


def test_softmax_without_contrasts_is_refused(clip: Any) -> None:
    with pytest.raises(ModelError, match="cannot judge 'a red cat' alone"):
        clip.score(IMAGES[:1], [[Question("a red cat")]])


def test_sigmoid_is_scale_times_cosine_plus_bias(siglip: Any, siglip_folder: Path) -> None:
    import open_clip
    import torch

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{siglip_folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{siglip_folder}")(list(TEXTS))
    with torch.no_grad():
        image = model.eval().encode_image(torch.stack([preprocess(i) for i in IMAGES]), normalize=True)
        text = model.encode_text(tokens, normalize=True)
        expected = torch.sigmoid(image @ text.T * model.logit_scale.exp() + model.logit_bias)
    got = siglip.score(IMAGES, [[Question(text) for text in TEXTS]] * len(IMAGES))
    assert np.allclose(got, expected.numpy(), atol=1e-5)
    assert np.ptp(got) > 0.05


def test_sigmoid_ignores_contrasts(siglip: Any) -> None:
    alone, contrasted = siglip.score([IMAGES[0]] * 2, [[Question(TEXTS[0])], [Question(TEXTS[0], TEXTS[1:])]])
    assert alone == pytest.approx(contrasted, abs=1e-6)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_batches_do_not_matter(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(f"{name}_folder")
    asked = [[Question(text, TEXTS) for text in TEXTS[: n % 3 + 1]] for n in range(5)]
    whole = request.getfixturevalue(name).score(IMAGES, asked)
    parts = build(folder, max_batch=2).score(IMAGES, asked)
    assert [len(scores) for scores in whole] == [1, 2, 3, 1, 2]
    for a, b in zip(whole, parts, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_any_image_mode_and_size(siglip: Any) -> None:
    image = noise(7, side=90)
    variants = [image, image.convert("RGBA"), image.resize((91, 45))]
    plain, alpha, _ = siglip.score(variants, [[Question(TEXTS[0])]] * 3)
    assert plain == pytest.approx(alpha, abs=1e-6)


def test_nothing_asked_nothing_computed(siglip: Any) -> None:
    assert siglip.score([], []) == []
    assert siglip.score(IMAGES[:2], [[], []]) == [[], []]
    with pytest.raises(ValueError, match="2 images but 1 lists"):
        siglip.score(IMAGES[:2], [[]])


def test_nan_is_an_error(siglip_folder: Path) -> None:
    import torch

    scorer = build(siglip_folder)
    with torch.no_grad():
        next(scorer._model.visual.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="gave NaN in float32"):
        scorer.score(IMAGES[:1], [[Question("a")]])


def test_texts_are_remembered_and_forgotten(siglip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip_scorer, "REMEMBERED_TEXTS", 3)
    scorer = build(siglip_folder)
    encoded: list[int] = []
    encode = scorer._model.encode_text
    monkeypatch.setattr(
        scorer._model, "encode_text", lambda tokens: encoded.append(len(tokens)) or encode(tokens)
    )

    def ask(*texts: str) -> list[float]:
        (scores,) = scorer.score(IMAGES[:1], [[Question(text) for text in texts]])
        return scores

    first = ask("a", "b", "c", "a")
    assert first[0] == first[3]
    assert ask("a", "b", "c") == first[:3]
    assert sum(encoded) == 3
    ask("a", "d")  # pushes out b, which was asked for longest ago
    assert ask("a", "c", "d")[0] == first[0]
    assert sum(encoded) == 4
    assert ask("b") == first[1:2]
    assert sum(encoded) == 5
    # More texts than fit in memory are answered all the same.
    assert len(ask(*map(str, range(10)))) == 10


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ({"model": "/no/such/folder"}, WeightsMissing, "no model folder"),
        ({"model": "ViT-B-32"}, ModelError, "architecture without weights; add `pretrained: TAG`"),
        ({"model": "ViT-Nope", "pretrained": "openai"}, ModelError, "knows no architecture"),
        ({"model": "hf-hub:no-such-owner/none"}, WeightsMissing, "hf download no-such-owner/none"),
    ],
)
def test_errors_are_one_line(
    spec: dict[str, Any], error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(error, match=says) as caught:
        build(spec.pop("model"), **spec)
    assert "\n" not in str(caught.value)


def test_folders_that_are_no_model(clip_folder: Path, siglip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no open_clip_config\.json"):
        build(tmp_path)
    (tmp_path / "open_clip_config.json").write_text((clip_folder / "open_clip_config.json").read_text())
    with pytest.raises(WeightsMissing, match=r"no open_clip_model\.safetensors"):
        build(tmp_path)
    weights = (siglip_folder / "open_clip_model.safetensors").read_bytes()
    (tmp_path / "open_clip_model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="open_clip cannot load") as caught:
        build(tmp_path)
    assert "\n" not in str(caught.value)
