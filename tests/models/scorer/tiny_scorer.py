"""Tiny randomly initialised open_clip folders: a CLIP, which answers by softmax, and a SigLIP, by sigmoid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"}
TEXT = {"context_length": 16, "width": 32, "heads": 2, "layers": 1}

CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": TEXT,
}

# As the bundled scorer: a convolutional tower of timm's, a text tower of its own, a bias on the logit.
SIGLIP = {
    "embed_dim": 16,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "timm_model_name": "test_resnet",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 64,
    },
    "text_cfg": TEXT,
}


def make_clip(folder: Path) -> Path:
    """A vision transformer CLIP without logit bias."""
    return _make(folder, CLIP, PREPROCESS, seed=0)


def make_siglip(folder: Path) -> Path:
    """A sigmoid model with a timm image tower, whose preprocessing squashes instead of cropping."""
    preprocess = {**PREPROCESS, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "resize_mode": "squash"}
    return _make(folder, SIGLIP, preprocess, seed=1)


def _make(folder: Path, model_cfg: dict[str, Any], preprocess: dict[str, Any], seed: int) -> Path:
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    with torch.no_grad():  # spread the embeddings, so that scores differ from 0 and from each other
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embedding" not in name:
                weight.mul_(3)
        if getattr(model, "logit_bias", None) is not None:
            model.logit_bias.fill_(-0.5)
    state = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return folder
