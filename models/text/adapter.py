"""Applies LoRA adapters that peft saved to a causal model, once, when the model is loaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from models.protocols import ModelError, WeightsMissing

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
# With one of these settings an adapter does more than add up @ down to a linear layer.
_UNSUPPORTED = (
    "use_dora",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "trainable_token_indices",
    "lora_bias",
)


def read_adapter(folder: Path) -> dict[str, Any]:
    """The adapter's config. Raises WeightsMissing if a file of the adapter is missing, ModelError if one is damaged."""
    from safetensors import SafetensorError, safe_open

    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsMissing(f"There is no {name} in {folder}; correct `adapter:` in the preset.")
    try:
        config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        config["peft_type"]
        with safe_open(folder / _WEIGHTS, "pt"):  # a file that was cut off is refused here
            pass
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"The adapter in {folder} is damaged ({error!r}); copy it there again.") from error
    return config


def fits_packed(folder: Path) -> bool:
    """True if the adapter can be applied beside packed layers: plain LoRA that does not change
    the embedding and output layers."""
    config = read_adapter(folder)
    targets = config.get("target_modules") or []
    return (
        config.get("peft_type") == "LORA"
        and not any(config.get(name) for name in _UNSUPPORTED)
        and not {"lm_head", "embed_tokens"} & set(targets if isinstance(targets, list) else [targets])
    )


def merge(model: Any, folder: Path) -> Any:
    """The model with the adapter merged into its dense weights, by peft."""
    from peft import PeftModel

    read_adapter(folder)
    try:
        return (
            PeftModel.from_pretrained(model, folder, local_files_only=True)
            .merge_and_unload()
            .eval()
            .requires_grad_(False)
        )
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"The adapter {folder.name} does not fit this model, correct `adapter:`: {error}"
        ) from error


def put_beside(model: Any, folder: Path) -> None:
    """Add the adapter to the model's packed layers, which stay packed."""
    import torch
    from safetensors.torch import load_file

    from models.text.packed import Int4Linear

    config = read_adapter(folder)
    tensors = load_file(folder / _WEIGHTS)
    rank = int(config["r"])
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
        place = name.removesuffix(".lora_A.weight").removeprefix(_PREFIX)
        down, up = tensors[name], tensors[name.replace(".lora_A.", ".lora_B.")].float() * scale
        try:
            layer = model.get_submodule(place)
        except AttributeError as error:
            raise ModelError(
                f"The adapter {folder.name} has a layer {place} that the model lacks."
            ) from error
        if isinstance(layer, Int4Linear):
            layer.adapt(down, up)
        else:  # a layer that was not on the packed grid
            layer.weight.add_((up @ down.float()).to(layer.weight.dtype))
    if not torch.is_grad_enabled():
        model.eval()
